//! The partitions of the history.

use super::*;
use crate::part::Permanent;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn partitions(db: &Db) -> Vec<String> {
    db.all(
        "SELECT relname::text FROM pg_class WHERE relname ~ '^piton_task_results_[a-z]+_[0-9]+$' AND relkind = 'r' \
         ORDER BY relname",
        (),
    )
    .await
    .unwrap()
}

async fn finish(broker: &PostgresBroker, number: usize) {
    let worker = register(broker).await;
    broker.enqueue(&tasks(number), None).await.unwrap();
    let claimed = broker.claim(worker, &queue(), number).await.unwrap().tasks;
    let mut settlements: Vec<Settlement> = claimed.iter().map(succeeded).collect();
    for settlement in &mut settlements {
        if let Outcome::Finished(Some(finished)) = &mut settlement.outcome {
            finished.finished_at_ms = broker.store.clock.now_ms();
        }
    }
    broker.settle(worker, settlements).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_are_created_ahead_and_dropped_with_their_results() {
    let broker = fixture().await;
    let before = partitions(&broker.db).await;
    assert_eq!(before.len(), 8, "{before:?}");
    finish(&broker, 3).await;
    broker.store.clock.advance(DAY * 3);
    assert_eq!(broker.expire_results(DAY * 2, DAY * 30).await.unwrap(), 3);
    let after = partitions(&broker.db).await;
    assert!(!after.contains(&before[4]) && after.contains(&before[0]), "{after:?}");
    assert_eq!(count(&broker.db, "results").await, 0);
    assert_eq!(broker.expire_results(DAY * 2, DAY * 30).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_partition_fails_no_settlement_and_takes_its_results_later() {
    let broker = fixture().await;
    broker.store.clock.advance(DAY * 20);
    finish(&broker, 3).await;
    let unpartitioned = "SELECT count(*) FROM piton_task_results_success_default";
    assert_eq!(broker.db.scalar::<i64>(unpartitioned, ()).await.unwrap(), 3);
    broker.expire_results(DAY * 60, DAY * 60).await.unwrap();
    assert_eq!(broker.db.scalar::<i64>(unpartitioned, ()).await.unwrap(), 0);
    assert_eq!(count(&broker.db, "results").await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_of_another_version_end_the_launch() {
    let broker = fixture().await;
    broker.db.run("UPDATE piton_task_schema SET version = 2", ()).await.unwrap();
    let error = broker.prepare().await.unwrap_err();
    assert!(error.to_string().contains("have version 2"), "{error}");
    assert!(Permanent::is_in(&*error.into_connect_error()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_start_at_once_prepare_one_set_of_tables() {
    let settings = settings_of(&test_support::postgres::database());
    let brokers = (0..5).map(|_| on(settings.clone()));
    let brokers = futures_util::future::join_all(brokers).await;
    assert_eq!(partitions(&brokers[0].db).await.len(), 8);
    let version: i64 =
        brokers[0].db.scalar("SELECT version FROM piton_task_schema", ()).await.unwrap();
    assert_eq!(version, 1);
}
