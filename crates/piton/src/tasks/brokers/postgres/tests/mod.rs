//! Tests of what is PostgreSQL's alone. What every broker promises is in the contract test.

mod claims;
mod faults;
mod history;
mod wakeups;

use std::time::Instant;

use tempfile::TempDir;

use super::*;
use crate::db::DbSettings;
use crate::part::Part;
use crate::stop_signal::{Stop, Trigger};
use crate::tasks::brokers::records::{ClaimedTask, FinalState, FinishedTask, Outcome};

/// A broker on an empty database.
struct Fixture {
    broker: PostgresBroker,
    db: Db,
    settings: DbSettings,
    _folder: TempDir,
}

impl std::ops::Deref for Fixture {
    type Target = PostgresBroker;

    fn deref(&self) -> &PostgresBroker {
        &self.broker
    }
}

fn settings_of(url: &str) -> DbSettings {
    let url = crate::config::Setting::parse(&serde_json::Value::from(url)).unwrap();
    DbSettings { url: Some(url), ..DbSettings::default() }
}

async fn on(settings: DbSettings) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::for_test(&settings, folder.path()).await.unwrap();
    let broker = PostgresBroker::new(&db, Clock::default()).unwrap();
    broker.prepare().await.unwrap();
    Fixture { broker, db, settings, _folder: folder }
}

async fn fixture() -> Fixture {
    on(settings_of(&test_support::postgres::database())).await
}

fn queue() -> [String; 1] {
    ["q".to_owned()]
}

fn id() -> String {
    let now_ms = chrono::Utc::now().timestamp_millis().unsigned_abs();
    let random = std::array::from_fn(|_| fastrand::u8(..));
    uuid::Builder::from_unix_timestamp_millis(now_ms, &random).into_uuid().to_string()
}

fn task() -> NewTask {
    NewTask {
        id: id(),
        name: "name".into(),
        queue: "q".into(),
        priority: 0,
        created_at_ms: chrono::Utc::now().timestamp_millis(),
        due_at_ms: None,
        expires_at_ms: None,
        retries: 0,
        parent_id: None,
        group: None,
        ignore_result: false,
        message: "{}".into(),
    }
}

fn tasks(number: usize) -> Vec<NewTask> {
    std::iter::repeat_with(task).take(number).collect()
}

fn info() -> WorkerInfo {
    WorkerInfo { name: "w".into(), queues: queue().to_vec(), concurrency: 1, started_at_ms: 0 }
}

async fn register(broker: &PostgresBroker) -> WorkerId {
    broker.register(&info(), Duration::from_secs(60)).await.unwrap()
}

fn succeeded(task: &ClaimedTask) -> Settlement {
    let finished = FinishedTask {
        state: FinalState::Success,
        result: "null".into(),
        traceback: None,
        started_at_ms: Some(1),
        finished_at_ms: chrono::Utc::now().timestamp_millis(),
        keep_message: false,
    };
    Settlement {
        key: task.key,
        id: task.id.clone(),
        outcome: Outcome::Finished(Some(finished)),
        follow_ups: Vec::new(),
        groups: Vec::new(),
        abandoned: Vec::new(),
    }
}

async fn count(db: &Db, table: &str) -> i64 {
    let sql = match table {
        "tasks" => "SELECT count(*) FROM piton_tasks",
        _ => "SELECT count(*) FROM piton_task_results",
    };
    db.scalar(sql, ()).await.unwrap()
}

/// Waits until a condition holds.
async fn wait(mut condition: impl AsyncFnMut() -> bool) {
    let until_it_holds = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), until_it_holds).await.expect("it comes to hold");
}

/// Watches the server, as a running service does, until it is dropped.
fn watch(db: &Db) -> Trigger {
    let (trigger, stop) = Stop::new();
    let db = db.clone();
    tokio::spawn(async move { Part::run(&db, stop).await });
    trigger
}
