//! Celery's beat sends tasks that run in Rust.

use std::collections::BTreeMap;

use serde_json::Value;
use test_support::python::PythonProgram;
use test_support::redis::Redis;
use test_support::service::Service;
use test_support::{free_port, wait_for};

use crate::celery_peers::PROGRAM;

/// Returns the number of successes by their result, as they are stored.
fn results(redis: &Redis) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    for key in redis.command(&["KEYS", "celery-task-meta-*"]).lines() {
        let record: Value = serde_json::from_str(&redis.command(&["GET", key])).unwrap_or_default();
        if record["status"] == "SUCCESS" {
            *found.entry(record["result"].to_string()).or_default() += 1;
        }
    }
    found
}

#[tokio::test]
async fn beat_of_celery_drives_tasks_in_rust() {
    let redis = Redis::start();
    let url = redis.url();
    let setting = format!("tasks.redis.url={url}");
    let arguments = ["--set", setting.as_str(), "--set", "tasks.worker=on"];
    let _service = Service::start(PROGRAM, free_port(), &arguments).await;
    let variables = [("CELERY_BROKER_URL", url.as_str()), ("CELERY_RESULT_BACKEND", url.as_str())];
    let _beat = PythonProgram::start("celery", "beat.py", &["schedule"], &variables);
    // Two runs of an interval are a second apart. The schedule by crontab is due once in this time, or twice at a minute's end.
    wait_for("beat's tasks to run", || {
        let results = results(&redis);
        let count = |result: &str| results.get(result).copied().unwrap_or_default();
        let runs = [count("\"interval\"") >= 2, count("\"crontab\"") >= 1, count("true") >= 2];
        std::future::ready(runs == [true; 3])
    })
    .await;
    let failures = redis.command(&["LLEN", "rust.dead"]);
    assert_eq!(failures, "0");
}
