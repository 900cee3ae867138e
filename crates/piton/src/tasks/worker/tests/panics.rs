//! Panics outside of tasks: those of the worker itself.

use std::time::Duration;

use serde_json::json;

use super::brokers::panicking;
use super::fixture::{Fixture, ONE, SECOND, echo, exception};
use crate::part::Health;
use crate::tasks::Task;
use crate::tasks::brokers::records::TaskState;

/// Panics when it is dropped: after a timeout, that is outside of the task.
struct PanicOnDrop;

impl Drop for PanicOnDrop {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

fn trap() -> Task {
    let trap = Task::new("trap", ONE, |_| async {
        let _panic = PanicOnDrop;
        std::future::pending::<()>().await;
        Ok::<_, crate::tasks::Error>(())
    });
    trap.timeout(SECOND)
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_panics_fails_its_task_and_is_restarted() {
    let mut fixture = Fixture::new().await;
    fixture.settings.concurrency = 1;
    let trapped = fixture.send("trap", vec![]).await;
    let running = fixture.start([trap(), echo()]);
    let record = fixture.until(&trapped, TaskState::Failed).await;
    let why = exception(&record).1;
    assert_eq!(why, "the worker panicked while it had this task: its log says why");
    let Health::Degraded(why) = fixture.state.health(Duration::ZERO) else { panic!("it restarts") };
    assert_eq!(why, "a slot of the worker panicked and is restarted: dropped");
    let next = fixture.send("echo", vec![json!(1)]).await;
    fixture.until(&next, TaskState::Succeeded).await;
    assert_eq!(fixture.state.health(Duration::ZERO), Health::Up);
    assert_eq!(fixture.metrics.restarts.get(), 1);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_panics_gives_its_tasks_back_and_is_restarted() {
    for call in ["claim", "settle", "release_lost"] {
        let fixture = panicking(call).await;
        let id = fixture.send("echo", vec![json!(1)]).await;
        let running = fixture.start([echo()]);
        while fixture.metrics.restarts.get() == 0 {
            tokio::time::sleep(SECOND).await;
        }
        fixture.until(&id, TaskState::Succeeded).await;
        assert_eq!(fixture.broker.workers().await.unwrap().len(), 1, "{call}");
        running.stop().await;
        assert_eq!(fixture.metrics.restarts.get(), 1, "{call}");
    }
}
