//! Schedules through their attribute. In a module of their own, because every app of a module has its schedules.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use piton::prelude::*;
use piton::serde_json::Value;
use piton::tasks::TaskRun;
use piton::testing::TestApp;

static TICKS: AtomicU32 = AtomicU32::new(0);

#[cron("*/5 * * * *", name = "it.often", timezone = "Europe/Berlin")]
async fn often(run: TaskRun) -> task::Result<String> {
    TICKS.fetch_add(1, Ordering::Relaxed);
    Ok(run.header("cron_tick").and_then(Value::as_str).unwrap_or_default().to_owned())
}

#[piton::test]
async fn a_schedule_sends_its_task_once_per_tick() {
    let app = App::new("it::schedules").set("log.level", "critical");
    let app = TestApp::new(app).await;
    app.run_tasks().await;
    let before = TICKS.load(Ordering::Relaxed);
    // A second after the next tick: a tick of some minutes ago would count as missed.
    let since_tick = piton::chrono::Utc::now().timestamp().unsigned_abs() % 300;
    app.advance_task_clock(Duration::from_secs(301 - since_tick));
    let ran = app.run_tasks().await;
    assert_eq!(ran.len(), 1, "{ran:?}");
    assert!(ran[0].result.as_ref().unwrap().as_str().unwrap().ends_with(":00Z"));
    assert!(app.run_tasks().await.is_empty());
    assert_eq!(TICKS.load(Ordering::Relaxed), before + 1);
}
