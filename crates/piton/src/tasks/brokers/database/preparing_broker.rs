//! [`PreparingBroker`]: a broker whose tables are created again if they are lost while the service runs, because the
//! database was dropped and created anew. Otherwise every call would fail until a restart.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::{error, warn};

use super::EnqueueInTransaction;
use super::delegated_calls::{admin_calls, cron_calls, worker_calls};
use crate::db::Tx;
use crate::stop_signal::Stop;
use crate::tasks::brokers::records::{
    ClaimedBatch, CronRecord, NewGroup, NewTask, QueueStats, Settled, Settlement, TaskFilter,
    TaskRecord, WorkerId, WorkerInfo,
};
use crate::tasks::brokers::{Broker, Call, CronStore, OutboxAdmin, TaskAdmin};
use crate::tasks::error::BrokerError;
use crate::tasks::monitored_worker::MonitoredWorker;

/// Minimum time between two attempts to create the tables.
const MIN_PREPARE_INTERVAL: Duration = Duration::from_secs(5);

/// A broker that prepares its tables again. Clones share everything.
pub(super) struct PreparingBroker<B> {
    broker: Arc<B>,
    /// The time of the last attempt to create the tables.
    prepared: Arc<Mutex<Option<Instant>>>,
}

impl<B> Clone for PreparingBroker<B> {
    fn clone(&self) -> Self {
        Self { broker: Arc::clone(&self.broker), prepared: Arc::clone(&self.prepared) }
    }
}

impl<B: Broker> PreparingBroker<B> {
    pub fn new(broker: B) -> Self {
        Self { broker: Arc::new(broker), prepared: Arc::default() }
    }

    /// Makes a call, and makes it again if it has found that a table is missing.
    async fn with_tables<'a, T>(&self, call: impl Fn() -> Call<'a, T>) -> Result<T, BrokerError> {
        match call().await {
            Err(error) if error.lacks_tables() => {
                self.prepare_again().await;
                call().await
            }
            outcome => outcome,
        }
    }

    /// Creates the tables, unless that was tried a moment ago.
    async fn prepare_again(&self) {
        // Locked until they are created, because calls that fail meanwhile wait for them.
        let mut prepared = self.prepared.lock().await;
        if prepared.is_some_and(|at| at.elapsed() < MIN_PREPARE_INTERVAL) {
            return;
        }
        *prepared = Some(Instant::now());
        warn!("A table of the tasks is missing: what it held is lost. Creating the tables again");
        if let Err(error) = self.broker.prepare().await {
            error!(%error, "The tables of the tasks cannot be created again, retrying later");
        }
    }
}

/// Implements calls whose parameters can be copied.
macro_rules! delegate {
    ($($call:ident($($argument:ident: $type:ty),*) -> $returned:ty;)*) => {$(
        fn $call<'a>(&'a self, $($argument: $type),*) -> Call<'a, $returned> {
            Box::pin(self.with_tables(move || self.broker.$call($($argument),*)))
        }
    )*};
}

impl<B: Broker> Broker for PreparingBroker<B> {
    fn prepare(&self) -> Call<'_, ()> {
        self.broker.prepare()
    }

    worker_calls!(delegate);

    fn settle(&self, worker: WorkerId, settlements: Vec<Settlement>) -> Call<'_, Settled> {
        Box::pin(async move {
            let settled = self.broker.settle(worker, settlements).await;
            // Not made again here, because the worker does: a copy of each batch, just in case, would cost more.
            if settled.as_ref().is_err_and(BrokerError::lacks_tables) {
                self.prepare_again().await;
            }
            settled
        })
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
        self.broker.run_background(stop)
    }

    fn flush(&self) -> Call<'_, ()> {
        self.broker.flush()
    }

    fn outbox(&self) -> Option<&dyn OutboxAdmin> {
        self.broker.outbox()
    }
}

impl<B: Broker> TaskAdmin for PreparingBroker<B> {
    admin_calls!(delegate);

    delegate! {
        task(id: &'a str) -> Option<TaskRecord>;
        revoke(filter: &'a TaskFilter) -> u64;
        purge(filter: &'a TaskFilter) -> u64;
    }
}

impl<B: Broker> CronStore for PreparingBroker<B> {
    cron_calls!(delegate);
}

impl<B: Broker + EnqueueInTransaction + 'static> EnqueueInTransaction for PreparingBroker<B> {
    fn enqueue_in<'a>(
        &'a self,
        tx: &'a mut Tx,
        tasks: &'a [NewTask],
        group: Option<&'a NewGroup>,
    ) -> Call<'a, ()> {
        Box::pin(async move {
            let enqueued = self.broker.enqueue_in(tx, tasks, group).await;
            if enqueued.as_ref().is_err_and(BrokerError::lacks_tables) {
                // In the background, because the caller's transaction may be the one that keeps others from writing. It
                // can only be rolled back: the next one finds the tables.
                let broker = self.clone();
                tokio::spawn(async move { broker.prepare_again().await });
            }
            enqueued
        })
    }

    fn is_outbox(&self) -> bool {
        self.broker.is_outbox()
    }

    fn record_opened(&self) {
        self.broker.record_opened();
    }
}
