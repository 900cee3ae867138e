//! The stop of a worker.

use std::time::Duration;

use serde_json::json;

use super::fixture::{Fixture, SECOND, counting, endless, exception, number, runs};
use crate::tasks::brokers::records::TaskState;
use crate::tasks::{Ack, Error, TaskRun};

#[tokio::test(start_paused = true)]
async fn running_tasks_end_and_others_are_given_back() {
    let mut fixture = Fixture::new().await;
    fixture.settings.concurrency = 1;
    let (task, _) = counting("task", |_| async {
        tokio::time::sleep(5 * SECOND).await;
        Ok(json!("ended"))
    });
    let first = fixture.send("task", vec![]).await;
    let second = fixture.send("task", vec![]).await;
    let running = fixture.start([task]);
    fixture.until(&first, TaskState::Running).await;
    running.stop().await;
    assert_eq!(number(&fixture.record(&first).await), json!("ended"));
    let record = fixture.record(&second).await;
    assert_eq!((record.state, record.losses), (TaskState::Queued, 0));
}

#[tokio::test(start_paused = true)]
async fn tasks_that_do_not_end_in_time_are_cancelled_and_lose_no_attempt() {
    let fixture = Fixture::new().await;
    let id = fixture.send("endless", vec![]).await;
    let once = fixture.send("once", vec![]).await;
    let (task, _) = counting("once", |_| std::future::pending());
    let running = fixture.start([endless(), task.ack(Ack::Early)]);
    fixture.until(&id, TaskState::Running).await;
    fixture.until(&once, TaskState::Running).await;
    let started = tokio::time::Instant::now();
    running.stop().await;
    let time = started.elapsed();
    assert!(time >= 8 * SECOND && time < 10 * SECOND, "{time:?}");
    let record = fixture.record(&id).await;
    assert_eq!((record.state, record.losses, record.retries), (TaskState::Queued, 0, 0));
    let record = fixture.record(&once).await;
    assert_eq!((record.state, exception(&record).0), (TaskState::Failed, "WorkerLostError".into()));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_listens_puts_itself_off_when_the_worker_stops() {
    let fixture = Fixture::new().await;
    let (task, count) = counting("polite", |_| async {
        TaskRun::current().unwrap().stopping().await;
        Err(Error::snooze(Duration::ZERO))
    });
    let id = fixture.send("polite", vec![]).await;
    let running = fixture.start([task]);
    fixture.until(&id, TaskState::Running).await;
    let started = tokio::time::Instant::now();
    running.stop().await;
    assert!(started.elapsed() < SECOND);
    assert_eq!((fixture.record(&id).await.state, runs(&count)), (TaskState::Queued, 1));
}
