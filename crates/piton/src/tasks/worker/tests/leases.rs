//! Leases: workers that die, that are cut off, and tasks that are revoked.

use std::time::Duration;

use serde_json::json;

use super::fixture::{Fixture, SECOND, counting, echo, endless, exception, number, runs};
use crate::tasks::brokers::records::{TaskFilter, TaskState};
use crate::tasks::{Ack, TaskRun};

fn all() -> TaskFilter {
    TaskFilter::default()
}

#[tokio::test(start_paused = true)]
async fn tasks_of_a_killed_worker_are_run_by_another_after_the_lease() {
    let fixture = Fixture::new().await;
    let id = fixture.send("task", vec![]).await;
    let (task, count) = counting("task", |run| async move {
        if run == 1 {
            std::future::pending::<()>().await;
        }
        Ok(json!(TaskRun::current().unwrap().is_redelivered()))
    });
    let killed = fixture.start([task.clone()]);
    fixture.until(&id, TaskState::Running).await;
    drop(killed);
    let other = fixture.start([task]);
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(runs(&count), 1, "the lease has not expired by the broker's clock");
    fixture.clock.advance(31 * SECOND);
    let record = fixture.until(&id, TaskState::Succeeded).await;
    assert_eq!((number(&record), record.losses, runs(&count)), (json!(true), 1, 2));
    assert_eq!(fixture.metrics.lost.get(), 1);
    other.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_loses_too_many_workers_fails() {
    let mut fixture = Fixture::new().await;
    fixture.settings.max_losses = 2;
    let id = fixture.send("endless", vec![]).await;
    for _ in 0..3 {
        let killed = fixture.start([endless()]);
        fixture.until(&id, TaskState::Running).await;
        drop(killed);
        fixture.clock.advance(31 * SECOND);
        fixture.broker.release_lost().await.unwrap();
    }
    fixture.drain([endless()]).await;
    let record = fixture.record(&id).await;
    assert_eq!((record.state, exception(&record).0), (TaskState::Failed, "WorkerLostError".into()));
    assert!(record.message.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_acknowledged_early_is_not_started_again_after_its_worker_died() {
    let fixture = Fixture::new().await;
    let (task, count) = counting("once", |_| std::future::pending());
    let task = task.ack(Ack::Early).retries(5);
    let id = fixture.send("once", vec![]).await;
    let killed = fixture.start([task.clone()]);
    fixture.until(&id, TaskState::Running).await;
    drop(killed);
    fixture.clock.advance(31 * SECOND);
    fixture.drain([task]).await;
    let record = fixture.record(&id).await;
    assert_eq!((record.state, exception(&record).0), (TaskState::Failed, "WorkerLostError".into()));
    assert_eq!(runs(&count), 1);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_lost_its_lease_cancels_its_tasks_and_registers_again() {
    let fixture = Fixture::new().await;
    let id = fixture.send("task", vec![]).await;
    let (task, count) = counting("task", |run| async move {
        if run == 1 {
            std::future::pending::<()>().await;
        }
        Ok(json!(run))
    });
    let running = fixture.start([task]);
    fixture.until(&id, TaskState::Running).await;
    // As another worker does that thinks this one is dead.
    fixture.clock.advance(31 * SECOND);
    assert_eq!(fixture.broker.release_lost().await.unwrap(), 1);
    let record = fixture.until(&id, TaskState::Succeeded).await;
    assert_eq!((number(&record), record.losses, runs(&count)), (json!(2), 1, 2));
    assert_eq!(fixture.metrics.running.get(), 0);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_task_longer_than_the_lease_runs_once() {
    let fixture = Fixture::new().await;
    let (task, count) = counting("long", |_| async {
        tokio::time::sleep(300 * SECOND).await;
        Ok(json!(1))
    });
    let id = fixture.send("long", vec![]).await;
    let one = fixture.start([task.clone()]);
    let other = fixture.start([task]);
    while fixture.record(&id).await.state != TaskState::Succeeded {
        // The broker's clock goes as fast as the paused one.
        tokio::time::sleep(SECOND).await;
        fixture.clock.advance(SECOND);
    }
    assert_eq!((runs(&count), fixture.record(&id).await.losses), (1, 0));
    one.stop().await;
    other.stop().await;
}

#[tokio::test(start_paused = true)]
async fn running_tasks_are_cancelled_when_they_are_revoked() {
    let fixture = Fixture::new().await;
    let id = fixture.send("endless", vec![]).await;
    let running = fixture.start([endless(), echo()]);
    fixture.until(&id, TaskState::Running).await;
    let started = tokio::time::Instant::now();
    assert_eq!(fixture.broker.revoke(&all()).await.unwrap(), 1);
    let record = fixture.until(&id, TaskState::Revoked).await;
    assert!(started.elapsed() < 2 * SECOND, "{:?}", started.elapsed());
    assert_eq!(exception(&record).1, "terminated");
    let id = fixture.send("echo", vec![json!(1)]).await;
    fixture.until(&id, TaskState::Succeeded).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_of_slow_tasks_leaves_the_others_to_other_workers() {
    let mut fixture = Fixture::new().await;
    fixture.settings.concurrency = 2;
    for _ in 0..10 {
        fixture.send("slow", vec![]).await;
    }
    let (slow, count) = counting("slow", |_| async {
        tokio::time::sleep(10 * SECOND).await;
        Ok(json!(1))
    });
    let one = fixture.start([slow.clone()]);
    tokio::time::sleep(25 * SECOND).await;
    let stats = fixture.broker.queues().await.unwrap().remove(0);
    assert_eq!((runs(&count), stats.running, stats.queued), (6, 2, 4));
    one.stop().await;
}

#[tokio::test(start_paused = true)]
async fn tasks_claimed_ahead_are_given_back_if_those_before_them_take_long() {
    let mut fixture = Fixture::new().await;
    fixture.settings.concurrency = 1;
    let (task, _) = counting("task", |run| async move {
        if run == 200 {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(Duration::from_micros(100)).await;
        Ok(json!(1))
    });
    for _ in 0..1000 {
        fixture.send("task", vec![]).await;
    }
    let _running = fixture.start([task]);
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let stats = fixture.broker.queues().await.unwrap().remove(0);
        if (stats.running, stats.queued) == (1, 800) {
            break;
        }
    }
}
