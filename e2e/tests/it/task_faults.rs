//! Faults of the database and of workers: afterwards tasks run at the rate of before, without any help, and none is
//! lost.
//!
//! The tasks sleep, and their pauses differ, so that the rate is that of the slots and the same in each window, however
//! busy the machine is.

use std::path::Path;
use std::time::Duration;

use piton::db::sqlx::{Connection as _, SqliteConnection, query, query_scalar};
use serde_json::Value;
use test_support::http_client;
use test_support::postgres::Postgres;
use test_support::service::Service;
use test_support::{wait_for, wait_for_within};
use tokio::time::{Instant, sleep};

use crate::small_disk::SmallDisk;
use crate::tasks::{Shared, postgres, sqlite, wait_until_done};

/// Tasks that run at the same time.
const CONCURRENCY: u64 = 80;
const CONCURRENCY_SETTING: &str = "tasks.concurrency=80";

/// The pauses of tasks are from this to twice as long, with a mean of 0.4 s: 200 tasks a second, of which a busy
/// machine that needs 8 ms more for each loses 2 %.
const PAUSES: &str = "pause_ms=267&spread_ms=266";

/// Tasks that end in a second if nothing but their pauses takes time.
const IDEAL_RATE: u64 = 200;

/// The share of the rate before a fault that is reached after it.
const MIN_SHARE: f64 = 0.98;

/// Maximum time from the end of a fault to the window with that rate.
const MAX_RECOVERY: Duration = Duration::from_secs(90);

/// Interval in which the numbers of tasks are read while a test waits.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Tasks that are sent at once. They are stored in one transaction: all of them, or none.
const BATCH: u64 = 200;

/// The size of a test.
#[derive(Clone, Copy)]
struct Scale {
    /// Duration over which a rate is measured.
    window: Duration,
    /// Number of tasks that wait when the fault begins.
    backlog: u64,
}

const SHORT: Scale = Scale { window: Duration::from_millis(1500), backlog: 1000 };
const LONG: Scale = Scale { window: Duration::from_secs(3), backlog: 4000 };

/// A service at work: a process that takes requests, and a worker.
struct Load {
    scale: Scale,
    shared: Shared,
    settings: &'static [&'static str],
    front: Service,
    worker: Option<Service>,
    sent: u64,
}

impl Load {
    async fn start(scale: Scale, shared: Shared) -> Self {
        Self::start_with(scale, shared, &[CONCURRENCY_SETTING]).await
    }

    /// Starts the service. The settings are those of its worker.
    async fn start_with(scale: Scale, shared: Shared, settings: &'static [&str]) -> Self {
        let front = shared.front().await;
        let mut load = Self { scale, shared, settings, front, worker: None, sent: 0 };
        load.fill_up(scale.backlog).await;
        load.start_worker().await;
        load
    }

    async fn start_worker(&mut self) {
        self.worker = Some(self.shared.worker_with(self.settings).await);
    }

    /// Kills the worker, and starts it again as a supervisor does.
    async fn kill_worker(&mut self) {
        let worker = self.worker.take().unwrap();
        worker.signal("KILL").await;
        worker.ended().await;
        self.start_worker().await;
    }

    /// Sends tasks until so many are left.
    async fn fill_up(&mut self, backlog: u64) {
        let mut left = self.number("left").await;
        while left < backlog {
            let path = format!("/send?first={}&count={BATCH}&{PAUSES}", self.sent);
            // Sent again with the same numbers, because a fault may have refused them.
            wait_for("tasks to be sent", || async { post(&self.front, &path).await == 200 }).await;
            self.sent += BATCH;
            left += BATCH;
        }
    }

    /// Returns one of the numbers of `/counts`, as soon as they can be read.
    async fn number(&self, name: &str) -> u64 {
        let begin = Instant::now();
        loop {
            if let Some(counts) = read_counts(&self.front).await {
                return counts[name].as_u64().unwrap();
            }
            assert!(begin.elapsed() < MAX_RECOVERY, "the numbers of tasks cannot be read");
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Waits until so many tasks more have run.
    async fn wait_for_runs(&self, more: u64) {
        let before = self.number("runs").await;
        wait_for_within("tasks to run", MAX_RECOVERY, || async {
            self.number("runs").await >= before + more
        })
        .await;
    }

    /// Returns the number of tasks that run in a second. The backlog is large enough for the time.
    async fn rate(&mut self) -> f64 {
        let seconds = self.scale.window.as_secs() + 2;
        self.fill_up(seconds * IDEAL_RATE + 4 * CONCURRENCY).await;
        // Those that a fault has held up end together, which is no rate.
        self.wait_for_runs(4 * CONCURRENCY).await;
        let (before, begin) = (self.number("runs").await, Instant::now());
        sleep(self.scale.window).await;
        let (after, end) = (self.number("runs").await, Instant::now());
        (after - before) as f64 / (end - begin).as_secs_f64()
    }

    /// Waits until a fault has kept all tasks from ending for a second.
    async fn wait_for_standstill(&self) {
        let begin = Instant::now();
        let (mut runs, mut changed) = (self.number("runs").await, Instant::now());
        while changed.elapsed() < Duration::from_secs(1) {
            assert!(begin.elapsed() < MAX_RECOVERY, "the fault does not stop the tasks");
            sleep(POLL_INTERVAL).await;
            let now = self.number("runs").await;
            if now != runs {
                (runs, changed) = (now, Instant::now());
            }
        }
        assert_ne!(self.number("left").await, 0, "no task was left for the fault to stop");
    }
}

/// Returns the numbers of tasks, unless a fault keeps the front process from reading them.
async fn read_counts(front: &Service) -> Option<Value> {
    let response = http_client::get(front.port, "/counts").await.ok()?;
    (response.status == 200).then(|| response.json())
}

/// Returns the status of the response.
async fn post(front: &Service, path: &str) -> u16 {
    let mut connection = http_client::Connection::open(front.port).await.unwrap();
    connection.request("POST", path, "").await.unwrap().status
}

/// Measures the rate, causes the fault, and waits until the rate is back. Then all tasks run.
async fn the_rate_comes_back(mut load: Load, fault: impl AsyncFnOnce(&mut Load)) {
    let before = load.rate().await;
    let least = IDEAL_RATE as f64 / 2.0;
    assert!(before > least, "{before:.1} tasks/s before the fault: the machine is too busy");
    let begin = Instant::now();
    fault(&mut load).await;
    let end = Instant::now();
    let mut rates = Vec::new();
    let recovery = loop {
        let rate = load.rate().await;
        rates.push(rate.round());
        if rate >= MIN_SHARE * before {
            break end.elapsed() - load.scale.window;
        }
        assert!(end.elapsed() < MAX_RECOVERY, "{before:.1} tasks/s before, then {rates:?}");
    };
    let ended = wait_until_done(&load.front).await;
    println!(
        "{before:.1} tasks/s, then {:.1} s of a fault, then {rates:?} tasks/s, back within {:.1} s: {ended}",
        (end - begin).as_secs_f64(),
        recovery.as_secs_f64(),
    );
    assert_eq!((&ended["distinct"], &ended["failed"]), (&load.sent.into(), &0.into()), "{ended}");
}

async fn the_rate_comes_back_after_a_restart_of_postgres(scale: Scale) {
    let mut server = Postgres::start();
    let load = Load::start(scale, Shared::at_url(&server.create_database())).await;
    the_rate_comes_back(load, async |_| {
        server.stop();
        sleep(Duration::from_secs(2)).await;
        server.start_again();
    })
    .await;
}

#[tokio::test]
async fn tasks_run_as_fast_after_a_restart_of_postgres() {
    the_rate_comes_back_after_a_restart_of_postgres(SHORT).await;
}

#[tokio::test]
#[ignore = "cargo xtask chaos --only tasks"]
async fn tasks_run_as_fast_after_a_restart_of_postgres_with_a_long_backlog() {
    the_rate_comes_back_after_a_restart_of_postgres(LONG).await;
}

#[tokio::test]
#[ignore = "cargo xtask chaos --only tasks"]
async fn tasks_run_as_fast_after_all_backends_of_postgres_were_killed_five_times() {
    let server = Postgres::start();
    let load = Load::start(LONG, Shared::at_url(&server.create_database())).await;
    the_rate_comes_back(load, async |load| {
        for _ in 0..5 {
            load.wait_for_runs(20).await;
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
            );
        }
    })
    .await;
}

/// Connects to the file from this process, which is another one than those of the service.
async fn connect(file: &Path) -> SqliteConnection {
    SqliteConnection::connect(&format!("sqlite:{}", file.display())).await.unwrap()
}

/// Another process writes to the file for so long.
async fn the_rate_comes_back_after_a_lock(
    scale: Scale,
    settings: &'static [&'static str],
    lock: Duration,
) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tasks.db");
    let load = Load::start_with(scale, Shared::in_file(&file), settings).await;
    the_rate_comes_back(load, async |load| {
        let mut other = connect(&file).await;
        query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
        let begin = Instant::now();
        load.wait_for_standstill().await;
        tokio::time::sleep_until(begin + lock).await;
        query("ROLLBACK").execute(&mut other).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn tasks_run_as_fast_after_another_process_has_locked_the_file_of_sqlite() {
    let settings = &[CONCURRENCY_SETTING, "db.busy_timeout=1s"];
    the_rate_comes_back_after_a_lock(SHORT, settings, Duration::from_secs(2)).await;
}

#[tokio::test]
#[ignore = "cargo xtask chaos --only tasks"]
async fn tasks_run_as_fast_after_a_lock_of_sqlite_that_is_longer_than_the_usual_timeouts() {
    // Longer than `db.busy_timeout` and `db.acquire_timeout`, and than the lease.
    the_rate_comes_back_after_a_lock(LONG, &[CONCURRENCY_SETTING], Duration::from_secs(7)).await;
}

/// Frees the space that the log has on the disk: it would be enough for a while.
async fn truncate_log(file: &Path) {
    let mut connection = connect(file).await;
    let begin = Instant::now();
    // The first column is not 0 if another process used the log.
    while query_scalar::<_, i64>("PRAGMA wal_checkpoint(TRUNCATE)")
        .fetch_one(&mut connection)
        .await
        .unwrap()
        != 0
    {
        assert!(begin.elapsed() < MAX_RECOVERY, "the log is always in use");
    }
}

#[tokio::test]
#[ignore = "cargo xtask chaos --only tasks"]
async fn tasks_run_as_fast_after_the_disk_of_sqlite_was_full() {
    let disk = SmallDisk::mount(64 << 20);
    let file = disk.path().join("tasks.db");
    let load = Load::start(LONG, Shared::in_file(&file)).await;
    the_rate_comes_back(load, async |load| {
        truncate_log(&file).await;
        disk.fill();
        load.wait_for_standstill().await;
        sleep(Duration::from_secs(3)).await;
        disk.free();
    })
    .await;
}

/// A task of the worker uses all connections of its pool for longer than others wait for one.
async fn the_rate_comes_back_after_an_exhausted_pool(shared: Shared) {
    let load = Load::start(LONG, shared).await;
    the_rate_comes_back(load, async |load| {
        assert_eq!(post(&load.front, "/hold?pause_ms=7000").await, 200);
        load.wait_for_standstill().await;
        wait_for("the connections to be free", || async { load.number("held").await == 1 }).await;
    })
    .await;
}

#[tokio::test]
#[ignore = "cargo xtask chaos --only tasks"]
async fn tasks_run_as_fast_after_an_exhausted_pool_on_sqlite() {
    the_rate_comes_back_after_an_exhausted_pool(sqlite()).await;
}

#[tokio::test]
#[ignore = "cargo xtask chaos --only tasks"]
async fn tasks_run_as_fast_after_an_exhausted_pool_on_postgres() {
    the_rate_comes_back_after_an_exhausted_pool(postgres()).await;
}

/// The worker is killed so often, and each time started again.
async fn the_rate_comes_back_after_kills(shared: Shared, kills: u32) {
    let load = Load::start(LONG, shared).await;
    the_rate_comes_back(load, async |load| {
        for _ in 0..kills {
            load.wait_for_runs(20).await;
            load.kill_worker().await;
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "cargo xtask chaos --only tasks"]
async fn tasks_run_as_fast_after_a_killed_worker_on_sqlite() {
    the_rate_comes_back_after_kills(sqlite(), 1).await;
}

#[tokio::test]
#[ignore = "cargo xtask chaos --only tasks"]
async fn tasks_run_as_fast_after_a_killed_worker_on_postgres() {
    the_rate_comes_back_after_kills(postgres(), 1).await;
}

#[tokio::test]
#[ignore = "cargo xtask chaos --only tasks"]
async fn tasks_run_as_fast_after_five_killed_workers_on_sqlite() {
    the_rate_comes_back_after_kills(sqlite(), 5).await;
}

#[tokio::test]
#[ignore = "cargo xtask chaos --only tasks"]
async fn tasks_run_as_fast_after_five_killed_workers_on_postgres() {
    the_rate_comes_back_after_kills(postgres(), 5).await;
}
