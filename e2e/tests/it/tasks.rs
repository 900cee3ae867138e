//! Workers that are killed, restarted and cut off: no task is lost, and none fails for it.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use test_support::service::Service;
use test_support::{free_port, http_client};

pub(crate) const PROGRAM: &str = "examples/tasks";

/// The database that all processes of a test share.
pub(crate) struct Shared {
    pub(crate) setting: String,
    _folder: Option<tempfile::TempDir>,
}

pub(crate) fn sqlite() -> Shared {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tasks.db");
    Shared { _folder: Some(folder), ..Shared::in_file(&file) }
}

pub(crate) fn postgres() -> Shared {
    Shared::at_url(&test_support::postgres::database())
}

impl Shared {
    pub(crate) fn in_file(path: &Path) -> Self {
        Self { setting: format!("db.path={}", path.display()), _folder: None }
    }

    pub(crate) fn at_url(url: &str) -> Self {
        Self { setting: format!("db.url={url}"), _folder: None }
    }

    /// Starts the process that takes requests, and runs no task.
    pub(crate) async fn front(&self) -> Service {
        let off = ["--set", &self.setting, "--set", "tasks.worker=off", "--set", "http.timeout=2m"];
        Service::start(PROGRAM, free_port(), &off).await
    }

    pub(crate) async fn worker(&self) -> Service {
        self.worker_with(&[]).await
    }

    /// Starts a worker with more settings. Its admin address is where the test asks whether it is ready.
    pub(crate) async fn worker_with(&self, settings: &[&str]) -> Service {
        let port = free_port();
        let admin = format!("admin.address=127.0.0.1:{port}");
        let own = [self.setting.as_str(), &admin, "tasks.lease=3s"];
        let set = own.iter().chain(settings).flat_map(|setting| ["--set", setting]);
        let arguments: Vec<&str> = std::iter::once("worker").chain(set).collect();
        Service::start(PROGRAM, port, &arguments).await
    }
}

async fn counts(front: &Service) -> Value {
    let response = http_client::get(front.port, "/counts").await.unwrap();
    assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
    serde_json::from_slice(&response.body).unwrap()
}

pub(crate) async fn send(front: &Service, count: u64, pause_ms: u64) {
    let path = format!("/send?count={count}&pause_ms={pause_ms}");
    let mut connection = http_client::Connection::open(front.port).await.unwrap();
    let response = connection.request("POST", &path, "").await.unwrap();
    assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
}

/// Waits until every task has ended, as long as the number of those that are left goes down.
pub(crate) async fn wait_until_done(front: &Service) -> Value {
    let (mut last, mut changed) = (i64::MAX, tokio::time::Instant::now());
    loop {
        let now = counts(front).await;
        let left = now["left"].as_i64().unwrap();
        if left == 0 {
            // Asked again, because the numbers are not of one moment.
            return counts(front).await;
        }
        if left != last {
            (last, changed) = (left, tokio::time::Instant::now());
        }
        assert!(
            changed.elapsed() < Duration::from_secs(60),
            "nothing has ended for a minute: {now}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Kills the worker again and again while tasks run.
async fn killed_workers_lose_nothing(shared: Shared, tasks: u64, kills: u32) {
    let front = shared.front().await;
    send(&front, tasks, 5).await;
    let mut worker = shared.worker().await;
    for _ in 0..kills {
        let before = counts(&front).await["runs"].as_i64().unwrap();
        test_support::wait_for("tasks to run", || async {
            let now = counts(&front).await;
            now["runs"].as_i64().unwrap() > before + 20 || now["left"] == 0
        })
        .await;
        worker.signal("KILL").await;
        worker.ended().await;
        worker = shared.worker().await;
    }
    let ended = wait_until_done(&front).await;
    println!("{tasks} tasks, {kills} kills: {ended}");
    assert_eq!(ended["distinct"], tasks, "{ended}");
    assert_eq!((&ended["succeeded"], &ended["failed"]), (&tasks.into(), &0.into()), "{ended}");
    // A loss is no attempt.
    assert_eq!(ended["retried"], 0, "{ended}");
}

#[tokio::test]
async fn killed_workers_lose_no_task_on_sqlite() {
    killed_workers_lose_nothing(sqlite(), 1_500, 3).await;
}

#[tokio::test]
async fn killed_workers_lose_no_task_on_postgres() {
    killed_workers_lose_nothing(postgres(), 1_500, 3).await;
}

#[tokio::test]
#[ignore = "cargo xtask chaos --only tasks"]
async fn workers_killed_thirty_times_lose_no_task_on_sqlite() {
    killed_workers_lose_nothing(sqlite(), 15_000, 30).await;
}

#[tokio::test]
#[ignore = "cargo xtask chaos --only tasks"]
async fn workers_killed_thirty_times_lose_no_task_on_postgres() {
    killed_workers_lose_nothing(postgres(), 15_000, 30).await;
}

/// Restarts two workers in turn while tasks run, as a deployment does.
async fn restarted_workers_fail_nothing(shared: Shared, rounds: u32) {
    let front = shared.front().await;
    send(&front, 3_000, 20).await;
    let mut workers = vec![shared.worker().await, shared.worker().await];
    for _ in 0..rounds {
        let before = counts(&front).await["runs"].as_i64().unwrap();
        test_support::wait_for("tasks to run", || async {
            let now = counts(&front).await;
            now["runs"].as_i64().unwrap() > before + 50 || now["left"] == 0
        })
        .await;
        let old = workers.remove(0);
        old.signal("TERM").await;
        assert_eq!(old.ended().await.code(), Some(0));
        workers.push(shared.worker().await);
    }
    let ended = wait_until_done(&front).await;
    // What a stopped worker gives back is no loss and no attempt, and runs once.
    for (name, expected) in
        [("runs", 3_000), ("succeeded", 3_000), ("failed", 0), ("retried", 0), ("losses", 0)]
    {
        assert_eq!(ended[name], expected, "{name}: {ended}");
    }
}

#[tokio::test]
async fn restarted_workers_fail_no_task_on_sqlite() {
    restarted_workers_fail_nothing(sqlite(), 4).await;
}

#[tokio::test]
async fn restarted_workers_fail_no_task_on_postgres() {
    restarted_workers_fail_nothing(postgres(), 4).await;
}

async fn a_long_task_runs_once(shared: Shared) {
    let front = shared.front().await;
    let _workers = [shared.worker().await, shared.worker().await];
    // More than twice the lease.
    send(&front, 1, 8_000).await;
    let ended = wait_until_done(&front).await;
    assert_eq!((&ended["runs"], &ended["losses"]), (&1.into(), &0.into()), "{ended}");
}

#[tokio::test]
async fn a_task_longer_than_its_lease_runs_once_on_sqlite() {
    a_long_task_runs_once(sqlite()).await;
}

#[tokio::test]
async fn a_task_longer_than_its_lease_runs_once_on_postgres() {
    a_long_task_runs_once(postgres()).await;
}

/// Runs a schedule of every second in two processes, and counts its ticks.
async fn ticks_run_once(shared: Shared, count: usize) {
    let front = shared.front().await;
    let _workers = [shared.worker().await, shared.worker().await];
    let ticks = || async {
        let response = http_client::get(front.port, "/ticks").await.unwrap();
        serde_json::from_slice::<Vec<String>>(&response.body).unwrap()
    };
    let deadline = tokio::time::Instant::now() + Duration::from_secs(3 * count as u64 + 10);
    loop {
        let all = ticks().await;
        if all.len() > count {
            let seconds =
                |tick: &String| tick.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp();
            let (first, last) = (seconds(&all[0]), seconds(&all[count]));
            assert_eq!(last - first, count as i64, "a tick is missing or doubled: {all:?}");
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{all:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_tick_runs_once_in_two_processes_on_sqlite() {
    ticks_run_once(sqlite(), 5).await;
}

#[tokio::test]
async fn a_tick_runs_once_in_two_processes_on_postgres() {
    ticks_run_once(postgres(), 5).await;
}

#[tokio::test]
#[ignore = "cargo xtask chaos --only tasks"]
async fn fifty_ticks_run_once_each_in_two_processes() {
    tokio::join!(ticks_run_once(sqlite(), 50), ticks_run_once(postgres(), 50));
}
