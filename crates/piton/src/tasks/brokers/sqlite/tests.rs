//! What SQLite adds to the promises of every broker.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

use super::statements::{arguments, execute, fetch, no_arguments};
use super::*;
use crate::db::{Db, DbSettings};
use crate::part::Part;
use crate::stop_signal::Stop;
use crate::tasks::brokers::TaskAdmin;
use crate::tasks::brokers::records::{
    FinalState, FinishedTask, Outcome, TaskFilter, TaskRecord, TaskState,
};
use crate::tasks::error::Kind;

const LEASE: Duration = Duration::from_secs(30);

struct Fixture {
    broker: SqliteBroker,
    db: Db,
    folder: TempDir,
}

impl std::ops::Deref for Fixture {
    type Target = SqliteBroker;

    fn deref(&self) -> &SqliteBroker {
        &self.broker
    }
}

async fn with(settings: DbSettings) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let (db, broker) = open(&settings, &folder).await;
    broker.prepare().await.unwrap();
    Fixture { broker, db, folder }
}

async fn open(settings: &DbSettings, folder: &TempDir) -> (Db, SqliteBroker) {
    let db = Db::for_test(settings, folder.path()).await.unwrap();
    let broker = SqliteBroker::new(&db, Clock::default()).unwrap();
    (db, broker)
}

async fn fixture() -> Fixture {
    with(DbSettings::default()).await
}

fn new_task(id: &str) -> NewTask {
    NewTask {
        id: id.into(),
        name: "shop.pack".into(),
        queue: "q".into(),
        priority: 0,
        created_at_ms: 0,
        due_at_ms: None,
        expires_at_ms: None,
        retries: 0,
        parent_id: None,
        group: None,
        ignore_result: false,
        message: "{}".into(),
    }
}

fn queue() -> Vec<String> {
    vec!["q".to_owned()]
}

impl Fixture {
    async fn stored(&self) -> Vec<String> {
        let tasks = self.broker.list(&TaskFilter::default()).await.unwrap();
        tasks.into_iter().map(|task| task.id).collect()
    }

    async fn worker(&self) -> WorkerId {
        let queues = queue();
        let worker = WorkerInfo { name: "w".into(), queues, concurrency: 1, started_at_ms: 0 };
        self.broker.register(&worker, LEASE).await.unwrap()
    }

    async fn claim_all(&self, worker: WorkerId) -> Vec<Settlement> {
        let batch = self.broker.claim(worker, &queue(), 1000).await.unwrap();
        let settlement = |task: super::super::records::ClaimedTask| Settlement {
            key: task.key,
            id: task.id,
            outcome: Outcome::Finished(Some(FinishedTask {
                state: FinalState::Success,
                result: "1".into(),
                traceback: None,
                started_at_ms: None,
                finished_at_ms: 0,
                keep_message: false,
            })),
            follow_ups: Vec::new(),
            groups: Vec::new(),
            abandoned: Vec::new(),
        };
        batch.tasks.into_iter().map(settlement).collect()
    }

    /// Limits the size of the file to so many pages beyond its size now, as a full disk does.
    async fn limit_pages(&self, free: i64) {
        let internal = self.broker.engine.internal();
        let mut connections =
            [internal.connection().await.unwrap(), internal.batch_connection().await.unwrap()];
        for connection in &mut connections {
            let pages = fetch(connection, "PRAGMA page_count", no_arguments()).await.unwrap();
            let most = sqlx::Row::get::<i64, _>(&pages[0], 0) + free;
            let limit = format!("PRAGMA max_page_count = {most}");
            execute(connection, &limit, no_arguments()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_transaction_of_the_caller_enqueues_when_it_commits_and_only_then() {
    let broker = fixture().await;
    let worker = broker.worker().await;
    let mut tx = broker.db.begin().await.unwrap();
    broker.enqueue_in(&mut tx, &[new_task("rolled-back")], None).await.unwrap();
    tx.rollback().await.unwrap();
    let mut tx = broker.db.begin().await.unwrap();
    broker.enqueue_in(&mut tx, &[new_task("dropped")], None).await.unwrap();
    drop(tx);
    assert!(broker.claim_all(worker).await.is_empty());
    let wakes = broker.wake.count();
    let mut tx = broker.db.begin().await.unwrap();
    broker.enqueue_in(&mut tx, &[new_task("a"), new_task("b")], None).await.unwrap();
    assert_eq!(broker.wake.count(), wakes);
    tx.commit().await.unwrap();
    assert_ne!(broker.wake.count(), wakes);
    assert_eq!(broker.claim_all(worker).await.len(), 2);
}

#[tokio::test]
async fn a_transaction_of_the_caller_refuses_known_ids() {
    let broker = fixture().await;
    broker.enqueue(&[new_task("finished"), new_task("queued")], None).await.unwrap();
    let worker = broker.worker().await;
    let mut settlements = broker.claim_all(worker).await;
    settlements.truncate(1);
    broker.settle(worker, settlements).await.unwrap();
    for known in ["finished", "queued"] {
        let mut tx = broker.db.begin().await.unwrap();
        let error = broker.enqueue_in(&mut tx, &[new_task("new"), new_task(known)], None).await;
        assert_eq!(error.unwrap_err().kind(), Kind::Duplicate);
        tx.rollback().await.unwrap();
    }
    assert_eq!(broker.stored().await.len(), 2);
}

#[tokio::test]
async fn the_fault_of_one_waiting_call_is_not_that_of_others() {
    let broker = Arc::new(fixture().await);
    broker.enqueue(&[new_task("known")], None).await.unwrap();
    let writer = broker.db.begin().await.unwrap();
    let send = |id: &'static str| {
        let broker = Arc::clone(&broker);
        tokio::spawn(async move { broker.enqueue(&[new_task(id)], None).await })
    };
    let calls = [send("a"), send("known"), send("b"), send("a")];
    drop(writer);
    let mut kinds = Vec::new();
    for call in calls {
        kinds.push(call.await.unwrap().map_err(|error| error.kind()));
    }
    kinds.sort_by_key(|kind| kind.is_err());
    assert_eq!(kinds, [Ok(()), Ok(()), Err(Kind::Duplicate), Err(Kind::Duplicate)]);
    let mut stored = broker.stored().await;
    stored.sort();
    assert_eq!(stored, ["a", "b", "known"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_starts_a_task_within_milliseconds() {
    let broker = fixture().await;
    let (_db, other) = open(&DbSettings::default(), &broker.folder).await;
    let other = Arc::new(other);
    let worker = broker.worker().await;
    let mut fastest = Duration::MAX;
    for round in 0..20 {
        let (waits, is_waiting) = tokio::sync::oneshot::channel();
        let waiting = tokio::spawn({
            let other = Arc::clone(&other);
            async move {
                assert!(other.claim(worker, &queue(), 1).await.unwrap().tasks.is_empty());
                waits.send(()).unwrap();
                while other.claim(worker, &queue(), 1).await.unwrap().tasks.is_empty() {
                    other.woken(&queue()).await;
                }
                Instant::now()
            }
        });
        is_waiting.await.unwrap();
        let sent = Instant::now();
        broker.enqueue(&[new_task(&round.to_string())], None).await.unwrap();
        fastest = fastest.min(waiting.await.unwrap() - sent);
    }
    // The fastest, because any one may be late on a busy machine. Both notifications and the index's poll of 5 ms are
    // faster.
    assert!(fastest < Duration::from_millis(20), "{fastest:?}");
}

#[tokio::test]
async fn handlers_that_use_all_connections_do_not_stop_tasks() {
    let broker = with(DbSettings { max_connections: 1, ..DbSettings::default() }).await;
    let _all = broker.db.sqlite_pool().unwrap().acquire().await.unwrap();
    // Writes that wait for a connection do not stop them either.
    let mut writes = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let db = broker.db.clone();
        writes.spawn(async move { db.run("DELETE FROM piton_task_queues", ()).await });
        tokio::task::yield_now().await;
    }
    let worker = broker.worker().await;
    broker.enqueue(&[new_task("a")], None).await.unwrap();
    let settlements = broker.claim_all(worker).await;
    assert_eq!(settlements.len(), 1);
    assert!(broker.settle(worker, settlements).await.unwrap().fenced.is_empty());
    assert_eq!(broker.renew(worker, LEASE).await.unwrap(), Some(Vec::new()));
    assert!(writes.try_join_next().is_none(), "the writes still wait");
}

#[tokio::test]
async fn a_lease_begins_after_the_wait_for_other_writers() {
    let broker = fixture().await;
    let renewed = broker.worker().await;
    let writer = broker.db.begin().await.unwrap();
    let info = WorkerInfo { name: "w".into(), queues: queue(), concurrency: 1, started_at_ms: 0 };
    let mut calls = std::pin::pin!(async {
        tokio::join!(broker.renew(renewed, LEASE), broker.register(&info, LEASE))
    });
    assert!((&mut calls).now_or_never().is_none());
    broker.clock.advance(2 * LEASE);
    writer.rollback().await.unwrap();
    let (renewal, registered) = calls.await;
    assert!(renewal.unwrap().is_some());
    broker.release_lost().await.unwrap();
    for worker in [renewed, registered.unwrap()] {
        assert!(broker.renew(worker, LEASE).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_full_disk_refuses_tasks_as_a_whole_until_there_is_space() {
    let broker = fixture().await;
    let message = "x".repeat(10_000);
    let task = |id: u32| NewTask { message: message.clone(), ..new_task(&id.to_string()) };
    broker.limit_pages(8).await;
    let tasks: Vec<_> = (0..10).map(task).collect();
    let error = broker.enqueue(&tasks, None).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{error:?}");
    assert!(broker.stored().await.is_empty());
    broker.limit_pages(1000).await;
    broker.enqueue(&tasks, None).await.unwrap();
    assert_eq!(broker.stored().await.len(), 10);
}

#[tokio::test]
async fn a_full_disk_keeps_tasks_claimed_that_cannot_be_settled() {
    let broker = fixture().await;
    broker.enqueue(&[new_task("a")], None).await.unwrap();
    let worker = broker.worker().await;
    let mut settlements = broker.claim_all(worker).await;
    let Outcome::Finished(Some(result)) = &mut settlements[0].outcome else { unreachable!() };
    result.result = format!("{:?}", "x".repeat(100_000));
    broker.limit_pages(2).await;
    let error = broker.settle(worker, settlements.clone()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{error:?}");
    let state = |task: Option<TaskRecord>| task.unwrap().state;
    assert_eq!(state(broker.task("a").await.unwrap()), TaskState::Running);
    broker.limit_pages(1000).await;
    assert!(broker.settle(worker, settlements).await.unwrap().fenced.is_empty());
    assert_eq!(state(broker.task("a").await.unwrap()), TaskState::Succeeded);
}

#[tokio::test]
async fn an_idle_worker_writes_nothing() {
    let broker = fixture().await;
    let worker = broker.worker().await;
    let later = NewTask { due_at_ms: Some(i64::MAX), ..new_task("later") };
    broker.enqueue(&[later], None).await.unwrap();
    let mut watcher = broker.db.sqlite_pool().unwrap().acquire().await.unwrap();
    let mut version = async || -> i64 {
        let rows = fetch(&mut watcher, "PRAGMA data_version", no_arguments()).await.unwrap();
        sqlx::Row::get(&rows[0], 0)
    };
    let before = version().await;
    for _ in 0..5 {
        let batch = broker.claim(worker, &queue(), 10).await.unwrap();
        assert_eq!(batch.next_due_at_ms, Some(i64::MAX));
        assert_eq!(broker.release_lost().await.unwrap(), 0);
        assert_eq!(broker.expire_results(LEASE, LEASE).await.unwrap(), 0);
    }
    assert_eq!(version().await, before);
    broker.renew(worker, LEASE).await.unwrap();
    assert_ne!(version().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_go_on_in_a_log_that_was_created_again() {
    let broker = fixture().await;
    broker.enqueue(&[new_task("before")], None).await.unwrap();
    let (trigger, stop) = Stop::new();
    let watch = tokio::spawn({
        let db = broker.db.clone();
        async move { Part::run(&db, stop).await }
    });
    for suffix in ["-wal", "-shm"] {
        std::fs::remove_file(broker.folder.path().join(format!("test.db{suffix}"))).unwrap();
    }
    test_support::wait_for("a log that takes tasks", || async {
        // A duplicate was stored by an attempt whose outcome was not known.
        match broker.enqueue(&[new_task("after")], None).await {
            Ok(()) => true,
            Err(error) => error.kind() == Kind::Duplicate,
        }
    })
    .await;
    let worker = broker.worker().await;
    assert_eq!(broker.claim_all(worker).await.len(), 2);
    trigger.stop();
    watch.await.unwrap();
}

#[tokio::test]
async fn two_processes_may_prepare_a_new_file_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let settings = DbSettings::default();
    let brokers = [open(&settings, &folder).await, open(&settings, &folder).await];
    let [(_a, first), (_b, second)] = &brokers;
    let (first, second) = tokio::join!(first.prepare(), second.prepare());
    first.unwrap();
    second.unwrap();
}

#[tokio::test]
async fn claims_read_indices_and_never_all_tasks() {
    let broker = fixture().await;
    let mut connection = broker.engine.internal().connection().await.unwrap();
    for (sql, parameters) in claim::statements() {
        let values = arguments(vec!["[\"q\"]".into(); parameters]);
        let plan = fetch(&mut connection, &format!("EXPLAIN QUERY PLAN {sql}"), values).await;
        let steps: Vec<String> = plan.unwrap().iter().map(|row| sqlx::Row::get(row, 3)).collect();
        let scans = steps.iter().filter(|step| step.starts_with("SCAN piton_task"));
        assert_eq!(scans.count(), 0, "{sql}: {steps:#?}");
        assert!(steps.iter().any(|step| step.contains(" USING ")), "{steps:#?}");
    }
}

/// Returns the ids of tasks that are ready and not claimed, or the other way round, or neither and wait for their time.
/// Panics if one is two of that.
async fn places(broker: &Fixture) -> [Vec<String>; 3] {
    let sql = "SELECT id, state, EXISTS (SELECT 1 FROM piton_task_ready r \
            WHERE r.queue = t.queue AND r.priority = t.priority AND r.key = t.key), \
            EXISTS (SELECT 1 FROM piton_task_claims c WHERE c.key = t.key) FROM piton_tasks t ORDER BY key";
    let mut connection = broker.engine.internal().connection().await.unwrap();
    let rows = fetch(&mut connection, sql, no_arguments()).await.unwrap();
    let mut places = [const { Vec::new() }; 3];
    for row in &rows {
        let place = [(0, true, false), (0, false, true), (1, false, false)];
        let of: (i64, bool, bool) = sqlx::Row::try_get(row, 1)
            .and_then(|state| Ok((state, sqlx::Row::try_get(row, 2)?, sqlx::Row::try_get(row, 3)?)))
            .unwrap();
        let place = place.iter().position(|place| *place == of);
        places[place.unwrap_or_else(|| panic!("{of:?}"))].push(sqlx::Row::get(row, 0));
    }
    for (table, stored) in ["piton_task_ready", "piton_task_claims"].iter().zip(&places) {
        let sql = format!("SELECT count(*) FROM {table}");
        let rows = fetch(&mut connection, &sql, no_arguments()).await.unwrap();
        let count: i64 = sqlx::Row::get(&rows[0], 0);
        assert_eq!(usize::try_from(count), Ok(stored.len()), "{table}");
    }
    places
}

#[tokio::test]
async fn a_task_is_ready_or_claimed_or_scheduled_whatever_is_done_with_it() {
    let broker = fixture().await;
    let tasks: Vec<_> = ["a", "b", "c", "d", "e", "f"].map(new_task).into();
    broker.enqueue(&tasks, None).await.unwrap();
    let [worker, lost] = [broker.worker().await, broker.worker().await];
    let mut settlements = broker.claim_all(worker).await;
    let later = NewTask { due_at_ms: Some(i64::MAX), ..new_task("later") };
    let due = NewTask { due_at_ms: Some(1), ..new_task("due") };
    broker.enqueue(&[later, due, new_task("g"), new_task("h")], None).await.unwrap();
    let claimed = ["a", "b", "c", "d", "e", "f"].map(str::to_owned);
    assert_eq!(
        places(&broker).await,
        [vec!["g".into(), "h".into()], claimed.into(), vec!["later".to_owned(), "due".into()]]
    );

    settlements[1].outcome = Outcome::Released;
    let retries = Outcome::Rescheduled { due_at_ms: i64::MAX, retries: 1, error: None };
    settlements[2].outcome = retries;
    broker.settle(worker, settlements.drain(..3).collect()).await.unwrap();
    // The one that is due is made ready by the claim.
    assert_eq!(broker.claim_all(lost).await.len(), 4);
    let ids = |ids: &[&str]| TaskFilter {
        ids: ids.iter().copied().map(Into::into).collect(),
        ..TaskFilter::default()
    };
    assert_eq!(broker.revoke(&ids(&["d", "g", "later"])).await.unwrap(), 3);
    assert_eq!(broker.unregister(lost).await.unwrap(), ());
    let [ready, claimed, scheduled] = places(&broker).await;
    assert_eq!(ready, ["b", "due", "h"]);
    assert_eq!(
        (claimed.as_slice(), scheduled.as_slice()),
        (["d", "e", "f"].map(str::to_owned).as_slice(), ["c".to_owned()].as_slice())
    );

    broker.db.run("UPDATE piton_tasks SET priority = 300 WHERE id = 'h'", ()).await.unwrap();
    assert_eq!(broker.purge(&ids(&["b", "c", "e"])).await.unwrap(), 2);
    broker.settle(worker, settlements).await.unwrap();
    assert_eq!(broker.retry(&ids(&["g"])).await.unwrap(), 1);
    assert_eq!(
        places(&broker).await,
        [vec!["due".to_owned(), "h".into(), "g".into()], vec![], vec![]]
    );
    assert_eq!(broker.claim_all(worker).await.len(), 3);
    assert_eq!(places(&broker).await[1].len(), 3);
}

#[tokio::test]
async fn claims_of_a_worker_that_is_not_registered_are_released() {
    let broker = fixture().await;
    broker.enqueue(&[new_task("a")], None).await.unwrap();
    let worker = broker.worker().await;
    assert_eq!(broker.claim_all(worker).await.len(), 1);
    broker.db.run("DELETE FROM piton_task_workers", ()).await.unwrap();
    assert_eq!(broker.release_lost().await.unwrap(), 1);
    assert_eq!(places(&broker).await[0], ["a"]);
}
