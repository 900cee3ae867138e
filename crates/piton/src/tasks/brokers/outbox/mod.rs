//! The transactional outbox: tasks that are sent in a transaction of the database, for a broker that is another server.
//!
//! Sending stores an entry in the transaction, so that it exists if and only if the rows of the transaction do. A relay
//! sends the entries to the broker in their order and then removes them. If it is interrupted between the two, they are
//! sent again, and the broker recognizes them: it remembers what it got last. Every process has a relay, and a lease in
//! the database lets one of them work at a time.

mod entry;
mod oldest_id;
mod relay;
mod store;
mod tables;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use piton_celery::Exception;
use tokio::sync::{Mutex, Notify};

pub(super) use entry::{Entry, Refusal, StoredEntry};
use oldest_id::OldestId;
use store::OutboxStore;

use super::database::{self, EnqueueInTransaction};
use super::records::{
    ClaimedBatch, CronRecord, NewGroup, NewTask, OutboxStats, QueueStats, RefusedTask, Settled,
    Settlement, TaskFilter, TaskRecord, TaskState, WorkerId, WorkerInfo,
};
use super::redis::RedisBroker;
use super::{Broker, Call, CronStore, OpenBroker, OutboxAdmin, TaskAdmin};
use crate::db::{Db, Tx};
use crate::part::Launch;
use crate::stop_signal::Stop;
use crate::tasks::clock::Clock;
use crate::tasks::error::{BrokerError, Kind};
use crate::tasks::health::TasksState;
use crate::tasks::metrics::TaskMetrics;
use crate::tasks::monitored_worker::MonitoredWorker;
use crate::tasks::new_message::new_id;
use crate::tasks::outbox_settings::OutboxSettings;

/// The time that a command waits for entries to be relayed before it changes their tasks.
const MAX_RELAY_WAIT: Duration = Duration::from_secs(5);

/// A broker that entries are relayed to.
pub(super) trait Destination: Broker {
    /// Sends entries in their order, except those that this outbox has sent before, as far as the broker remembers. Returns
    /// those that it does not take.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] if another attempt may succeed. Some entries may have been sent.
    fn relay<'a>(&'a self, outbox: &'a str, entries: &'a [StoredEntry]) -> Call<'a, Vec<Refusal>>;
}

/// A broker with an outbox. Clones share everything.
pub(super) struct OutboxBroker<B> {
    broker: Arc<B>,
    shared: Arc<Shared>,
}

/// The state that all clones share.
struct Shared {
    store: OutboxStore,
    settings: OutboxSettings,
    /// Names this process in the lease.
    process: String,
    /// Woken by each commit of a transaction that has sent tasks.
    committed: Notify,
    /// Locked while this process relays.
    lease: Mutex<Lease>,
    oldest_id: parking_lot::Mutex<OldestId>,
    is_full: AtomicBool,
    state: Arc<TasksState>,
    metrics: TaskMetrics,
}

/// The lease by which one process relays at a time.
#[derive(Default)]
struct Lease {
    is_held: bool,
}

/// Adds the outbox in the service's database to the broker.
pub(super) fn with_outbox(
    broker: RedisBroker,
    settings: &OutboxSettings,
    launch: &Launch,
    clock: &Clock,
    state: &Arc<TasksState>,
    metrics: &TaskMetrics,
) -> OpenBroker {
    let broker = OutboxBroker::new(broker, launch.part(), settings, clock, state, metrics);
    database::both(broker)
}

impl<B> Clone for OutboxBroker<B> {
    fn clone(&self) -> Self {
        Self { broker: Arc::clone(&self.broker), shared: Arc::clone(&self.shared) }
    }
}

impl<B: Destination> OutboxBroker<B> {
    pub fn new(
        broker: B,
        db: Db,
        settings: &OutboxSettings,
        clock: &Clock,
        state: &Arc<TasksState>,
        metrics: &TaskMetrics,
    ) -> Self {
        let shared = Shared {
            store: OutboxStore::new(db, clock.clone()),
            settings: settings.clone(),
            process: new_id(clock.now_ms()),
            committed: Notify::new(),
            lease: Mutex::default(),
            oldest_id: parking_lot::Mutex::default(),
            is_full: AtomicBool::new(false),
            state: state.clone(),
            metrics: metrics.clone(),
        };
        Self { broker: Arc::new(broker), shared: Arc::new(shared) }
    }

    /// Waits until the tasks with these ids are with the broker, so that it can change them.
    async fn relay_first(&self, filter: &TaskFilter) -> Result<(), BrokerError> {
        for id in &filter.ids {
            if let Some((_, None)) = self.shared.store.find(id).await? {
                let relayed = tokio::time::timeout(MAX_RELAY_WAIT, self.relay_all()).await;
                return relayed.unwrap_or_else(|_| {
                    let why = format!("task {id} waits in the outbox, which has not reached it");
                    Err(BrokerError::new(Kind::Unavailable, why))
                });
            }
        }
        Ok(())
    }
}

impl<B: Destination + 'static> EnqueueInTransaction for OutboxBroker<B> {
    fn enqueue_in<'a>(
        &'a self,
        tx: &'a mut Tx,
        tasks: &'a [NewTask],
        group: Option<&'a NewGroup>,
    ) -> Call<'a, ()> {
        Box::pin(async move {
            let shared = &self.shared;
            if shared.is_full.load(Ordering::Relaxed) {
                let max = shared.settings.max_entries;
                let why =
                    format!("the outbox has more than {max} entries (tasks.outbox.max_entries)");
                return Err(BrokerError::new(Kind::Unavailable, why));
            }
            let entry = Entry { tasks: tasks.to_vec(), group: group.cloned() };
            shared.store.add(tx, &entry).await?;
            let shared = Arc::clone(shared);
            tx.after_commit(move || shared.committed.notify_one());
            Ok(())
        })
    }

    fn is_outbox(&self) -> bool {
        true
    }
}

impl<B: Destination> OutboxAdmin for OutboxBroker<B> {
    fn stats(&self) -> Call<'_, OutboxStats> {
        Box::pin(async move { Ok(self.shared.store.measure(0).await?.0) })
    }

    fn refused(&self, limit: usize) -> Call<'_, Vec<RefusedTask>> {
        Box::pin(self.shared.store.refused(limit))
    }

    fn retry<'a>(&'a self, id: Option<&'a str>) -> Call<'a, u64> {
        Box::pin(self.shared.store.retry(id))
    }

    fn purge<'a>(&'a self, id: Option<&'a str>) -> Call<'a, u64> {
        Box::pin(self.shared.store.purge(id))
    }
}

/// Implements calls by those of the broker.
macro_rules! delegate {
    ($($call:ident($($argument:ident: $type:ty),*) -> $returned:ty;)*) => {$(
        fn $call<'a>(&'a self, $($argument: $type),*) -> Call<'a, $returned> {
            self.broker.$call($($argument),*)
        }
    )*};
}

impl<B: Destination> Broker for OutboxBroker<B> {
    /// Prepares the tables. The broker may be unavailable: what is sent in transactions waits for it.
    fn prepare(&self) -> Call<'_, ()> {
        Box::pin(async move {
            self.shared.store.prepare().await?;
            match self.broker.prepare().await {
                Err(error) if error.kind() == Kind::Unavailable => {
                    self.shared.state.record_unavailable(&error);
                    Ok(())
                }
                prepared => prepared,
            }
        })
    }

    delegate! {
        enqueue(tasks: &'a [NewTask], group: Option<&'a NewGroup>) -> ();
        register(worker: &'a WorkerInfo, lease: Duration) -> WorkerId;
        renew(worker: WorkerId, lease: Duration) -> Option<Vec<i64>>;
        unregister(worker: WorkerId) -> ();
        claim(worker: WorkerId, queues: &'a [String], max: usize) -> ClaimedBatch;
        settle(worker: WorkerId, settlements: Vec<Settlement>) -> Settled;
        report_progress(worker: WorkerId, progress: &'a [(i64, String)]) -> ();
        release_lost() -> u64;
        expire_results(successes: Duration, failures: Duration) -> u64;
    }

    fn woken<'a>(&'a self, queues: &'a [String]) -> BoxFuture<'a, ()> {
        self.broker.woken(queues)
    }

    fn changed<'a>(&'a self, id: &'a str) -> BoxFuture<'a, ()> {
        self.broker.changed(id)
    }

    fn serve_monitors(&self, worker: Arc<dyn MonitoredWorker>, stop: Stop) -> BoxFuture<'_, ()> {
        self.broker.serve_monitors(worker, stop)
    }

    fn run_background(&self, stop: Stop) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let broker = self.broker.run_background(stop.clone());
            tokio::join!(self.relay_until(&stop), self.measure_until(&stop), broker);
        })
    }

    fn flush(&self) -> Call<'_, ()> {
        Box::pin(self.relay_all())
    }

    fn outbox(&self) -> Option<&dyn OutboxAdmin> {
        Some(self)
    }
}

impl<B: Destination> TaskAdmin for OutboxBroker<B> {
    fn task<'a>(&'a self, id: &'a str) -> Call<'a, Option<TaskRecord>> {
        Box::pin(async move {
            if let Some(record) = self.broker.task(id).await? {
                return Ok(Some(record));
            }
            match self.shared.store.find(id).await? {
                Some((entry, refusal)) => Ok(waiting_record(entry, refusal)),
                // It may have been relayed between the two looks.
                None => self.broker.task(id).await,
            }
        })
    }

    fn revoke<'a>(&'a self, filter: &'a TaskFilter) -> Call<'a, u64> {
        Box::pin(async move {
            self.relay_first(filter).await?;
            self.broker.revoke(filter).await
        })
    }

    fn purge<'a>(&'a self, filter: &'a TaskFilter) -> Call<'a, u64> {
        Box::pin(async move {
            self.relay_first(filter).await?;
            self.broker.purge(filter).await
        })
    }

    delegate! {
        list(filter: &'a TaskFilter) -> Vec<TaskRecord>;
        retry(filter: &'a TaskFilter) -> u64;
        pause(queue: &'a str, paused: bool) -> ();
        queues() -> Vec<QueueStats>;
        workers() -> Vec<WorkerInfo>;
    }
}

impl<B: Destination> CronStore for OutboxBroker<B> {
    delegate! {
        cron(name: &'a str, first_tick_ms: i64) -> CronRecord;
        fire(name: &'a str, tick_ms: i64, task: Option<&'a NewTask>) -> bool;
        pause_cron(name: &'a str, paused: bool) -> bool;
        reset_cron(name: &'a str, last_tick_ms: i64) -> bool;
        crons() -> Vec<CronRecord>;
    }
}

/// Returns the record of the task by which the caller asks for an entry. One that was refused has failed.
fn waiting_record(entry: Entry, refusal: Option<String>) -> Option<TaskRecord> {
    let is_summary = entry.group.is_some();
    let task = entry.group.map(|group| group.summary).or(entry.tasks.into_iter().next())?;
    let mut record = TaskRecord::of_waiting_summary(task);
    if let Some(reason) = refusal {
        let exception = Exception::builtin("RuntimeError", format!("it was not sent: {reason}"));
        record.state = TaskState::Failed;
        record.result = serde_json::to_string(&exception).ok();
    } else if record.due_at_ms.is_none() && !is_summary {
        record.state = TaskState::Queued;
    }
    Some(record)
}
