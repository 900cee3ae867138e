//! [`Tasks`]: the part that sends tasks, asks for them, and runs them if the service has a worker.

use std::sync::Arc;
use std::time::Duration;

use piton_celery::{Exception, python_json};
use serde_json::Value;
use tokio::time::Instant;

use super::brokers::Broker;
use super::brokers::database::InTransactions;
use super::brokers::records::{TaskFilter, TaskState};
use super::clock::Clock;
use super::cron::Scheduler;
use super::error::{BrokerError, Kind};
use super::health::TasksState;
use super::metrics::TaskMetrics;
use super::settings::TasksSettings;
use super::task::Task;
use super::task_failure::TaskFailure;
use super::task_status::TaskStatus;
use crate::context;
use crate::support::backoff::{Backoff, JITTER};

/// Delays between two looks for a result.
const RESULT_BACKOFF: Backoff =
    Backoff::new(Duration::from_millis(2), Duration::from_millis(250), JITTER);

/// Maximum number of children that [`Tasks::children`] returns.
const MAX_CHILDREN: usize = 1000;

/// Sends tasks, and asks for their states. Handlers and tasks take it as an argument: `tasks: Tasks`.
///
/// ```
/// use std::time::Duration;
/// use piton::prelude::*;
/// use piton::tasks::{Call, Tasks};
///
/// #[post("/exports")]
/// async fn export(tasks: Tasks) -> Result<String> {
///     let sent = tasks.send(Call::<u64>::new("shop.export")).await?;
///     Ok(format!("{} rows", sent.result(Duration::from_secs(5)).await?))
/// }
/// # fn main() {}
/// ```
#[derive(Clone)]
pub struct Tasks(pub(super) Arc<SharedTasks>);

/// The state that all clones of [`Tasks`] share.
pub(super) struct SharedTasks {
    pub broker: Arc<dyn Broker>,
    pub in_transactions: InTransactions,
    /// True if other processes see the same tasks.
    pub is_shared: bool,
    pub clock: Clock,
    /// The name of this process: `registry@host:4711`.
    pub process: String,
    pub max_message_bytes: usize,
    /// The path of [`App::task_status`](crate::App::task_status).
    pub status_path: Option<String>,
    pub settings: TasksSettings,
    pub tasks: Vec<Task>,
    pub scheduler: Scheduler,
    /// Set if this process runs tasks and schedules.
    pub runs_tasks: bool,
    pub metrics: TaskMetrics,
    pub state: Arc<TasksState>,
}

impl Tasks {
    /// Returns the part of the app that the code runs in.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if there is no such app, or nothing of it needs tasks; [`Kind::Unavailable`] if its broker
    /// was not reached yet.
    pub fn current() -> Result<Self, BrokerError> {
        let app = context::try_app().map_err(|why| {
            BrokerError::new(Kind::Invalid, format!("no app runs here to send tasks: {why}"))
        })?;
        app.try_part().map_err(|error| {
            let kind = match error.status() {
                http::StatusCode::SERVICE_UNAVAILABLE => Kind::Unavailable,
                _ => Kind::Invalid,
            };
            let why = error.detail().map_or_else(|| error.to_string(), str::to_owned);
            BrokerError::new(kind, why)
        })
    }

    /// Returns the state of a task. `None` if nothing is known of it: there is no such task, its result has
    /// expired, or it ended without one.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] if the broker cannot be asked now.
    pub async fn status(&self, id: &str) -> Result<Option<TaskStatus>, BrokerError> {
        Ok(self.0.broker.task(id).await?.map(TaskStatus::of))
    }

    /// Returns the tasks that a task has sent, the newest first, at most 1,000.
    ///
    /// # Errors
    /// Those of [`status`](Self::status).
    pub async fn children(&self, id: &str) -> Result<Vec<TaskStatus>, BrokerError> {
        let filter = TaskFilter {
            parent_id: Some(id.to_owned()),
            limit: MAX_CHILDREN,
            ..TaskFilter::default()
        };
        let records = self.0.broker.list(&filter).await?;
        Ok(records.into_iter().map(TaskStatus::of).collect())
    }

    /// Revokes a task: it does not start any more, and is cancelled at its next `await` if it runs. Returns false if it
    /// has ended, or is not known.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] if the broker cannot be reached now.
    pub async fn revoke(&self, id: &str) -> Result<bool, BrokerError> {
        let filter = TaskFilter { ids: vec![id.to_owned()], ..TaskFilter::default() };
        Ok(self.0.broker.revoke(&filter).await? > 0)
    }

    /// Waits until a task has ended, and returns its result.
    ///
    /// # Errors
    /// Those of [`Sent::result`](super::Sent::result).
    pub async fn result(&self, id: &str, timeout: Duration) -> Result<Value, TaskFailure> {
        let deadline = Instant::now() + timeout;
        let mut backoff = RESULT_BACKOFF;
        loop {
            if let Some(ended) = self.ended(id).await? {
                return ended;
            }
            let delay = backoff.next_delay();
            if Instant::now() + delay > deadline {
                let time = humantime::format_duration(timeout);
                let why = format!("task {id} has no result after {time}");
                return Err(BrokerError::new(Kind::Timeout, why).into());
            }
            let _ = tokio::time::timeout(delay, self.0.broker.changed(id)).await;
        }
    }

    /// Returns the result of a task that has ended.
    async fn ended(&self, id: &str) -> Result<Option<Result<Value, TaskFailure>>, BrokerError> {
        let Some(record) = self.0.broker.task(id).await? else { return Ok(None) };
        let json = record.result.as_deref().unwrap_or("null");
        let malformed = |error: piton_celery::Error| {
            BrokerError::new(Kind::Other, format!("the stored result of task {id}: {error}"))
        };
        Ok(match record.state {
            TaskState::Succeeded => {
                Some(Ok(python_json::from_slice(json.as_bytes()).map_err(malformed)?))
            }
            TaskState::Failed => {
                let exception: Exception =
                    python_json::from_slice(json.as_bytes()).map_err(malformed)?;
                Some(Err(TaskFailure::Failed(exception)))
            }
            TaskState::Revoked => Some(Err(TaskFailure::Revoked)),
            _ => None,
        })
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.0.clock.now_ms()
    }

    pub(super) fn broker(&self) -> &Arc<dyn Broker> {
        &self.0.broker
    }

    /// Returns the path at which the state of a task is served.
    pub(super) fn status_url(&self, id: &str) -> Option<String> {
        let path = self.0.status_path.as_ref()?;
        Some(format!("{path}/{id}"))
    }
}

impl std::fmt::Debug for Tasks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Tasks").field(&self.0.process).finish()
    }
}
