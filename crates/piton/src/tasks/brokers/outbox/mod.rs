//! The transactional outbox: tasks that are sent in a transaction of the database, for a broker that is another server.
//!
//! Sending stores an entry in the transaction, so that it exists if and only if the rows of the transaction do. A relay
//! sends the entries to the broker in their order and then removes them. If it is interrupted between the two, they are
//! sent again, and the broker recognizes them: it remembers what it got last. Every process has a relay, and a lease in
//! the database lets one of them work at a time.

mod entry;
mod relay;
mod scan_start;
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
use tokio::time::{Instant, timeout_at};

pub(super) use entry::{OutboxEntry, Refusal, StoredEntry};
use scan_start::ScanStart;
use store::OutboxStore;

use super::database::delegated_calls::{admin_calls, cron_calls, worker_calls};
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

/// Maximum time that a change of tasks waits until they are relayed.
const MAX_RELAY_WAIT: Duration = Duration::from_secs(5);

/// A broker that entries are relayed to.
pub(super) trait Destination: Broker {
    /// Sends entries in their order. Skips those that the broker remembers of this outbox. Returns those that were refused.
    /// Cancel safe: another call skips what was sent.
    ///
    /// # Errors
    /// Another attempt may succeed. Some entries may have been sent.
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
    lease: Mutex<RelayLease>,
    scan_start: parking_lot::Mutex<ScanStart>,
    is_full: AtomicBool,
    /// False while nothing can be stored, or in a command that only reads.
    has_tables: AtomicBool,
    state: Arc<TasksState>,
    metrics: TaskMetrics,
}

/// The lease by which one process relays at a time, as far as this process knows.
#[derive(Default)]
struct RelayLease {
    /// The time of the last renewal and the id of the outbox, if this process holds it.
    renewed: Option<(Instant, String)>,
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

impl<B: Destination + 'static> OutboxBroker<B> {
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
            scan_start: parking_lot::Mutex::default(),
            is_full: AtomicBool::new(false),
            has_tables: AtomicBool::new(false),
            state: state.clone(),
            metrics: metrics.clone(),
        };
        Self { broker: Arc::new(broker), shared: Arc::new(shared) }
    }

    /// Waits until the tasks with these ids are with the broker, so that it can change them.
    async fn relay_first(&self, filter: &TaskFilter) -> Result<(), BrokerError> {
        let deadline = Instant::now() + MAX_RELAY_WAIT;
        for id in &filter.ids {
            while let Some((_, None)) = self.find(id).await? {
                // In a task of its own, because its memory is not that of the caller's request.
                let outbox = self.clone();
                let relaying = tokio::spawn(async move { outbox.relay_all().await });
                match timeout_at(deadline, relaying).await {
                    Ok(Ok(relayed)) => relayed?,
                    _ => return Err(not_relayed(id)),
                }
            }
        }
        Ok(())
    }

    /// Returns an entry by its task, and the reason if it was refused.
    async fn find(&self, id: &str) -> Result<Option<(OutboxEntry, Option<String>)>, BrokerError> {
        if !self.shared.has_tables.load(Ordering::Relaxed) {
            return Ok(None);
        }
        self.shared.store.find(id).await
    }

    async fn prepare_tables(&self) -> Result<(), BrokerError> {
        let prepared = self.shared.store.prepare().await;
        self.shared.has_tables.store(prepared.is_ok(), Ordering::Relaxed);
        prepared
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
            if !shared.has_tables.load(Ordering::Relaxed) {
                let why =
                    "the tables of the outbox are missing and could not be created, see the log";
                return Err(BrokerError::new(Kind::Unavailable, why));
            }
            if shared.is_full.load(Ordering::Relaxed) {
                return Err(BrokerError::new(Kind::Unavailable, shared.settings.full()));
            }
            let entry = OutboxEntry { tasks: tasks.to_vec(), group: group.cloned() };
            shared.store.add(tx, &entry).await?;
            let shared = Arc::clone(shared);
            tx.after_commit(move || shared.committed.notify_one());
            Ok(())
        })
    }

    fn is_outbox(&self) -> bool {
        true
    }

    fn record_opened(&self) {
        self.shared.has_tables.store(true, Ordering::Relaxed);
    }
}

impl<B: Destination + 'static> OutboxAdmin for OutboxBroker<B> {
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

impl<B: Destination + 'static> Broker for OutboxBroker<B> {
    /// Prepares the tables and the broker. One of them may be unavailable: without the broker, what is sent in transactions
    /// waits; without the tables, it is refused, which a service that sends nothing in transactions need not notice.
    fn prepare(&self) -> Call<'_, ()> {
        Box::pin(async move {
            let prepared = self.prepare_tables().await;
            self.shared.record(&prepared);
            match self.broker.prepare().await {
                Err(error) if prepared.is_ok() && error.kind() == Kind::Unavailable => {
                    self.shared.state.record_unavailable(&error);
                    Ok(())
                }
                prepared => prepared,
            }
        })
    }

    worker_calls!(delegate);

    fn settle(&self, worker: WorkerId, settlements: Vec<Settlement>) -> Call<'_, Settled> {
        self.broker.settle(worker, settlements)
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

impl<B: Destination + 'static> TaskAdmin for OutboxBroker<B> {
    fn task<'a>(&'a self, id: &'a str) -> Call<'a, Option<TaskRecord>> {
        Box::pin(async move {
            if let Some(record) = self.broker.task(id).await? {
                return Ok(Some(record));
            }
            match self.find(id).await? {
                Some((entry, refusal)) => Ok(waiting_record(entry, refusal)),
                // It may have been relayed between the two queries.
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

    admin_calls!(delegate);
}

impl<B: Destination + 'static> CronStore for OutboxBroker<B> {
    cron_calls!(delegate);
}

/// Returns the record of the task by which the caller asks for an entry. One that was refused has failed.
fn waiting_record(entry: OutboxEntry, refusal: Option<String>) -> Option<TaskRecord> {
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

fn not_relayed(id: &str) -> BrokerError {
    let seconds = MAX_RELAY_WAIT.as_secs();
    let why = format!("task {id} is still in the outbox: it was not relayed within {seconds} s");
    BrokerError::new(Kind::Unavailable, why)
}
