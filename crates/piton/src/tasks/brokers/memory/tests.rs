//! Claims that only the memory broker makes. What holds for every broker is in its contract test.

use super::*;
use crate::tasks::brokers::TaskAdmin;
use crate::tasks::brokers::records::{FinalState, FinishedTask, Outcome, TaskState};
use crate::tasks::error::Kind;

const LEASE: Duration = Duration::from_secs(30);

fn task(id: &str) -> NewTask {
    NewTask {
        id: id.to_owned(),
        name: "t".to_owned(),
        queue: "q".to_owned(),
        priority: 0,
        created_at_ms: 0,
        due_at_ms: None,
        expires_at_ms: None,
        retries: 0,
        parent_id: None,
        group: None,
        ignore_result: false,
        message: "{}".to_owned(),
    }
}

fn worker() -> WorkerInfo {
    WorkerInfo { name: "w".to_owned(), queues: vec![], concurrency: 1, started_at_ms: 0 }
}

fn success(finished_at_ms: i64) -> Outcome {
    Outcome::Finished(Some(FinishedTask {
        state: FinalState::Success,
        result: "1".to_owned(),
        traceback: None,
        started_at_ms: None,
        finished_at_ms,
        keep_message: false,
    }))
}

#[tokio::test]
async fn more_tasks_than_the_maximum_are_refused_until_some_have_ended() {
    let limits = MemoryLimits { max_tasks: 2, max_bytes: 100, max_results: 1 };
    let broker = MemoryBroker::new(Clock::default(), limits);
    broker.enqueue(&[task("1"), task("2")], None).await.unwrap();
    let error = broker.enqueue(&[task("3")], None).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    let id = broker.register(&worker(), LEASE).await.unwrap();
    let claimed = broker.claim(id, &["q".to_owned()], 10).await.unwrap().tasks;
    for (at, task) in claimed.into_iter().enumerate() {
        let outcome = success(i64::try_from(at).unwrap());
        let settlement = Settlement {
            key: task.key,
            id: task.id,
            outcome,
            follow_ups: Vec::new(),
            groups: Vec::new(),
            abandoned: Vec::new(),
        };
        assert!(broker.settle(id, vec![settlement]).await.unwrap().fenced.is_empty());
    }
    broker.enqueue(&[task("3"), task("4")], None).await.unwrap();
    assert!(broker.task("1").await.unwrap().is_none(), "the oldest result made room");
    assert_eq!(broker.task("2").await.unwrap().unwrap().state, TaskState::Succeeded);
}

#[tokio::test]
async fn messages_that_are_too_large_together_are_refused() {
    let limits = MemoryLimits { max_bytes: 100, ..MemoryLimits::default() };
    let broker = MemoryBroker::new(Clock::default(), limits);
    let large = |id| NewTask { message: "x".repeat(60), ..task(id) };
    broker.enqueue(&[large("1")], None).await.unwrap();
    let error = broker.enqueue(&[large("2")], None).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    broker.purge(&crate::tasks::brokers::records::TaskFilter::default()).await.unwrap();
    broker.enqueue(&[large("2")], None).await.unwrap();
}

#[tokio::test]
async fn a_worker_whose_lease_was_taken_away_claims_and_settles_nothing() {
    let clock = Clock::default();
    let broker = MemoryBroker::new(clock.clone(), MemoryLimits::default());
    broker.enqueue(&[task("1"), task("2")], None).await.unwrap();
    let queues = ["q".to_owned()];
    let lost = broker.register(&worker(), LEASE).await.unwrap();
    let claimed = broker.claim(lost, &queues, 1).await.unwrap().tasks.remove(0);
    clock.advance(LEASE);
    assert_eq!(broker.release_lost().await.unwrap(), 1);
    assert_eq!(broker.renew(lost, LEASE).await.unwrap(), None);
    assert!(broker.claim(lost, &queues, 1).await.unwrap().tasks.is_empty());
    let settlement = Settlement {
        key: claimed.key,
        id: claimed.id,
        outcome: success(0),
        follow_ups: vec![],
        groups: Vec::new(),
        abandoned: vec![],
    };
    assert_eq!(broker.settle(lost, vec![settlement]).await.unwrap().fenced, [claimed.key]);
    let other = broker.register(&worker(), LEASE).await.unwrap();
    let again = broker.claim(other, &queues, 1).await.unwrap().tasks.remove(0);
    assert_eq!((again.key, again.losses), (claimed.key, 1));
}
