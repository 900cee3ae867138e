//! Faults of the server and of the connections to it.

use test_support::postgres::Postgres;

use super::*;

/// Enqueues, claims and settles until `number` tasks have a result, however often calls fail.
async fn work_through_faults(broker: &PostgresBroker, number: i64) {
    let mut worker = None;
    wait(async || {
        let id = match worker {
            Some(id) => id,
            None => match broker.register(&info(), Duration::from_millis(500)).await {
                Ok(id) => *worker.insert(id),
                Err(error) => return unavailable(error),
            },
        };
        match run_once(broker, id).await {
            Ok(true) => {}
            Ok(false) => worker = None,
            Err(error) => return unavailable(error),
        }
        broker.store.db.scalar::<i64>("SELECT count(*) FROM piton_task_results", ()).await.ok()
            == Some(number)
    })
    .await;
}

/// Returns whether the worker is still registered.
async fn run_once(broker: &PostgresBroker, worker: WorkerId) -> Result<bool, BrokerError> {
    if broker.renew(worker, Duration::from_millis(500)).await?.is_none() {
        return Ok(false);
    }
    broker.release_lost().await?;
    let batch = broker.claim(worker, &queue(), 20).await?;
    let settlements: Vec<Settlement> = batch.tasks.iter().map(succeeded).collect();
    // Tried again, as the worker does: settlements that have been applied are fenced then.
    while let Err(error) = broker.settle(worker, settlements.clone()).await {
        unavailable(error);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(true)
}

fn unavailable(error: BrokerError) -> bool {
    assert_eq!(error.kind(), Kind::Unavailable, "{error}: {:?}", std::error::Error::source(&error));
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_task_is_lost_when_backends_are_killed() {
    let server = Postgres::start();
    let broker = on(settings_of(&server.url())).await;
    let _watch = watch(&broker.db);
    broker.enqueue(&tasks(500), None).await.unwrap();
    let killing = tokio::task::spawn_blocking(move || {
        for _ in 0..15 {
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
            );
        }
        server
    });
    work_through_faults(&broker, 500).await;
    let _server = killing.await.unwrap();
    let left = "SELECT count(*) FROM piton_tasks";
    wait(async || broker.db.scalar::<i64>(left, ()).await.is_ok_and(|left| left == 0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_server_is_survived() {
    let mut server = Postgres::start();
    let broker = on(settings_of(&server.url())).await;
    let _watch = watch(&broker.db);
    broker.enqueue(&tasks(50), None).await.unwrap();
    let worker = register(&broker).await;
    assert_eq!(broker.claim(worker, &queue(), 10).await.unwrap().tasks.len(), 10);
    server.stop();
    let error = broker.claim(worker, &queue(), 10).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
    let error = broker.enqueue(&tasks(1), None).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
    server.start_again();
    wait(async || {
        broker.claim(worker, &queue(), 40).await.is_ok_and(|batch| batch.tasks.len() == 40)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_that_use_all_connections_do_not_stop_the_worker() {
    let settings = settings_of(&test_support::postgres::database());
    let broker = on(DbSettings { max_connections: 1, ..settings }).await;
    let handler = broker.db.begin().await.unwrap();
    let worker = register(&broker).await;
    broker.enqueue(&tasks(1), None).await.unwrap();
    let claimed = broker.claim(worker, &queue(), 1).await.unwrap().tasks;
    broker.settle(worker, claimed.iter().map(succeeded).collect()).await.unwrap();
    drop(handler);
    assert_eq!(count(&broker.db, "results").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_call_ends_and_stops_no_other() {
    let broker = fixture().await;
    let worker = register(&broker).await;
    let other = register(&broker).await;
    broker.enqueue(&tasks(2), None).await.unwrap();
    let mut lock = broker.db.begin().await.unwrap();
    lock.run("UPDATE piton_task_workers SET name = name WHERE id = $1", (worker.0,)).await.unwrap();
    let renewing = broker.renew(worker, Duration::from_secs(60));
    let working = async {
        let claimed = broker.claim(other, &queue(), 2).await.unwrap().tasks;
        broker.settle(other, claimed.iter().map(succeeded).collect()).await.unwrap();
    };
    let (renewed, ()) = tokio::join!(renewing, working);
    assert_eq!(renewed.unwrap_err().kind(), Kind::Unavailable);
    lock.rollback().await.unwrap();
    assert_eq!(count(&broker.db, "results").await, 2);
    assert!(broker.renew(worker, Duration::from_secs(60)).await.unwrap().is_some());
}
