//! Events of workers and tasks, which monitors such as Flower and other workers listen to.
//!
//! Source: `celery/events`, and the senders in `celery/worker` (Celery 5.7.0).

use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::envelope::Envelope;
use crate::error::Error;
use crate::iso_date_time::IsoDateTime;
use crate::properties::Properties;
use crate::task_headers::TaskHeaders;

/// The exchange of events, unless Celery's `event_exchange` names another one: then set it in the
/// `properties.delivery_info` of each message.
///
/// On Redis an event is published on the channel `/<database>.celeryev/<routing key>`.
pub const EVENT_EXCHANGE: &str = "celeryev";

/// The routing key of batches. Monitors take a list there for its events.
const BATCH_ROUTING_KEY: &str = "task.multi";

/// Interval at which Celery's workers send heartbeats.
const DEFAULT_HEARTBEAT_INTERVAL: Duration = Duration::from_secs(2);

/// An event of a worker or a task.
///
/// ```
/// use piton_celery::{EventKind, EventSource};
///
/// let source = EventSource::new("w1@host", 4711);
/// let event = source.event(EventKind::TaskStarted { uuid: "my-id".into() }, 62, 1795217342.013);
/// assert_eq!(event.routing_key(), "task.started");
/// // PUBLISH /0.celeryev/task.started <message>
/// let message = event.to_envelope("my-tag")?.to_vec()?;
/// # assert!(!message.is_empty());
/// # Ok::<(), piton_celery::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Event {
    /// The process that sends the event.
    #[serde(flatten)]
    pub source: EventSource,
    /// The sender's logical clock, advanced by one for each event. Monitors sort by it.
    pub clock: u64,
    /// The time of the event, in seconds since the Unix epoch.
    #[serde(rename = "timestamp")]
    pub timestamp_seconds: f64,
    /// The type of the event, and its fields.
    #[serde(flatten)]
    pub kind: EventKind,
}

impl Event {
    /// Returns the routing key, which is also the end of the channel's name: `task.succeeded`.
    #[must_use]
    pub fn routing_key(&self) -> String {
        self.kind.name().replace('-', ".")
    }

    /// Returns the message of the event. `delivery_tag` is unique, by custom a UUID.
    ///
    /// # Errors
    /// Those of [`Envelope::new`], which no event meets.
    pub fn to_envelope(
        &self,
        delivery_tag: impl Into<String>,
    ) -> Result<Envelope<Map<String, Value>>, Error> {
        envelope(&self.source, self.routing_key(), self, delivery_tag.into())
    }

    /// Returns one message of several events of tasks, for the channel that ends with `task.multi`. Celery's workers
    /// send batches of at most 24.
    ///
    /// # Errors
    /// [`Kind::Malformed`](crate::Kind::Malformed) if there is no event, if their sources differ, or if one is of a
    /// worker: Celery's workers read those alone in a message.
    pub fn batch(
        events: &[Self],
        delivery_tag: impl Into<String>,
    ) -> Result<Envelope<Map<String, Value>>, Error> {
        let Some(first) = events.first() else {
            return Err(Error::malformed("a batch of events is empty"));
        };
        if events.iter().any(|event| event.source != first.source) {
            return Err(Error::malformed("a batch of events is of several sources"));
        }
        if events.iter().any(|event| !event.kind.is_of_task()) {
            return Err(Error::malformed("a batch of events of tasks has one of a worker"));
        }
        envelope(&first.source, BATCH_ROUTING_KEY.to_owned(), events, delivery_tag.into())
    }
}

fn envelope<B: Serialize + ?Sized>(
    source: &EventSource,
    routing_key: String,
    body: &B,
    delivery_tag: String,
) -> Result<Envelope<Map<String, Value>>, Error> {
    let headers = Map::from_iter([("hostname".to_owned(), source.hostname.clone().into())]);
    Envelope::new(headers, Properties::transient(EVENT_EXCHANGE, routing_key, delivery_tag), body)
}

/// The process that sends an event.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EventSource {
    /// The name of the worker, such as `w1@host`. Celery's clients are `gen<pid>@<host>`.
    pub hostname: String,
    /// The distance of local time from UTC in hours, positive to the west. Monitors add the difference to their own to
    /// the event's time, so that it is right in one zone only. A host in UTC has 0, which is the default.
    #[serde(rename = "utcoffset")]
    pub utc_offset_hours: f64,
    /// The id of the process.
    pub pid: u32,
}

impl EventSource {
    /// Returns a process whose local time is UTC.
    #[must_use]
    pub fn new(hostname: impl Into<String>, pid: u32) -> Self {
        Self { hostname: hostname.into(), utc_offset_hours: 0.0, pid }
    }

    /// Returns an event of this process. `clock` is its logical clock after the event.
    #[must_use]
    pub fn event(&self, kind: EventKind, clock: u64, timestamp_seconds: f64) -> Event {
        Event { source: self.clone(), clock, timestamp_seconds, kind }
    }
}

/// The type of an event, and its fields.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EventKind {
    /// The worker has started.
    WorkerOnline(WorkerStatus),
    /// The worker is alive. Monitors take it for dead after twice its interval without a heartbeat.
    WorkerHeartbeat(WorkerStatus),
    /// The worker stops.
    WorkerOffline(WorkerStatus),
    /// A client has sent a task. Clients send it with `task_send_sent_event`, workers do not.
    TaskSent {
        /// The task.
        #[serde(flatten)]
        task: EventTask,
        /// The queue of the task.
        queue: String,
        /// The exchange that the task was sent to. Empty means that the routing key is the name of the queue.
        exchange: String,
        /// The routing key that the task was sent with.
        routing_key: String,
    },
    /// A worker has received a task. The only event of a worker with the name and the arguments of the task.
    TaskReceived(EventTask),
    /// A task has started.
    TaskStarted {
        /// The id of the task.
        uuid: String,
    },
    /// A task has returned.
    TaskSucceeded {
        /// The id of the task.
        uuid: String,
        /// The return value as Python shows it: see [`safe_repr`](crate::safe_repr).
        result: String,
        /// The time for which the task ran. `None` if the worker does not know it.
        #[serde(serialize_with = "optional_seconds")]
        runtime: Option<Duration>,
    },
    /// A task has failed.
    TaskFailed {
        /// The id of the task.
        uuid: String,
        /// The exception as Python shows it, which is the text of an [`Exception`](crate::Exception).
        exception: String,
        /// The traceback. A task that no worker knows has none.
        #[serde(skip_serializing_if = "Option::is_none")]
        traceback: Option<String>,
    },
    /// A task will run again.
    TaskRetried {
        /// The id of the task.
        uuid: String,
        /// The exception that is the reason.
        exception: String,
        /// The traceback.
        traceback: String,
    },
    /// A task was not run, or stopped.
    TaskRevoked {
        /// The id of the task.
        uuid: String,
        /// True if the task was running.
        terminated: bool,
        /// The number of the signal that stopped the task.
        signum: Option<i32>,
        /// True if the task was not run because its time was over.
        expired: bool,
    },
    /// A task has rejected its message.
    TaskRejected {
        /// The id of the task.
        uuid: String,
        /// True if the message went back to its queue.
        requeue: bool,
    },
}

impl EventKind {
    /// Returns the name of the type: `task-succeeded`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::WorkerOnline(_) => "worker-online",
            Self::WorkerHeartbeat(_) => "worker-heartbeat",
            Self::WorkerOffline(_) => "worker-offline",
            Self::TaskSent { .. } => "task-sent",
            Self::TaskReceived(_) => "task-received",
            Self::TaskStarted { .. } => "task-started",
            Self::TaskSucceeded { .. } => "task-succeeded",
            Self::TaskFailed { .. } => "task-failed",
            Self::TaskRetried { .. } => "task-retried",
            Self::TaskRevoked { .. } => "task-revoked",
            Self::TaskRejected { .. } => "task-rejected",
        }
    }

    fn is_of_task(&self) -> bool {
        self.name().starts_with("task-")
    }
}

/// The state of a worker, as its events report it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WorkerStatus {
    /// The interval of heartbeats.
    #[serde(rename = "freq", serialize_with = "seconds")]
    pub interval: Duration,
    /// The number of tasks that are running.
    pub active: u64,
    /// The number of tasks that were started since the worker started.
    pub processed: u64,
    /// The load of the host over one, five and fifteen minutes.
    #[serde(rename = "loadavg")]
    pub load_average: [f64; 3],
    /// The name of the worker's software. Celery's own is `py-celery`.
    #[serde(rename = "sw_ident")]
    pub software: String,
    /// The version of the worker's software.
    #[serde(rename = "sw_ver")]
    pub version: String,
    /// The operating system, such as `Linux`.
    #[serde(rename = "sw_sys")]
    pub system: String,
}

impl WorkerStatus {
    /// Returns the status of a worker that has run nothing, and sends a heartbeat every 2 seconds.
    #[must_use]
    pub fn new(
        software: impl Into<String>,
        version: impl Into<String>,
        system: impl Into<String>,
    ) -> Self {
        Self {
            interval: DEFAULT_HEARTBEAT_INTERVAL,
            active: 0,
            processed: 0,
            load_average: [0.0; 3],
            software: software.into(),
            version: version.into(),
            system: system.into(),
        }
    }
}

/// A task as its events describe it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EventTask {
    /// The id of the task.
    pub uuid: String,
    /// The name of the task, or the one to show instead.
    pub name: String,
    /// The positional arguments as Python shows them: see [`args_repr`](crate::args_repr).
    pub args: String,
    /// The arguments by name as Python shows them: see [`kwargs_repr`](crate::kwargs_repr).
    pub kwargs: String,
    /// The id of the first task of the workflow.
    pub root_id: Option<String>,
    /// The id of the task that sent this one.
    pub parent_id: Option<String>,
    /// The number of retries before this one.
    pub retries: u32,
    /// The time before which the task is not run.
    pub eta: Option<IsoDateTime>,
    /// The time after which the task is not run any more.
    pub expires: Option<IsoDateTime>,
}

impl From<&TaskHeaders> for EventTask {
    fn from(headers: &TaskHeaders) -> Self {
        let shadow = headers.shadow.clone().filter(|shadow| !shadow.is_empty());
        Self {
            uuid: headers.id.clone(),
            name: shadow.unwrap_or_else(|| headers.task.clone()),
            args: headers.args_repr.clone().unwrap_or_default(),
            kwargs: headers.kwargs_repr.clone().unwrap_or_default(),
            root_id: headers.root_id.clone(),
            parent_id: headers.parent_id.clone(),
            retries: headers.retries,
            eta: headers.eta,
            expires: headers.expires,
        }
    }
}

fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

fn optional_seconds<S: Serializer>(
    time: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs_f64()).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::Kind;

    fn uuid() -> String {
        "1".to_owned()
    }

    fn text() -> String {
        "text".to_owned()
    }

    /// Returns an event of each type.
    fn every_kind() -> Vec<EventKind> {
        let status = || WorkerStatus::new("piton", "1.0", "Linux");
        let task = EventTask::default;
        vec![
            EventKind::WorkerOnline(status()),
            EventKind::WorkerHeartbeat(status()),
            EventKind::WorkerOffline(status()),
            EventKind::TaskSent {
                task: task(),
                queue: text(),
                exchange: String::new(),
                routing_key: text(),
            },
            EventKind::TaskReceived(task()),
            EventKind::TaskStarted { uuid: uuid() },
            EventKind::TaskSucceeded { uuid: uuid(), result: text(), runtime: None },
            EventKind::TaskFailed { uuid: uuid(), exception: text(), traceback: None },
            EventKind::TaskRetried { uuid: uuid(), exception: text(), traceback: text() },
            EventKind::TaskRevoked { uuid: uuid(), terminated: true, signum: None, expired: false },
            EventKind::TaskRejected { uuid: uuid(), requeue: true },
        ]
    }

    fn event(kind: EventKind) -> Event {
        EventSource::new("w1@host", 1).event(kind, 2, 3.5)
    }

    #[test]
    fn the_name_of_a_type_is_the_one_that_is_written() {
        for kind in every_kind() {
            let name = kind.name();
            let event = event(kind);
            let written = json!(event);
            assert_eq!(written["type"], name);
            assert_eq!(event.routing_key(), name.replace('-', "."));
            for (field, value) in
                [("hostname", json!("w1@host")), ("pid", json!(1)), ("clock", json!(2))]
            {
                assert_eq!(written[field], value, "{name}");
            }
            assert_eq!(written["utcoffset"], 0.0);
            assert_eq!(written["timestamp"], 3.5);
        }
    }

    #[test]
    fn a_batch_that_readers_would_misunderstand_is_refused() {
        let started = || event(EventKind::TaskStarted { uuid: uuid() });
        let elsewhere = EventSource::new("w2@host", 1).event(started().kind, 2, 3.5);
        let heartbeat =
            event(EventKind::WorkerHeartbeat(WorkerStatus::new("piton", "1.0", "Linux")));
        for events in [vec![], vec![started(), elsewhere], vec![started(), heartbeat]] {
            assert_eq!(Event::batch(&events, "tag").unwrap_err().kind(), Kind::Malformed);
        }
        assert!(Event::batch(&[started(), started()], "tag").is_ok());
    }

    #[test]
    fn a_task_is_shown_by_its_shadow() {
        let mut headers = TaskHeaders::new("proj.add", "1");
        assert_eq!(EventTask::from(&headers).name, "proj.add");
        headers.shadow = Some("sum".into());
        assert_eq!(EventTask::from(&headers).name, "sum");
        headers.shadow = Some(String::new());
        assert_eq!(EventTask::from(&headers).name, "proj.add");
    }

    #[test]
    fn times_are_floats_of_seconds() {
        let mut status = WorkerStatus::new("piton", "1.0", "Linux");
        assert_eq!(json!(status)["freq"], 2.0);
        status.interval = Duration::from_millis(500);
        assert_eq!(json!(status)["freq"], 0.5);
        let runtime = Some(Duration::from_secs(2));
        let succeeded = EventKind::TaskSucceeded { uuid: uuid(), result: text(), runtime };
        assert_eq!(json!(succeeded)["runtime"], 2.0);
    }
}
