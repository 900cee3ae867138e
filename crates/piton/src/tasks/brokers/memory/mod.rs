//! The broker in memory: for tests, and for services whose tasks may be lost with the process.

mod admin;
mod crons;
mod groups;
mod state;
mod stored_task;
#[cfg(test)]
mod tests;

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::records::{ClaimedBatch, NewGroup, NewTask, Settled, Settlement, WorkerId, WorkerInfo};
use super::{Broker, Call};
use crate::tasks::clock::Clock;
use crate::tasks::error::BrokerError;
use state::State;

/// The maxima of what is stored.
#[derive(Clone, Copy, Debug)]
pub(in crate::tasks) struct MemoryLimits {
    /// Maximum number of unfinished tasks. Further ones are refused.
    pub max_tasks: usize,
    /// Maximum size of all messages. Further ones are refused.
    pub max_bytes: usize,
    /// Maximum number of results. The oldest ones are removed.
    pub max_results: usize,
}

impl Default for MemoryLimits {
    fn default() -> Self {
        Self { max_tasks: 100_000, max_bytes: 256 << 20, max_results: 100_000 }
    }
}

/// A broker whose tasks are in this process alone, under one lock.
pub(in crate::tasks) struct MemoryBroker {
    clock: Clock,
    state: Mutex<State>,
    /// Changes whenever tasks may have become ready.
    wakes: watch::Sender<()>,
}

impl MemoryBroker {
    pub fn new(clock: Clock, limits: MemoryLimits) -> Self {
        Self { clock, state: Mutex::new(State::new(limits)), wakes: watch::Sender::new(()) }
    }

    /// Does `work` with the state and the time, and wakes workers if tasks became ready. Nothing happens before the future
    /// is polled, so that a call that is dropped has no effect.
    fn call<'a, T: Send + 'a>(
        &'a self,
        work: impl FnOnce(&mut State, i64) -> Result<T, BrokerError> + Send + 'a,
    ) -> Call<'a, T> {
        async move {
            let now_ms = self.clock.now_ms();
            let mut state = self.state.lock();
            let result = work(&mut state, now_ms);
            let has_news = std::mem::take(&mut state.has_news);
            drop(state);
            if has_news {
                self.wakes.send_replace(());
            }
            result
        }
        .boxed()
    }
}

impl Broker for MemoryBroker {
    fn prepare(&self) -> Call<'_, ()> {
        ready(Ok(())).boxed()
    }

    fn enqueue<'a>(&'a self, tasks: &'a [NewTask], group: Option<&'a NewGroup>) -> Call<'a, ()> {
        self.call(move |state, now_ms| state.enqueue(tasks, group, now_ms))
    }

    fn register<'a>(&'a self, worker: &'a WorkerInfo, lease: Duration) -> Call<'a, WorkerId> {
        self.call(move |state, now_ms| Ok(state.register(worker, lease, now_ms)))
    }

    fn renew(&self, worker: WorkerId, lease: Duration) -> Call<'_, Option<Vec<i64>>> {
        self.call(move |state, now_ms| Ok(state.renew(worker, lease, now_ms)))
    }

    fn unregister(&self, worker: WorkerId) -> Call<'_, ()> {
        self.call(move |state, now_ms| {
            state.unregister(worker, now_ms);
            Ok(())
        })
    }

    fn claim<'a>(
        &'a self,
        worker: WorkerId,
        queues: &'a [String],
        max: usize,
    ) -> Call<'a, ClaimedBatch> {
        self.call(move |state, now_ms| Ok(state.claim(worker, queues, max, now_ms)))
    }

    fn settle(&self, worker: WorkerId, settlements: Vec<Settlement>) -> Call<'_, Settled> {
        self.call(move |state, now_ms| Ok(state.settle(worker, settlements, now_ms)))
    }

    fn report_progress<'a>(
        &'a self,
        worker: WorkerId,
        progress: &'a [(i64, String)],
    ) -> Call<'a, ()> {
        self.call(move |state, _| {
            state.report_progress(worker, progress);
            Ok(())
        })
    }

    fn release_lost(&self) -> Call<'_, u64> {
        self.call(move |state, now_ms| Ok(state.release_lost(now_ms)))
    }

    fn expire_results(&self, successes: Duration, failures: Duration) -> Call<'_, u64> {
        self.call(move |state, now_ms| Ok(state.expire_results(successes, failures, now_ms)))
    }

    fn woken<'a>(&'a self, queues: &'a [String]) -> BoxFuture<'a, ()> {
        async move {
            // Under the lock, so that a task that comes meanwhile is either seen or wakes.
            let (has_ready, mut wakes) = {
                let state = self.state.lock();
                (state.has_ready(queues), self.wakes.subscribe())
            };
            if !has_ready {
                // An error would mean that the broker is gone, and it is borrowed.
                let _ = wakes.changed().await;
            }
        }
        .boxed()
    }
}
