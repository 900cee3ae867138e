//! The result of a task, as stored under `celery-task-meta-<id>`.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::exception::Exception;
use crate::iso_date_time::IsoDateTime;
use crate::lenient;
use crate::python_json;
use crate::result_tuple::ResultTuple;

/// The result of a task.
///
/// Store it, and publish the same bytes on the channel of the key's name: Python's `get()` waits for them.
///
/// ```
/// use piton_celery::TaskResult;
/// let json = TaskResult::success("my-id", 5).done(chrono::Utc::now()).to_vec()?;
/// let result = TaskResult::from_slice(&json)?;
/// assert_eq!((result.result, result.task_id.as_str()), (5.into(), "my-id"));
/// # Ok::<(), piton_celery::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct TaskResult {
    /// The state of the task.
    #[serde(deserialize_with = "lenient::null_as_default")]
    pub status: Status,
    /// The return value, with Kombu's [`typed_values`](crate::typed_values) in it. After a failure, a retry or a
    /// revocation it is an [`Exception`], and for a task that has started `{"pid", "hostname"}`.
    pub result: Value,
    /// The traceback, as text of several lines.
    pub traceback: Option<String>,
    /// The tasks that this one has sent. `None` if it was revoked by a worker that did not run it.
    pub children: Option<Vec<ResultTuple>>,
    /// The time at which the task was done.
    #[serde(deserialize_with = "lenient::time")]
    pub date_done: Option<IsoDateTime>,
    /// The id of the task. A Python process that receives a result without it breaks.
    #[serde(deserialize_with = "lenient::null_as_default")]
    pub task_id: String,
    /// The id of the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_id: Option<String>,
    /// The id of the task that sent this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    /// The name of the task. This field and those below are stored with `result_extended`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The positional arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args: Option<Value>,
    /// The arguments by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kwargs: Option<Value>,
    /// The name of the worker, such as `w1@host`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// The number of retries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// The queue that the task came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// All other members, among them the stamps with `result_extended`.
    #[serde(flatten, serialize_with = "extra")]
    pub extra: Map<String, Value>,
}

const DEFINED: [&str; 14] = [
    "status",
    "result",
    "traceback",
    "children",
    "date_done",
    "task_id",
    "group_id",
    "parent_id",
    "name",
    "args",
    "kwargs",
    "worker",
    "retries",
    "queue",
];

fn extra<S: Serializer>(extra: &Map<String, Value>, serializer: S) -> Result<S::Ok, S::Error> {
    lenient::undefined_fields(extra, &DEFINED, serializer)
}

impl TaskResult {
    /// Returns a result in a state of any name.
    #[must_use]
    pub fn new(task_id: impl Into<String>, status: Status, result: impl Into<Value>) -> Self {
        Self {
            task_id: task_id.into(),
            status,
            result: result.into(),
            children: Some(Vec::new()),
            ..Self::default()
        }
    }

    /// Returns the result of a task that has returned `result`.
    #[must_use]
    pub fn success(task_id: impl Into<String>, result: impl Into<Value>) -> Self {
        Self::new(task_id, Status::Success, result)
    }

    /// Returns the result of a task that has failed.
    #[must_use]
    pub fn failure(task_id: impl Into<String>, exception: &Exception) -> Self {
        Self::new(task_id, Status::Failure, json!(exception))
    }

    /// Returns the result of a task that was not run, or stopped.
    #[must_use]
    pub fn revoked(task_id: impl Into<String>, exception: &Exception) -> Self {
        Self::new(task_id, Status::Revoked, json!(exception))
    }

    /// Returns the result of a task that will run again because of `exception`.
    #[must_use]
    pub fn retry(task_id: impl Into<String>, exception: &Exception) -> Self {
        Self::new(task_id, Status::Retry, json!(exception))
    }

    /// Returns the result of a task that is running.
    #[must_use]
    pub fn started(task_id: impl Into<String>, pid: u32, hostname: &str) -> Self {
        Self::new(task_id, Status::Started, json!({"pid": pid, "hostname": hostname}))
    }

    /// Sets the time at which the task was done. Celery sets it in [`Status::is_ready`] states.
    #[must_use]
    pub fn done(self, time: impl Into<IsoDateTime>) -> Self {
        Self { date_done: Some(time.into()), ..self }
    }

    /// Sets the traceback.
    #[must_use]
    pub fn traceback(self, traceback: impl Into<String>) -> Self {
        Self { traceback: Some(traceback.into()), ..self }
    }

    /// Returns the exception of a task that failed, was revoked, or runs again.
    #[must_use]
    pub fn exception(&self) -> Option<Exception> {
        match self.status {
            Status::Failure | Status::Revoked | Status::Retry => {
                Exception::deserialize(&self.result).ok()
            }
            _ => None,
        }
    }

    /// Reads a result.
    ///
    /// # Errors
    /// [`Kind::Malformed`](crate::Kind::Malformed) if it is not the JSON of a result.
    pub fn from_slice(json: &[u8]) -> Result<Self, Error> {
        python_json::from_slice(json)
    }

    /// Writes the result.
    ///
    /// # Errors
    /// [`Kind::Incomplete`](crate::Kind::Incomplete) if `task_id` or `status` is empty, which breaks the Python process
    /// that reads it.
    pub fn to_vec(&self) -> Result<Vec<u8>, Error> {
        if self.task_id.is_empty() {
            return Err(Error::incomplete("task_id"));
        }
        if self.status.name().is_empty() {
            return Err(Error::incomplete("status"));
        }
        python_json::to_vec(self)
    }
}

/// The state of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
#[non_exhaustive]
pub enum Status {
    /// Stands for a task without a stored result: it waits, or its id is wrong.
    #[default]
    Pending,
    /// A worker has the task. Only shown, never stored.
    Received,
    /// The task is running. Stored with `task_track_started`.
    Started,
    /// The task has returned.
    Success,
    /// The task has failed.
    Failure,
    /// The task was not run, or stopped.
    Revoked,
    /// The task has rejected its message.
    Rejected,
    /// The task will run again.
    Retry,
    /// The task has ignored its message.
    Ignored,
    /// A state of the task's own, such as `PROGRESS`.
    Custom(String),
}

impl Status {
    /// Returns the name, in upper case.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Pending => "PENDING",
            Self::Received => "RECEIVED",
            Self::Started => "STARTED",
            Self::Success => "SUCCESS",
            Self::Failure => "FAILURE",
            Self::Revoked => "REVOKED",
            Self::Rejected => "REJECTED",
            Self::Retry => "RETRY",
            Self::Ignored => "IGNORED",
            Self::Custom(name) => name,
        }
    }

    /// Returns whether the state is final: Celery's `READY_STATES`.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Success | Self::Failure | Self::Revoked)
    }
}

impl From<String> for Status {
    fn from(name: String) -> Self {
        match name.as_str() {
            "PENDING" => Self::Pending,
            "RECEIVED" => Self::Received,
            "STARTED" => Self::Started,
            "SUCCESS" => Self::Success,
            "FAILURE" => Self::Failure,
            "REVOKED" => Self::Revoked,
            "REJECTED" => Self::Rejected,
            "RETRY" => Self::Retry,
            "IGNORED" => Self::Ignored,
            _ => Self::Custom(name),
        }
    }
}

impl From<Status> for String {
    fn from(status: Status) -> Self {
        match status {
            Status::Custom(name) => name,
            status => status.name().to_owned(),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn every_member_is_among_the_defined_ones() {
        let full = json!({"group_id": "a", "parent_id": "a", "name": "a", "args": [], "kwargs": {}, "worker": "a", "retries": 0, "queue": "a"});
        let full: TaskResult = serde_json::from_value(full).unwrap();
        let written = json!(full);
        let names = written.as_object().unwrap();
        assert_eq!(names.len(), DEFINED.len());
        assert!(DEFINED.iter().all(|name| names.contains_key(*name)));
    }

    #[test]
    fn a_result_that_would_break_python_is_not_written() {
        assert_eq!(TaskResult::success("", 1).to_vec().unwrap_err().kind(), Kind::Incomplete);
        let nameless = TaskResult::new("1", Status::Custom(String::new()), 1);
        assert_eq!(nameless.to_vec().unwrap_err().kind(), Kind::Incomplete);
    }

    #[test]
    fn the_least_that_python_reads_is_read() {
        let result =
            TaskResult::from_slice(br#"{"status": "SUCCESS", "result": 7, "task_id": "1"}"#)
                .unwrap();
        assert_eq!(result, TaskResult { children: None, ..TaskResult::success("1", 7) });
    }

    #[test]
    fn the_exception_of_a_failure_comes_back() {
        let exception = Exception::builtin("ValueError", "msg");
        let failure = TaskResult::failure("1", &exception).traceback("Traceback ...");
        let read = TaskResult::from_slice(&failure.to_vec().unwrap()).unwrap();
        assert_eq!(read.exception(), Some(exception));
        assert_eq!(TaskResult::success("1", read.result).exception(), None);
    }

    #[test]
    fn any_text_is_a_state() {
        for name in ["SUCCESS", "PROGRESS", "success", ""] {
            assert_eq!(Status::from(name.to_owned()).to_string(), name);
        }
        assert!(Status::Revoked.is_ready() && !Status::Retry.is_ready());
    }
}
