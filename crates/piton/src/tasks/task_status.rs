//! [`TaskStatus`]: the state of a task as clients read it.

use chrono::{DateTime, Utc};
use piton_celery::Exception;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::brokers::records::{TaskRecord, TaskState};
use super::error::Error;

/// The state of a task: of its sender by [`Sent::status`](super::Sent::status), of clients by the route of
/// [`App::task_status`](crate::App::task_status).
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct TaskStatus {
    /// The task's id.
    pub id: String,
    /// The task's name.
    pub name: String,
    /// The state.
    pub state: State,
    /// What the task has reported last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Value>,
    /// The result of a success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// The reason of a failure, or of the last attempt that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<TaskFault>,
    /// The number of attempts that ended in a retry.
    pub retries: u32,
    /// The time at which it was sent.
    pub created_at: DateTime<Utc>,
    /// The time before which it does not start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<DateTime<Utc>>,
    /// The time at which its last attempt started, once it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime<Utc>>,
    /// The time at which it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<DateTime<Utc>>,
    /// The task that sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
}

/// The states of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum State {
    /// Waits for a worker.
    Queued,
    /// Waits for its time.
    Scheduled,
    /// Waits for its next attempt.
    Retrying,
    /// A worker has it.
    Running,
    /// Has ended well.
    Succeeded,
    /// Has failed.
    Failed,
    /// Was revoked, or has expired.
    Revoked,
}

impl State {
    /// Returns whether the task has ended.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Revoked)
    }
}

impl From<TaskState> for State {
    fn from(state: TaskState) -> Self {
        match state {
            TaskState::Queued => Self::Queued,
            TaskState::Scheduled => Self::Scheduled,
            TaskState::Retrying => Self::Retrying,
            TaskState::Running => Self::Running,
            TaskState::Succeeded => Self::Succeeded,
            TaskState::Failed => Self::Failed,
            TaskState::Revoked => Self::Revoked,
        }
    }
}

/// The reason of a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct TaskFault {
    /// The class of the exception, such as `TaskError` or `TimeLimitExceeded`.
    pub r#type: String,
    /// The text. Left out for clients, unless the task has written it for them (`piton::tasks::Error::new`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl TaskStatus {
    pub(super) fn of(record: TaskRecord) -> Self {
        let result = record.result.as_deref().map(parse);
        let (result, error) = match record.state {
            TaskState::Succeeded => (result, None),
            _ => (None, result.and_then(fault)),
        };
        Self {
            id: record.id,
            name: record.name,
            state: record.state.into(),
            progress: record.progress.as_deref().map(parse),
            result,
            error,
            retries: record.retries,
            created_at: time(record.created_at_ms),
            due_at: record.due_at_ms.map(time),
            started_at: record.started_at_ms.map(time),
            finished_at: record.finished_at_ms.map(time),
            parent_id: record.parent_id,
        }
    }

    /// Returns the status without the text of errors that was not written for clients.
    #[must_use]
    pub(super) fn for_clients(mut self, record_is_public: bool) -> Self {
        if !record_is_public && let Some(error) = &mut self.error {
            error.message = None;
        }
        self
    }
}

/// Returns whether the exception of an unfinished or failed task was written for clients.
pub(super) fn has_declared_error(record: &TaskRecord) -> bool {
    let exception = record.result.as_deref().and_then(|json| serde_json::from_str(json).ok());
    exception.is_some_and(|exception: Exception| Error::is_declared(&exception))
}

fn parse(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or(Value::Null)
}

fn fault(exception: Value) -> Option<TaskFault> {
    let exception: Exception = serde_json::from_value(exception).ok()?;
    let parts = exception.exc_message.iter().map(|part| match part {
        Value::String(text) => text.clone(),
        part => part.to_string(),
    });
    let message = parts.collect::<Vec<_>>().join(", ");
    Some(TaskFault { r#type: exception.exc_type, message: Some(message) })
}

fn time(at_ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at_ms).unwrap_or_default()
}
