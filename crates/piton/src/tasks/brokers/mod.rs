//! Brokers, which store tasks. One worker loop works with any of them, and one contract test holds for all.
//!
//! A broker keeps a task from the moment it is enqueued until its result is stored. A worker registers, claims
//! tasks under its lease, and settles each: finished, rescheduled or released. A claim whose lease has expired goes
//! to another worker, and what the first one settles afterwards is refused (it is *fenced*), because its task may
//! have run a second time.

#[cfg(all(feature = "sqlite", feature = "postgres"))]
#[cfg(test)]
mod contract_tests;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(super) mod database;
#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
#[path = "database_disabled.rs"]
pub(super) mod database;
pub(super) mod memory;
#[cfg(all(feature = "redis", any(feature = "sqlite", feature = "postgres")))]
mod outbox;
#[cfg(all(feature = "redis", not(any(feature = "sqlite", feature = "postgres"))))]
#[path = "outbox_disabled.rs"]
mod outbox;
#[cfg(all(feature = "sqlite", not(feature = "postgres")))]
#[path = "absent_database.rs"]
mod postgres;
#[cfg(feature = "postgres")]
mod postgres;
pub(super) mod records;
#[cfg(feature = "redis")]
mod redis;
#[cfg(not(feature = "redis"))]
#[path = "redis_disabled.rs"]
mod redis;
#[cfg(all(feature = "postgres", not(feature = "sqlite")))]
#[path = "absent_database.rs"]
mod sqlite;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::clock::Clock;
use super::error::BrokerError;
use super::health::TasksState;
use super::metrics::TaskMetrics;
use super::monitored_worker::MonitoredWorker;
use super::settings::{TaskBroker, TasksSettings};
use super::task::Task;
use crate::part::{Launch, Problem};
use crate::stop_signal::Stop;
use memory::{MemoryBroker, MemoryLimits};
use records::{
    ClaimedBatch, CronRecord, NewGroup, NewTask, OutboxStats, QueueStats, RefusedTask, Settled,
    Settlement, TaskFilter, TaskRecord, WorkerId, WorkerInfo,
};

/// Opens the broker that the settings choose. Connects to nothing.
///
/// # Errors
/// Settings that only the broker can check.
pub(super) fn open(
    settings: &TasksSettings,
    tasks: &[Task],
    launch: &Launch,
    clock: &Clock,
    state: &Arc<TasksState>,
    metrics: &TaskMetrics,
) -> Result<OpenBroker, Box<Problem>> {
    match settings.broker {
        TaskBroker::Database => Ok(database::open(launch, clock)),
        TaskBroker::Memory => Ok(in_memory(clock)),
        TaskBroker::Redis => redis::open(settings, tasks, launch, clock, state, metrics),
    }
}

/// A broker, and how tasks are sent in transactions of the service's database.
pub(super) struct OpenBroker {
    pub broker: Arc<dyn Broker>,
    pub in_transactions: database::InTransactions,
    /// True if other processes see the same tasks.
    pub is_shared: bool,
}

fn in_memory(clock: &Clock) -> OpenBroker {
    let broker = Arc::new(MemoryBroker::new(clock.clone(), MemoryLimits::default()));
    OpenBroker { broker, in_transactions: database::InTransactions::default(), is_shared: false }
}

/// The future of a broker's call.
pub(super) type Call<'a, T> = BoxFuture<'a, Result<T, BrokerError>>;

/// Stores tasks, and gives them to workers.
///
/// Every call is atomic: it has all of its effects or, if it fails, none. After an error whose kind is unavailable
/// it is not known which. Calls are safe to cancel, and limit their own time, so that one stalled call stops nothing.
pub(super) trait Broker: TaskAdmin + CronStore + Send + Sync {
    /// Prepares the broker, such as its tables. Safe to call again, and from several processes at once.
    fn prepare(&self) -> Call<'_, ()>;

    /// Stores new tasks, all or none, and wakes workers. Tasks that are ready start in the order of their
    /// priority, and within it in the order in which they were enqueued. If the tasks are the members of a group,
    /// its summary is enqueued when the last of them has finished (`tasks/group.rs` makes it of their results).
    ///
    /// # Errors
    /// [`Kind::Duplicate`](super::error::Kind::Duplicate) if a task with the same id is stored or has a result.
    fn enqueue<'a>(&'a self, tasks: &'a [NewTask], group: Option<&'a NewGroup>) -> Call<'a, ()>;

    /// Registers a worker whose lease lasts for `lease`. Its id is never used again.
    fn register<'a>(&'a self, worker: &'a WorkerInfo, lease: Duration) -> Call<'a, WorkerId>;

    /// Renews the lease on everything the worker has claimed. Returns the keys of its tasks that are revoked
    /// while they run, or `None` if the lease had expired and its tasks were given to others: the
    /// worker stops them and registers again.
    fn renew(&self, worker: WorkerId, lease: Duration) -> Call<'_, Option<Vec<i64>>>;

    /// Ends a registration. Tasks that are still claimed are released.
    fn unregister(&self, worker: WorkerId) -> Call<'_, ()>;

    /// Claims up to `max` tasks that are ready in `queues` and not paused: by priority over all queues, then in
    /// the order in which they were enqueued in their queue (a database: in all queues). Claims nothing for a worker whose lease has been taken away.
    /// Tasks that are due become ready first. Never waits for a task.
    fn claim<'a>(
        &'a self,
        worker: WorkerId,
        queues: &'a [String],
        max: usize,
    ) -> Call<'a, ClaimedBatch>;

    /// Applies settlements of claimed tasks. Those of claims that the worker no longer holds are not applied, and
    /// returned as fenced.
    fn settle(&self, worker: WorkerId, settlements: Vec<Settlement>) -> Call<'_, Settled>;

    /// Stores the progress of running tasks: pairs of a key and JSON text.
    fn report_progress<'a>(
        &'a self,
        worker: WorkerId,
        progress: &'a [(i64, String)],
    ) -> Call<'a, ()>;

    /// Releases tasks whose worker's lease has expired, and counts a loss for each. Returns their number.
    /// Every worker calls it now and then.
    fn release_lost(&self) -> Call<'_, u64>;

    /// Removes results that are older than their retention: of successes (and revoked tasks), and of failures.
    fn expire_results(&self, successes: Duration, failures: Duration) -> Call<'_, u64>;

    /// Waits until tasks may have become ready in `queues`: enqueued by any process, or released. May return early
    /// for no reason; the caller limits its time.
    fn woken<'a>(&'a self, queues: &'a [String]) -> BoxFuture<'a, ()>;

    /// Waits until the state of a task may have changed. Returns at once if it has ended. The caller limits its time, and
    /// looks again: a broker that is not told of changes waits indefinitely.
    fn changed<'a>(&'a self, _id: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(std::future::pending())
    }

    /// Shows a worker to the monitors of other programs, and does what they ask, until `stop`. Brokers that no other
    /// program knows have none.
    fn serve_monitors(&self, _worker: Arc<dyn MonitoredWorker>, _stop: Stop) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Runs the broker's background work until `stop`, in processes that serve or run tasks.
    fn run_background(&self, _stop: Stop) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Relays every entry of the outbox that is committed. Cancel safe.
    fn flush(&self) -> Call<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Returns the outbox, if there is one.
    fn outbox(&self) -> Option<&dyn OutboxAdmin> {
        None
    }
}

/// The outbox, for operators.
pub(super) trait OutboxAdmin: Send + Sync {
    fn stats(&self) -> Call<'_, OutboxStats>;

    /// Returns refused tasks, the oldest first.
    fn refused(&self, limit: usize) -> Call<'_, Vec<RefusedTask>>;

    /// Moves a refused entry back to those that wait, or all, by the id of its task. Returns the number.
    fn retry<'a>(&'a self, id: Option<&'a str>) -> Call<'a, u64>;

    /// Removes a refused entry, or all. Returns the number.
    fn purge<'a>(&'a self, id: Option<&'a str>) -> Call<'a, u64>;
}

/// The calls of operators and clients.
pub(super) trait TaskAdmin: Send + Sync {
    /// Returns a task in any state, if it is known.
    fn task<'a>(&'a self, id: &'a str) -> Call<'a, Option<TaskRecord>>;

    /// Returns tasks, the newest first, without their messages.
    fn list<'a>(&'a self, filter: &'a TaskFilter) -> Call<'a, Vec<TaskRecord>>;

    /// Revokes unfinished tasks: those not running become REVOKED at once, running ones are marked for their worker
    /// (see [`Broker::renew`]). Returns the number of both.
    fn revoke<'a>(&'a self, filter: &'a TaskFilter) -> Call<'a, u64>;

    /// Enqueues failed or revoked tasks again, with their ids and all attempts, and removes their results. Returns the
    /// number.
    fn retry<'a>(&'a self, filter: &'a TaskFilter) -> Call<'a, u64>;

    /// Removes tasks that are not running, without a trace. Returns the number.
    fn purge<'a>(&'a self, filter: &'a TaskFilter) -> Call<'a, u64>;

    /// Pauses a queue, or resumes it: from then on nothing of it is claimed.
    fn pause<'a>(&'a self, queue: &'a str, paused: bool) -> Call<'a, ()>;

    /// Returns every queue that has tasks or is paused, by name.
    fn queues(&self) -> Call<'_, Vec<QueueStats>>;

    /// Returns the workers whose lease has not expired.
    fn workers(&self) -> Call<'_, Vec<WorkerInfo>>;
}

/// The schedule's memory: which tick was the last of each.
pub(super) trait CronStore: Send + Sync {
    /// Returns what is stored about a schedule. Creates the record if there is none, with `first_tick_ms` as the
    /// last tick: ticks before a schedule existed were not missed.
    fn cron<'a>(&'a self, name: &'a str, first_tick_ms: i64) -> Call<'a, CronRecord>;

    /// Enqueues the run of a tick, unless the last tick is the same or later: then another process was
    /// first, or a clock was set back. Both happen in one transaction. Returns whether it was enqueued.
    fn fire<'a>(&'a self, name: &'a str, tick_ms: i64, task: Option<&'a NewTask>)
    -> Call<'a, bool>;

    /// Pauses or resumes a schedule. Returns whether it is known.
    fn pause_cron<'a>(&'a self, name: &'a str, paused: bool) -> Call<'a, bool>;

    /// Sets the last tick of a schedule, also to an earlier time: its next tick is the first one after it. Returns whether
    /// the schedule is known.
    fn reset_cron<'a>(&'a self, name: &'a str, last_tick_ms: i64) -> Call<'a, bool>;

    /// Returns all schedules that were ever started, by name.
    fn crons(&self) -> Call<'_, Vec<CronRecord>>;
}
