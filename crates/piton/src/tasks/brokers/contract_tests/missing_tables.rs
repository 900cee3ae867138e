//! Tables that are removed while the service runs.

use super::*;
use crate::db::Db;
use crate::tasks::brokers::database::both;

/// The tables, apart from the partitions of PostgreSQL, which go with theirs.
const TABLES: [&str; 9] = [
    "DROP TABLE piton_tasks",
    "DROP TABLE piton_task_results",
    "DROP TABLE piton_task_workers",
    "DROP TABLE piton_task_queues",
    "DROP TABLE piton_task_crons",
    "DROP TABLE piton_task_groups",
    "DROP TABLE piton_task_schema",
    // SQLite alone has these.
    "DROP TABLE IF EXISTS piton_task_ready",
    "DROP TABLE IF EXISTS piton_task_claims",
];

async fn remove_tables(db: &Db) {
    for drop in TABLES {
        db.run(drop, ()).await.unwrap();
    }
}

/// Works on tasks, loses all tables, and goes on.
async fn tasks_are_stored_after_all_tables_were_removed(db: Db, clock: Clock, opened: OpenBroker) {
    opened.broker.prepare().await.unwrap();
    let fixture = Fixture {
        broker: Arc::new(rendering::Rendering(opened.broker.clone())),
        clock,
        open_another: Box::new(|| unreachable!("one is enough")),
        _storage: Box::new(()),
    };
    fixture.send(&["a", "b"]).await;
    let worker = fixture.worker().await;
    assert_eq!(fixture.claim_ids(worker).await, ["a", "b"]);

    remove_tables(&db).await;
    fixture.send(&["c"]).await;
    // Its registration is lost with the tables: the worker registers again.
    assert_eq!(fixture.renew(worker, LEASE).await.unwrap(), None);
    let worker = fixture.worker().await;
    let claimed = async {
        loop {
            let claimed = fixture.claim_ids(worker).await;
            if !claimed.is_empty() {
                return claimed;
            }
            fixture.woken(&queues(&["q"])).await;
        }
    };
    assert_eq!(tokio::time::timeout(seconds(30), claimed).await.unwrap(), ["c"]);

    // The tables were created a moment ago, and are not again: the error says that another attempt may succeed.
    remove_tables(&db).await;
    let error = fixture.enqueue(&[fixture.new_task("d")], None).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_are_stored_after_all_tables_were_removed_on_sqlite() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::default());
    let db = Db::for_test(&crate::db::DbSettings::default(), folder.path()).await.unwrap();
    let broker = super::sqlite::SqliteBroker::new(&db, clock.clone()).unwrap();
    tasks_are_stored_after_all_tables_were_removed(db, clock, both(broker)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_are_stored_after_all_tables_were_removed_on_postgres() {
    let (db, clock) = (postgres_db(&test_support::postgres::database()).await, Clock::default());
    let broker = super::postgres::PostgresBroker::new(&db, clock.clone()).unwrap();
    tasks_are_stored_after_all_tables_were_removed(db, clock, both(broker)).await;
}
