//! Workers on Redis that are killed, next to Celery's, and a server that is restarted: no task is lost.

use std::time::Duration;

use serde_json::Value;
use test_support::python::PythonProgram;
use test_support::redis::Redis;
use test_support::service::Service;
use test_support::{free_port, http_client, wait_for, wait_for_within};
use tokio::time::Instant;

use crate::tasks::{PROGRAM, send};

/// Maximum time without any progress.
const MAX_STANDSTILL: Duration = Duration::from_secs(60);

/// A Redis server, and the database in which the tasks leave a trace of their runs.
struct Shared {
    redis: Redis,
    folder: tempfile::TempDir,
}

impl Shared {
    fn start() -> Self {
        // Kept on disk, so that a restart loses nothing.
        let redis = Redis::start_with(&["--appendonly", "yes", "--appendfsync", "always"]);
        Self { redis, folder: tempfile::tempdir().unwrap() }
    }

    fn settings(&self) -> Vec<String> {
        vec![
            "tasks.broker=redis".to_owned(),
            format!("tasks.redis.url={}", self.redis.url()),
            // The same as that of Celery's workers.
            "tasks.redis.visibility_timeout=10s".to_owned(),
            "tasks.lease=3s".to_owned(),
            format!("db.path={}", self.folder.path().join("runs.db").display()),
        ]
    }

    async fn start_service(&self, verb: &[&str], port: u16, more: &[String]) -> Service {
        let settings = [self.settings(), more.to_vec()].concat();
        let settings = settings.iter().flat_map(|setting| ["--set", setting.as_str()]);
        let arguments: Vec<&str> = verb.iter().copied().chain(settings).collect();
        Service::start(PROGRAM, port, &arguments).await
    }

    async fn front(&self) -> Service {
        let off = ["tasks.worker=off".to_owned(), "http.timeout=2m".to_owned()];
        self.start_service(&[], free_port(), &off).await
    }

    async fn worker(&self) -> Service {
        let port = free_port();
        let own = [format!("admin.address=127.0.0.1:{port}")];
        self.start_service(&["worker"], port, &own).await
    }

    /// Returns the number of tasks that have not ended.
    fn left(&self) -> u64 {
        let number = |command: &[&str]| self.redis.command(command).trim().parse::<u64>().unwrap();
        let lists = ["celery", "celery\x06\x163", "celery\x06\x166", "celery\x06\x169"];
        lists.iter().map(|list| number(&["LLEN", list])).sum::<u64>() + number(&["HLEN", "unacked"])
    }

    /// Returns the number of tasks of the load that have a result in a state.
    fn results(&self, status: &str) -> u64 {
        let count = "local found = 0 for _, key in ipairs(redis.call('KEYS', 'celery-task-meta-*')) do \
                     local record = redis.call('GET', key) \
                     if string.find(record, ARGV[1], 1, true) and string.find(record, 'tasks.work', 1, true) then \
                     found = found + 1 end end return found";
        let status = format!("\"status\":\"{status}\"");
        self.redis.command(&["EVAL", count, "0", &status]).trim().parse().unwrap()
    }

    /// Waits until every task has ended, as long as some do.
    async fn wait_until_done(&self) {
        let (mut last, mut changed) = (u64::MAX, Instant::now());
        loop {
            let left = self.left();
            if left == 0 {
                return;
            }
            if left != last {
                (last, changed) = (left, Instant::now());
            }
            assert!(
                changed.elapsed() < MAX_STANDSTILL,
                "nothing has ended for a minute: {left} left"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn runs(front: &Service) -> Value {
    let response = http_client::get(front.port, "/runs").await.unwrap();
    assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
    response.json()
}

async fn wait_for_runs(front: &Service, more: u64) {
    let before = runs(front).await["runs"].as_u64().unwrap();
    wait_for_within("tasks to run", MAX_STANDSTILL, || async {
        runs(front).await["runs"].as_u64().unwrap() >= before + more
    })
    .await;
}

async fn assert_none_is_lost(shared: &Shared, front: &Service, tasks: u64) {
    shared.wait_until_done().await;
    let runs = runs(front).await;
    println!("{tasks} tasks: {runs}");
    assert_eq!(runs["distinct"], tasks, "{runs}");
    // A loss is no attempt.
    assert_eq!(runs["retried"], 0, "{runs}");
    assert_eq!((shared.results("SUCCESS"), shared.results("FAILURE")), (tasks, 0));
}

/// Kills the worker again and again while tasks run.
async fn killed_workers_lose_nothing(tasks: u64, kills: u32) {
    let shared = Shared::start();
    let front = shared.front().await;
    send(&front, tasks, 5).await;
    let mut worker = shared.worker().await;
    for _ in 0..kills {
        wait_for_runs(&front, 20).await;
        worker.signal("KILL").await;
        worker.ended().await;
        worker = shared.worker().await;
    }
    assert_none_is_lost(&shared, &front, tasks).await;
}

#[tokio::test]
async fn killed_workers_lose_no_task_on_redis() {
    killed_workers_lose_nothing(1_500, 3).await;
}

#[tokio::test]
#[ignore = "cargo xtask chaos --only tasks"]
async fn workers_killed_thirty_times_lose_no_task_on_redis() {
    killed_workers_lose_nothing(15_000, 30).await;
}

/// Stops and starts the server while tasks are sent and run.
async fn restarts_of_redis_lose_nothing(batches: u64, restarts: u32) {
    const BATCH: u64 = 200;
    let mut shared = Shared::start();
    let front = shared.front().await;
    let _worker = shared.worker().await;
    let mut sent = 0;
    for batch in 0..batches {
        let path = format!("/send?first={sent}&count={BATCH}&pause_ms=5");
        wait_for("tasks to be sent", || async {
            let mut connection = http_client::Connection::open(front.port).await.unwrap();
            connection.request("POST", &path, "").await.unwrap().status == 200
        })
        .await;
        sent += BATCH;
        if batch % (batches / u64::from(restarts)) == 0 {
            wait_for_runs(&front, 20).await;
            shared.redis.stop();
            tokio::time::sleep(Duration::from_millis(500)).await;
            shared.redis.start_again();
        }
    }
    assert_none_is_lost(&shared, &front, sent).await;
}

#[tokio::test]
async fn restarts_of_redis_lose_no_task() {
    restarts_of_redis_lose_nothing(6, 2).await;
}

#[tokio::test]
#[ignore = "cargo xtask chaos --only tasks"]
async fn five_restarts_of_redis_lose_no_task() {
    restarts_of_redis_lose_nothing(75, 5).await;
}

/// Kills workers of both languages on one server.
async fn killed_workers_next_to_celery_lose_nothing(tasks: u64, kills: u32) {
    let shared = Shared::start();
    let url = shared.redis.url();
    let options = r#"{"broker_transport_options": {"visibility_timeout": 10}}"#;
    let variables = [
        ("CELERY_BROKER_URL", url.as_str()),
        ("CELERY_RESULT_BACKEND", url.as_str()),
        ("CELERY_OPTIONS", options),
    ];
    let arguments = ["--pool=prefork", "--concurrency=2", "--queues=python", "--hostname=py@test"];
    let start = || PythonProgram::start("celery", "worker.py", &arguments, &variables);
    let front = shared.front().await;
    send(&front, tasks, 5).await;
    let (mut worker, mut python) = (shared.worker().await, start());
    for kill in 0..kills {
        wait_for_runs(&front, 20).await;
        if kill % 2 == 0 {
            worker.signal("KILL").await;
            worker.ended().await;
            worker = shared.worker().await;
        } else {
            python.kill();
            python = start();
        }
    }
    assert_none_is_lost(&shared, &front, tasks).await;
}

#[tokio::test]
async fn killed_workers_next_to_celery_lose_no_task() {
    killed_workers_next_to_celery_lose_nothing(1_500, 4).await;
}

#[tokio::test]
#[ignore = "cargo xtask chaos --only tasks"]
async fn many_killed_workers_next_to_celery_lose_no_task() {
    killed_workers_next_to_celery_lose_nothing(15_000, 30).await;
}
