//! [`Sent`]: a task that was sent, to wait for its result.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::accepted::Accepted;
use super::error::{BrokerError, Kind};
use super::task_failure::TaskFailure;
use super::task_status::TaskStatus;
use super::tasks_part::Tasks;

/// A task that was sent. `T` is the type of its result.
pub struct Sent<T = Value> {
    tasks: Tasks,
    id: String,
    output: PhantomData<fn() -> T>,
}

impl<T> Sent<T> {
    pub(super) fn new(tasks: Tasks, id: String) -> Self {
        Self { tasks, id, output: PhantomData }
    }

    /// Returns the task's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the response 202 with the URL of the task's status; see [`Accepted`].
    #[must_use]
    pub fn accepted(&self) -> Accepted {
        Accepted::new(&self.id, self.tasks.status_url(&self.id))
    }

    /// Returns the task's state, its progress and, once it has ended, its result. `None` if nothing is known
    /// of it: its result has expired, or it ended without one.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] if the broker cannot be asked now.
    pub async fn status(&self) -> Result<Option<TaskStatus>, BrokerError> {
        self.tasks.status(&self.id).await
    }

    /// Revokes the task. A task that is running is cancelled at its next `await`.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] if the broker cannot be reached now.
    pub async fn revoke(&self) -> Result<(), BrokerError> {
        self.tasks.revoke(&self.id).await.map(drop)
    }
}

impl<T: DeserializeOwned> Sent<T> {
    /// Waits until the task has ended, and returns its result. In a task or a handler prefer to store the id: what
    /// waits holds its place.
    ///
    /// # Errors
    /// [`TaskFailure`] if the task failed or was revoked, or has not ended within `timeout`, or its result is no `T`.
    pub async fn result(&self, timeout: Duration) -> Result<T, TaskFailure> {
        let value = self.tasks.result(&self.id, timeout).await?;
        serde_json::from_value(value).map_err(|error| {
            let why = format!("the result of task {} has another type: {error}", self.id);
            TaskFailure::Broker(BrokerError::new(Kind::Invalid, why))
        })
    }
}

impl<T> fmt::Debug for Sent<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sent").field(&self.id).finish()
    }
}
