//! Replies of workers to requests.
//!
//! Source: `celery/worker/control.py`, `celery/worker/request.py`, `kombu/entity.py` (Celery 5.7.0).

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::envelope::Envelope;
use crate::error::Error;
use crate::exception::Exception;
use crate::iso_date_time::IsoDateTime;
use crate::properties::Properties;
use crate::python_json;
use crate::task_body::TaskBody;

/// The reply of a worker to a request.
///
/// | Command | Reply |
/// |---|---|
/// | `ping`, and all that change something | [`ok`](Self::ok) or [`error`](Self::error) |
/// | `active`, `reserved` | [`value`](Self::value) of a list of [`TaskInfo`] |
/// | `scheduled` | of a list of [`ScheduledTask`] |
/// | `query_task` | of a map from id to ([`TaskStage`], [`TaskInfo`]) |
/// | `active_queues` | of a list of [`queue_info`] |
/// | `registered`, `revoked` | of a list of text |
/// | `hello` of another worker | of an object with `revoked`, a list of ids, and `clock` |
/// | `hello` of the worker itself | of null |
#[derive(Clone, Debug, PartialEq)]
pub enum ControlReply {
    /// The command was carried out: `{"ok": ..}`.
    Ok(Value),
    /// The command was not carried out: `{"error": ..}`, with the reason.
    Error(String),
    /// The answer to a question.
    Value(Value),
}

impl ControlReply {
    /// Returns the reply of a command that was carried out, such as `pong`.
    #[must_use]
    pub fn ok(message: impl Into<Value>) -> Self {
        Self::Ok(message.into())
    }

    /// Returns the reply of a command that was not carried out.
    #[must_use]
    pub fn error(reason: impl Into<String>) -> Self {
        Self::Error(reason.into())
    }

    /// Returns the reply of Celery to a command that it does not know.
    #[must_use]
    pub fn unknown_command(method: &str) -> Self {
        Self::error(Exception::builtin("KeyError", method).to_string())
    }

    /// Returns the answer to a question.
    ///
    /// # Errors
    /// [`Kind::Malformed`](crate::Kind::Malformed) if `answer` cannot be written as JSON.
    pub fn value(answer: impl Serialize) -> Result<Self, Error> {
        // Numbers that only Python has stay as they are, as in a message that is forwarded.
        let json = python_json::to_vec(&answer)?;
        python_json::from_slice(&json).map(Self::Value)
    }
}

impl Serialize for ControlReply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Ok(message) => serializer.collect_map([("ok", message)]),
            Self::Error(reason) => serializer.collect_map([("error", reason)]),
            Self::Value(answer) => answer.serialize(serializer),
        }
    }
}

/// A task that a worker has, as `active`, `reserved`, `scheduled` and `query_task` report it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TaskInfo {
    /// The id of the task.
    pub id: String,
    /// The name of the task, or the one to show instead.
    pub name: String,
    /// The positional arguments: a list, or its representation if the request has `safe`.
    pub args: Value,
    /// The arguments by name: an object, or its representation if the request has `safe`.
    pub kwargs: Value,
    /// The name of the task.
    #[serde(rename = "type")]
    pub task: String,
    /// The name of the worker.
    pub hostname: String,
    /// The time at which the task started, in seconds since the Unix epoch.
    #[serde(rename = "time_start")]
    pub started_seconds: Option<f64>,
    /// True if the message was acknowledged, so that the task would be lost with its worker.
    pub acknowledged: bool,
    /// The origin of the message.
    pub delivery_info: TaskDeliveryInfo,
    /// The id of the process that runs the task.
    pub worker_pid: Option<u32>,
}

impl TaskInfo {
    /// Returns the information on a task that has not started.
    #[must_use]
    pub fn new(envelope: &Envelope, body: &TaskBody, hostname: impl Into<String>) -> Self {
        let headers = &envelope.headers;
        let shadow = headers.shadow.clone().filter(|shadow| !shadow.is_empty());
        Self {
            id: headers.id.clone(),
            name: shadow.unwrap_or_else(|| headers.task.clone()),
            args: body.args.clone().into(),
            kwargs: body.kwargs.clone().into(),
            task: headers.task.clone(),
            hostname: hostname.into(),
            started_seconds: None,
            acknowledged: false,
            delivery_info: TaskDeliveryInfo::from(&envelope.properties),
            worker_pid: None,
        }
    }
}

/// The origin of a task's message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TaskDeliveryInfo {
    /// The exchange. Empty means that the routing key is the name of the queue.
    pub exchange: String,
    /// The routing key.
    pub routing_key: String,
    /// The priority: on Redis 0 is served first, and 9 last.
    pub priority: u8,
    /// True if the message was restored after a worker had received it.
    pub redelivered: bool,
}

impl From<&Properties> for TaskDeliveryInfo {
    fn from(properties: &Properties) -> Self {
        let info = &properties.delivery_info;
        Self {
            exchange: info.exchange.clone(),
            routing_key: info.routing_key.clone(),
            priority: properties.priority,
            redelivered: info.redelivered.unwrap_or_default(),
        }
    }
}

/// A task that waits for its time, as `scheduled` reports it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ScheduledTask {
    /// The time before which the task is not run.
    pub eta: Option<IsoDateTime>,
    /// The priority among all that waits in the worker. That of tasks is 6.
    pub priority: u8,
    /// The task.
    pub request: TaskInfo,
}

impl ScheduledTask {
    /// Returns a task that waits until `eta`.
    #[must_use]
    pub fn new(eta: impl Into<IsoDateTime>, request: TaskInfo) -> Self {
        Self { eta: Some(eta.into()), priority: 6, request }
    }
}

/// The stage of a task in a worker, as `query_task` reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TaskStage {
    /// The task is running.
    Active,
    /// The task waits for a free place.
    Reserved,
    /// The task waits for its time.
    Scheduled,
    /// The task is done.
    Ready,
}

/// Returns a queue as `active_queues` reports it, which is bound to a direct exchange of its own name.
///
/// All members of Kombu's queue are there: Flower's page of a worker fails with status 500 without `alias`.
#[must_use]
pub fn queue_info(name: &str) -> Value {
    json!({
        "name": name,
        "exchange": {
            "name": name,
            "type": "direct",
            "arguments": null,
            "durable": true,
            "passive": false,
            "auto_delete": false,
            "delivery_mode": null,
            "no_declare": false,
        },
        "routing_key": name,
        "queue_arguments": null,
        "binding_arguments": null,
        "consumer_arguments": null,
        "durable": true,
        "exclusive": false,
        "auto_delete": false,
        "no_ack": false,
        "alias": null,
        "bindings": [],
        "no_declare": null,
        "expires": null,
        "message_ttl": null,
        "max_length": null,
        "max_length_bytes": null,
        "max_priority": null,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task_headers::TaskHeaders;

    #[test]
    fn replies_are_written_as_celerys() {
        assert_eq!(json!(ControlReply::ok("pong")), json!({"ok": "pong"}));
        assert_eq!(json!(ControlReply::error("unknown task")), json!({"error": "unknown task"}));
        assert_eq!(
            json!(ControlReply::unknown_command("no'such")),
            json!({"error": "KeyError(\"no'such\")"})
        );
        assert_eq!(json!(ControlReply::value(["a"]).unwrap()), json!(["a"]));
        assert_eq!(json!(ControlReply::value(None::<u8>).unwrap()), json!(null));
        let stages =
            [TaskStage::Active, TaskStage::Reserved, TaskStage::Scheduled, TaskStage::Ready];
        assert_eq!(json!(stages), json!(["active", "reserved", "scheduled", "ready"]));
    }

    #[test]
    fn a_task_is_reported_with_its_shadow_and_its_own_name() {
        let mut headers = TaskHeaders::new("proj.add", "1");
        headers.shadow = Some("sum".into());
        let body = TaskBody::new(vec![1.into()], Default::default());
        let mut properties = Properties::new("celery", "tag");
        properties.delivery_info.redelivered = Some(true);
        let envelope = Envelope::task(headers, properties, &body).unwrap();
        let info = TaskInfo::new(&envelope, &body, "w1@vm");
        assert_eq!((info.name.as_str(), info.task.as_str()), ("sum", "proj.add"));
        assert!(info.delivery_info.redelivered);
    }

    #[test]
    fn numbers_that_only_python_has_are_reported_as_they_are() {
        let args: Value = python_json::from_slice(b"[NaN, 100000000000000000000]").unwrap();
        let reply = ControlReply::value(args).unwrap();
        assert_eq!(python_json::to_vec(&reply).unwrap(), b"[NaN,100000000000000000000]");
    }
}
