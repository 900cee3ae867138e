//! [`Session`]: the work under one registration, from its lease to its end.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use piton_celery::Exception;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tracing::warn;

use super::buffer::Buffer;
use super::executor::worker_lost;
use super::failure::Failure;
use super::pending::Pending;
use super::prefetch::Prefetch;
use super::shared::Shared;
use super::slot::{Running, Slot};
use crate::http::panics;
use crate::runtime::context;
use crate::stop_signal::Stop;
use crate::tasks::brokers::records::{
    ClaimedTask, FinalState, FinishedTask, Outcome, Settlement, WorkerId,
};

/// The time for cancelled tasks to end: until their next `await`.
const CANCEL_GRACE: Duration = Duration::from_millis(300);

/// The time for the broker to confirm the last results. With the other graces and `tasks.stop_grace` it is within the
/// ten seconds that the service waits.
const FLUSH_GRACE: Duration = Duration::from_millis(900);

/// The tasks of one registration. Its end, whichever it is, ends them all.
pub(super) struct Session {
    pub shared: Arc<Shared>,
    pub worker: WorkerId,
    /// The time of the registration.
    pub registered: Instant,
    pub buffer: Buffer,
    pub pending: Pending,
    pub slots: Vec<Slot>,
    pub prefetch: Prefetch,
    /// Signals that another claim may be due.
    pub room: Notify,
    low_water: AtomicUsize,
    busy: AtomicUsize,
    stop: Stop,
}

/// The reason why a session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SessionEnd {
    Stopped,
    /// The lease is lost, or may be: other workers may get the tasks.
    LeaseLost,
}

impl Session {
    pub fn new(shared: Arc<Shared>, worker: WorkerId, registered: Instant, stop: Stop) -> Self {
        let slots = (0..shared.config.concurrency.max(1)).map(|_| Slot::default()).collect();
        Self {
            shared,
            worker,
            registered,
            buffer: Buffer::new(),
            pending: Pending::default(),
            slots,
            prefetch: Prefetch::default(),
            room: Notify::new(),
            low_water: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
            stop,
        }
    }

    /// Works until the service stops or the lease is lost. Dropping the future aborts the tasks.
    pub async fn run(self: Arc<Self>) -> SessionEnd {
        let (mut runners, mut background) = (JoinSet::new(), JoinSet::new());
        (0..self.slots.len()).for_each(|at| drop(runners.spawn(self.clone().supervise_slot(at))));
        self.spawn_background(&mut background);
        let mut lease = pin!(self.keep_lease());
        tokio::select! {
            biased;
            () = self.stop.stopped() => {}
            () = &mut lease => return SessionEnd::LeaseLost,
            never = self.claim_tasks() => match never {},
            never = panic_of(&mut background) => match never {},
        }
        tokio::select! {
            () = self.wind_down(&mut runners) => SessionEnd::Stopped,
            never = panic_of(&mut background) => match never {},
            () = &mut lease => SessionEnd::LeaseLost,
        }
    }

    fn spawn_background(self: &Arc<Self>, background: &mut JoinSet<()>) {
        let handle = &self.shared.executor.handle;
        let session = self.clone();
        let settling = async move { match session.settle_pending().await {} };
        background.spawn(context::within(handle.clone(), settling));
        let session = self.clone();
        let maintenance = async move {
            let supervisor = session.shared.supervise("the loop that maintains tasks");
            supervisor.run(&session.stop, || session.maintain()).await;
        };
        background.spawn(context::within(handle.clone(), maintenance));
    }

    /// Runs tasks in one slot, until the buffer is closed.
    async fn supervise_slot(self: Arc<Self>, at: usize) {
        let supervisor = self.shared.supervise("a slot of the worker");
        supervisor.run(&self.stop, || self.run_slot(at)).await;
    }

    /// Runs tasks in one slot, one after the other.
    async fn run_slot(&self, at: usize) {
        let slot = &self.slots[at];
        let metrics = &self.shared.executor.metrics;
        while let Some((claimed, left)) = self.buffer.next().await {
            let busy = Busy::new(&self.busy, &metrics.running);
            self.note_level(left);
            let (key, id) = (claimed.key, claimed.id.clone());
            let executed = self.shared.executor.execute(claimed, slot, &self.stop);
            let settlement = panics::catch(executed).await.unwrap_or_else(|panic| {
                self.fail_after_panic(key, id, slot);
                std::panic::resume_unwind(panic)
            });
            self.prefetch.count_ended();
            // Otherwise it was given back while it was cancelled.
            if slot.end().is_some() {
                self.pending.push(settlement);
            }
            drop(busy);
            self.note_level(self.buffer.size().0);
        }
    }

    /// Fails the task of a slot that panics outside of the task. Otherwise it would be claimed for as long as the worker lives.
    /// It is not given back, because it would come first again, and stop one slot after the other.
    fn fail_after_panic(&self, key: i64, id: String, slot: &Slot) {
        let why = "the worker panicked while it had this task: its log says why";
        let finished = FinishedTask {
            state: FinalState::Failure,
            result: Failure::permanent(Exception::builtin("RuntimeError", why)).result(),
            traceback: None,
            started_at_ms: slot.end().map(|running| running.started_at_ms),
            finished_at_ms: self.shared.executor.clock.now_ms(),
            keep_message: true,
        };
        let outcome = Outcome::Finished(Some(finished));
        self.pending.push(Settlement {
            key,
            id,
            outcome,
            follow_ups: Vec::new(),
            groups: Vec::new(),
            abandoned: Vec::new(),
        });
    }

    /// Wakes the loop that claims if the buffer is so empty that a claim is due.
    fn note_level(&self, buffered: usize) {
        if buffered <= self.low_water.load(Ordering::Relaxed) {
            self.room.notify_one();
        }
    }

    pub fn set_low_water(&self, level: usize) {
        self.low_water.store(level, Ordering::Relaxed);
    }

    /// Returns the number of slots without a task.
    pub fn free_slots(&self) -> usize {
        self.slots.len().saturating_sub(self.busy.load(Ordering::Relaxed))
    }

    /// Gives back tasks that have not started.
    pub fn release(&self, tasks: Vec<ClaimedTask>) {
        for ClaimedTask { key, id, .. } in tasks {
            let outcome = Outcome::Released;
            self.pending.push(Settlement {
                key,
                id,
                outcome,
                follow_ups: Vec::new(),
                groups: Vec::new(),
                abandoned: Vec::new(),
            });
        }
    }

    /// Gives back what has not started, lets running tasks end, cancels those that do not, and waits until the broker
    /// knows.
    async fn wind_down(&self, runners: &mut JoinSet<()>) {
        self.release(self.buffer.close());
        if timeout(self.shared.config.stop_grace, join_all(runners)).await.is_err() {
            runners.abort_all();
            // A task that computes without an `await` cannot be cancelled; the process ends nonetheless.
            let _ = timeout(CANCEL_GRACE, join_all(runners)).await;
            self.interrupt();
        }
        if timeout(FLUSH_GRACE, self.pending.flushed()).await.is_err() {
            warn!("The broker did not confirm the results of the last tasks, which will run again");
        }
    }

    /// Ends the tasks that were cancelled because the service stops, which is no attempt of theirs.
    fn interrupt(&self) {
        let interrupted: Vec<Running> = self.slots.iter().filter_map(Slot::end).collect();
        for running in interrupted {
            let (id, name) = (running.run.id(), running.run.name());
            warn!(
                task.name = name,
                task.id = id,
                "Task `{name}` did not end in time and was cancelled"
            );
            let outcome = self.after_interruption(&running);
            let id = id.to_owned();
            self.pending.push(Settlement {
                key: running.key,
                id,
                outcome,
                follow_ups: Vec::new(),
                groups: Vec::new(),
                abandoned: Vec::new(),
            });
        }
    }

    fn after_interruption(&self, running: &Running) -> Outcome {
        if !running.runs_at_most_once {
            return Outcome::Released;
        }
        Outcome::Finished(Some(FinishedTask {
            state: FinalState::Failure,
            result: Failure::permanent(worker_lost()).result(),
            traceback: None,
            started_at_ms: Some(running.started_at_ms),
            finished_at_ms: self.shared.executor.clock.now_ms(),
            keep_message: true,
        }))
    }
}

/// Waits for the panic of a background loop, and goes on with it: the session ends, and the worker is restarted.
async fn panic_of(background: &mut JoinSet<()>) -> Infallible {
    while let Some(ended) = background.join_next().await {
        if let Err(error) = ended
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
    std::future::pending().await
}

async fn join_all(tasks: &mut JoinSet<()>) {
    while tasks.join_next().await.is_some() {}
}

/// Counts a task as running for as long as it lives, also if it is aborted.
struct Busy<'a>(&'a AtomicUsize, &'a Gauge);

impl<'a> Busy<'a> {
    fn new(count: &'a AtomicUsize, gauge: &'a Gauge) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        gauge.inc();
        Self(count, gauge)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
        self.1.dec();
    }
}
