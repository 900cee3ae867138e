//! [`Shared`]: what all sessions of a worker have in common.

use std::sync::{Arc, Weak};

use parking_lot::{Mutex, RwLock};

use super::WorkerConfig;
use super::executor::Executor;
use super::session::Session;
use crate::tasks::brokers::Broker;
use crate::tasks::brokers::records::WorkerInfo;
use crate::tasks::error::{BrokerError, Kind};
use crate::tasks::health::TasksState;
use crate::tasks::supervision::Supervisor;

pub(super) struct Shared {
    pub config: WorkerConfig,
    pub broker: Arc<dyn Broker>,
    pub executor: Executor,
    pub state: Arc<TasksState>,
    /// The queues that are read.
    pub queues: RwLock<Arc<[String]>>,
    /// The session that works now.
    pub session: Mutex<Weak<Session>>,
}

impl Shared {
    /// Records for the health whether the broker has answered. An error that is not about its availability is one.
    pub fn record_answer<T>(&self, result: Result<T, BrokerError>) -> Result<T, BrokerError> {
        match &result {
            Err(error) if error.kind() == Kind::Unavailable => self.state.record_unavailable(error),
            _ => self.state.record_available(),
        }
        result
    }

    /// Returns the supervisor of a loop.
    pub fn supervise<'a>(&'a self, name: &'a str) -> Supervisor<'a> {
        Supervisor::new(name, &self.state, &self.executor.metrics)
    }

    pub fn queues(&self) -> Arc<[String]> {
        self.queues.read().clone()
    }

    /// Returns the queues that are read and that no task names.
    pub fn unknown_queues(&self) -> Vec<String> {
        let known = self.executor.registry.queues();
        self.queues().iter().filter(|queue| !known.contains(queue)).cloned().collect()
    }

    pub fn worker_info(&self) -> WorkerInfo {
        WorkerInfo {
            name: self.config.name.clone(),
            queues: self.queues().to_vec(),
            concurrency: self.config.concurrency,
            started_at_ms: self.executor.clock.now_ms(),
        }
    }
}
