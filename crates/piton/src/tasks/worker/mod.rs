//! [`Worker`]: claims tasks of a broker, runs them, and settles them.
//!
//! A worker registers and works in a session, which lasts as long as its lease. It has three loops: one claims
//! into a bounded buffer, one settles what has ended in batches, and one renews the lease; a runner for each slot takes
//! tasks out of the buffer. If the lease is lost, the whole session ends with all its tasks, and the next one starts
//! afresh: nothing of it is mistaken for the new one's.

mod attempt;
mod buffer;
mod claiming;
mod drain;
mod executor;
mod failure;
mod leasing;
mod maintenance;
mod message;
mod monitored;
mod overrides;
mod pending;
mod prefetch;
mod registry;
mod session;
mod settling;
mod shared;
mod slot;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use super::brokers::Broker;
use super::brokers::records::WorkerId;
use super::clock::Clock;
use super::health::TasksState;
use super::metrics::TaskMetrics;
use super::monitored_worker::{MonitoredWorker, TaskEvents};
use super::settings::TasksSettings;
use super::task::Task;
use crate::handle::Handle;
use crate::stop_signal::Stop;
use executor::Executor;
use overrides::Overrides;
use registry::Registry;
use session::{Session, SessionEnd};
use settling::BROKER_BACKOFF;
use shared::Shared;

/// The time for the broker to end the registration.
const UNREGISTER_TIMEOUT: Duration = Duration::from_millis(500);

/// The settings of one worker.
#[derive(Clone, Debug)]
pub(super) struct WorkerConfig {
    /// Such as `registry@host:4711`.
    pub name: String,
    /// The queues to read; empty means every queue that a task names.
    pub queues: Vec<String>,
    pub concurrency: u32,
    pub lease: Duration,
    pub poll_interval: Duration,
    pub stop_grace: Duration,
    pub keep_results: Duration,
    pub keep_failures: Duration,
    pub max_losses: u32,
}

impl WorkerConfig {
    pub fn new(name: impl Into<String>, settings: &TasksSettings) -> Self {
        Self {
            name: name.into(),
            queues: settings.queues.clone(),
            concurrency: settings.concurrency,
            lease: settings.lease,
            poll_interval: settings.poll_interval,
            stop_grace: settings.stop_grace,
            keep_results: settings.keep_results,
            keep_failures: settings.keep_failures,
            max_losses: settings.max_losses,
        }
    }
}

/// Runs the tasks of a service. Cheap to clone.
#[derive(Clone)]
pub(super) struct Worker(Arc<Shared>);

impl Worker {
    pub fn new(
        config: WorkerConfig,
        broker: Arc<dyn Broker>,
        tasks: Vec<Task>,
        handle: Handle,
        clock: Clock,
        metrics: TaskMetrics,
        state: Arc<TasksState>,
    ) -> Self {
        let registry = Registry::new(tasks, &metrics);
        let queues =
            if config.queues.is_empty() { registry.queues() } else { config.queues.clone() };
        let executor = Executor {
            handle,
            clock,
            registry,
            metrics,
            max_losses: config.max_losses,
            origin: config.name.clone(),
            never: Stop::never(),
            overrides: Overrides::default(),
            totals: Mutex::default(),
            events: TaskEvents::default(),
        };
        let queues = RwLock::new(queues.into());
        Self(Arc::new(Shared {
            config,
            broker,
            executor,
            state,
            queues,
            session: Mutex::default(),
        }))
    }

    /// Runs tasks until `stop`, and at most about ten seconds longer. Dropping the future is as if the process were
    /// killed: the tasks run again after the lease.
    pub async fn run(&self, stop: Stop) {
        let worker: Arc<dyn MonitoredWorker> = self.0.clone();
        // Until the last task has ended, so that monitors see its end.
        let (trigger, ended) = Stop::new();
        let monitored = self.0.broker.serve_monitors(worker, ended);
        let work = async {
            self.work(stop).await;
            trigger.stop();
        };
        tokio::join!(work, monitored);
    }

    async fn work(&self, stop: Stop) {
        let Shared { config, state, .. } = &*self.0;
        let (name, concurrency) = (&config.name, config.concurrency);
        let queues = self.0.queues().join(", ");
        info!(worker = name, "Running tasks of {queues}, {concurrency} at a time");
        self.warn_of_unknown_queues();
        state.set_worker(Some(name));
        let mut supervisor = self.0.supervise("the worker");
        while let Some((worker, registered)) = self.register(&stop).await {
            let session = Session::new(self.0.clone(), worker, registered, stop.clone());
            let session = Arc::new(session);
            *self.0.session.lock() = Arc::downgrade(&session);
            match supervisor.catch(session.run()).await {
                Ok(SessionEnd::Stopped) => {
                    self.unregister(worker).await;
                    break;
                }
                Ok(SessionEnd::LeaseLost) => warn!(
                    worker = name,
                    "The worker lost its lease, or could not renew it in time: its tasks are cancelled and will run again. If \
                     the broker is slow, raise `tasks.lease`"
                ),
                Err(panic) => {
                    // Its tasks are cancelled with it, and are given back at once.
                    self.unregister(worker).await;
                    supervisor.pause(panic, &stop).await;
                }
            }
        }
        state.set_worker(None);
        info!(worker = name, "The worker has stopped");
    }

    /// Warns of queues that no task names. They are read nonetheless, because calls may name them, and other programs may
    /// send there.
    fn warn_of_unknown_queues(&self) {
        let unknown = self.0.unknown_queues();
        if unknown.is_empty() {
            return;
        }
        warn!(
            worker = self.0.config.name,
            "No task of this service names the queue {}: is that a typing error? The queues of its tasks are {}",
            unknown.join(", "),
            self.0.executor.registry.queues().join(", ")
        );
    }

    /// Registers. Returns `None` if the service stops before the broker is available.
    async fn register(&self, stop: &Stop) -> Option<(WorkerId, Instant)> {
        let info = self.0.worker_info();
        let mut backoff = BROKER_BACKOFF;
        while !stop.is_stopped() {
            // Before the call: the lease of the broker begins later.
            let registered = Instant::now();
            let registration = self.0.broker.register(&info, self.0.config.lease);
            let registration = tokio::select! {
                registration = registration => registration,
                () = stop.stopped() => break,
            };
            if let Ok(worker) = self.0.record_answer(registration) {
                if registered.elapsed() < self.0.config.lease / 2 {
                    return Some((worker, registered));
                }
                // Given up, because the lease may be over before its first renewal, and the tasks that have started
                // would be lost with it.
                self.unregister(worker).await;
                continue;
            }
            tokio::select! {
                () = sleep(backoff.next_delay()) => {}
                () = stop.stopped() => {}
            }
        }
        None
    }

    async fn unregister(&self, worker: WorkerId) {
        // Without it, the lease expires.
        let unregistered = timeout(UNREGISTER_TIMEOUT, self.0.broker.unregister(worker)).await;
        if !matches!(unregistered, Ok(Ok(()))) {
            warn!("The worker could not be unregistered; its lease expires by itself");
        }
    }
}
