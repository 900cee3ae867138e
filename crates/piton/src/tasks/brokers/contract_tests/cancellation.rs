//! Calls that are dropped before they have returned.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use super::*;

/// Polls a future so many times at most, and then drops it: at one of its await points.
async fn interrupted<T>(future: impl Future<Output = T>, polls: u32) -> Option<T> {
    let mut left = polls;
    let mut future = pin!(future);
    std::future::poll_fn(move |context: &mut Context<'_>| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        let future: Pin<&mut _> = future.as_mut();
        match future.poll(context) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

fn some_polls() -> u32 {
    fastrand::u32(0..5)
}

/// Claims and settles, each call interrupted at random, until nothing is left.
async fn work_interrupted(broker: &Fixture, worker: WorkerId) {
    let queue = queues(&["q"]);
    let states = [TaskState::Queued, TaskState::Running].to_vec();
    let unfinished = TaskFilter { states, ..TaskFilter::default() };
    let mut held = Vec::new();
    loop {
        if let Some(batch) = interrupted(broker.claim(worker, &queue, 7), some_polls()).await {
            held.extend(batch.unwrap().tasks);
        }
        let settlements: Vec<_> = held.iter().map(|task| broker.success(task, "1")).collect();
        if let Some(settled) = interrupted(broker.settle(worker, settlements), some_polls()).await {
            settled.unwrap();
            held.clear();
        }
        // Listed by one statement, because calls that were dropped may still move tasks from one state to another.
        if held.is_empty() && broker.list(&unfinished).await.unwrap().is_empty() {
            return;
        }
    }
}

on_every_broker! {
    async fn nothing_is_lost_or_done_in_parts_when_calls_are_dropped(broker) {
        let mut sent = Vec::new();
        let batches: Vec<_> = (0..40).map(|batch| broker.tasks(batch * 10..batch * 10 + 10)).collect();
        for batch in &batches {
            let outcome = interrupted(broker.enqueue(batch, None), some_polls()).await;
            sent.push(outcome.map(|sent| sent.unwrap()).is_some());
        }
        let worker = broker.worker().await;
        let work = work_interrupted(&broker, worker);
        tokio::time::timeout(seconds(30), work).await.expect("every task comes back");
        let done = broker.list(&in_state(TaskState::Succeeded)).await.unwrap();
        let done: BTreeSet<_> = done.into_iter().map(|task| task.id).collect();
        for (batch, was_sent) in batches.iter().zip(sent) {
            let stored = batch.iter().filter(|task| done.contains(&task.id)).count();
            assert!(stored == 10 || (stored == 0 && !was_sent), "{stored} of a batch");
        }
    }

    async fn a_dropped_call_does_not_stop_the_next(broker) {
        broker.send(&["a"]).await;
        let worker = broker.worker().await;
        for polls in 0..4 {
            let filter = ids(&["unknown"]);
            interrupted(broker.renew(worker, LEASE), polls).await;
            interrupted(broker.release_lost(), polls).await;
            interrupted(broker.revoke(&filter), polls).await;
            interrupted(broker.expire_results(LEASE, LEASE), polls).await;
            interrupted(broker.fire("cron", i64::from(polls) + 1, None), polls).await;
            // Polled once, because it may have no reason to be polled again.
            interrupted(broker.woken(&queues(&["q"])), polls.min(1)).await;
        }
        assert_eq!(broker.renew(worker, LEASE).await.unwrap(), Some(Vec::new()));
        assert_eq!(broker.work_off(worker).await, ["a"]);
    }
}
