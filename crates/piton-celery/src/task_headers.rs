//! The headers of a task's message, protocol 2.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::{Map, Value};

use crate::compression::Compression;
use crate::iso_date_time::IsoDateTime;
use crate::lenient;

/// The headers of a task's message: everything about the task but its arguments.
///
/// Reads what is missing or null as the default; writes every header of protocol 2. Headers that the protocol
/// does not define are in [`extra`](Self::extra).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct TaskHeaders {
    /// The language of the sender, such as `py`. Nothing depends on it.
    pub lang: Option<String>,
    /// The name of the task, such as `registry.enrich`. Empty if the message is of protocol 1 and not upgraded yet:
    /// see [`Envelope::decode_body`](crate::Envelope::decode_body).
    #[serde(deserialize_with = "lenient::null_as_default")]
    pub task: String,
    /// The id of the task, by custom a UUID. A retry has the same id.
    #[serde(deserialize_with = "lenient::null_as_default")]
    pub id: String,
    /// The name to show instead of `task`.
    pub shadow: Option<String>,
    /// The time before which the task is not run.
    #[serde(deserialize_with = "lenient::time")]
    pub eta: Option<IsoDateTime>,
    /// The time after which the task is not run any more.
    #[serde(deserialize_with = "lenient::time")]
    pub expires: Option<IsoDateTime>,
    /// The id of the group, for its members and for the body of a chord.
    pub group: Option<String>,
    /// The position in the group, and in the results that the body of a chord receives.
    pub group_index: Option<i64>,
    /// The number of retries before this one.
    #[serde(deserialize_with = "lenient::null_as_default")]
    pub retries: u32,
    /// The times after which the task is stopped.
    #[serde(rename = "timelimit", deserialize_with = "lenient::null_as_default")]
    pub time_limit: TimeLimit,
    /// The id of the first task of the workflow; of a task on its own its own.
    pub root_id: Option<String>,
    /// The id of the task that sent this one.
    pub parent_id: Option<String>,
    /// The positional arguments as Python writes them, for logs and monitors: see [`args_repr`](crate::args_repr).
    #[serde(rename = "argsrepr")]
    pub args_repr: Option<String>,
    /// The arguments by name as Python writes them: see [`kwargs_repr`](crate::kwargs_repr).
    #[serde(rename = "kwargsrepr")]
    pub kwargs_repr: Option<String>,
    /// The process that sent the message, such as `gen10436@host`.
    pub origin: Option<String>,
    /// True if no result is to be stored. `None` leaves it to the task's own setting.
    pub ignore_result: Option<bool>,
    /// The number of times that the task has replaced itself by another one.
    #[serde(deserialize_with = "lenient::null_as_default")]
    pub replaced_task_nesting: u32,
    /// The names among `stamps`.
    pub stamped_headers: Option<Vec<String>>,
    /// Values that all tasks of a workflow carry.
    #[serde(deserialize_with = "lenient::null_as_default")]
    pub stamps: Map<String, Value>,
    /// The codec that the body is compressed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<Compression>,
    /// True if the message may have been delivered before. Set when a message is restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redelivered: Option<bool>,
    /// All other headers: those that users pass with `headers={..}`, and `celery_beat_task` of beat.
    #[serde(flatten, serialize_with = "extra")]
    pub extra: Map<String, Value>,
}

/// Every header that the protocol defines.
const DEFINED: [&str; 21] = [
    "lang",
    "task",
    "id",
    "shadow",
    "eta",
    "expires",
    "group",
    "group_index",
    "retries",
    "timelimit",
    "root_id",
    "parent_id",
    "argsrepr",
    "kwargsrepr",
    "origin",
    "ignore_result",
    "replaced_task_nesting",
    "stamped_headers",
    "stamps",
    "compression",
    "redelivered",
];

fn extra<S: Serializer>(extra: &Map<String, Value>, serializer: S) -> Result<S::Ok, S::Error> {
    lenient::undefined_fields(extra, &DEFINED, serializer)
}

impl TaskHeaders {
    /// Returns the headers of a task of its own: it is the root of its workflow, and is run at once.
    #[must_use]
    pub fn new(task: impl Into<String>, id: impl Into<String>) -> Self {
        let id = id.into();
        Self {
            lang: Some("rust".to_owned()),
            task: task.into(),
            root_id: Some(id.clone()),
            id,
            ignore_result: Some(false),
            ..Self::default()
        }
    }
}

/// The times after which a task is stopped. Zero is no limit, as in Celery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeLimit {
    /// The time after which the task is killed.
    pub hard: Option<Duration>,
    /// The time after which the task gets `SoftTimeLimitExceeded`.
    pub soft: Option<Duration>,
}

impl Serialize for TimeLimit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        [self.hard.map(seconds), self.soft.map(seconds)].serialize(serializer)
    }
}

/// Returns whole seconds as an integer, as Python's senders write them.
fn seconds(time: Duration) -> Value {
    if time.subsec_nanos() == 0 { time.as_secs().into() } else { time.as_secs_f64().into() }
}

impl<'de> Deserialize<'de> for TimeLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let limits = Vec::<Option<f64>>::deserialize(deserializer)?;
        let limit = |at: usize| {
            let seconds = limits.get(at).copied().flatten();
            seconds.map(Duration::try_from_secs_f64).transpose().map_err(D::Error::custom)
        };
        Ok(Self { hard: limit(0)?, soft: limit(1)? })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(headers: Value) -> TaskHeaders {
        serde_json::from_value(headers).unwrap()
    }

    #[test]
    fn every_field_is_among_the_defined_headers() {
        let headers = TaskHeaders {
            compression: Some(Compression::Zlib),
            redelivered: Some(true),
            ..TaskHeaders::default()
        };
        let written = serde_json::to_value(&headers).unwrap();
        let mut names: Vec<_> = written.as_object().unwrap().keys().map(String::as_str).collect();
        let mut defined = DEFINED;
        names.sort_unstable();
        defined.sort_unstable();
        assert_eq!(names, defined);
    }

    #[test]
    fn missing_and_null_headers_are_the_defaults() {
        let nulls = json!({"task": null, "id": null, "retries": null, "timelimit": null, "stamps": null, "eta": ""});
        assert_eq!(read(nulls), TaskHeaders::default());
        assert_eq!(read(json!({})), TaskHeaders::default());
    }

    #[test]
    fn user_headers_are_preserved_and_cannot_replace_the_protocols() {
        let mut headers = read(json!({"task": "a", "x-req-id": "abc", "nested": {"a": 1}}));
        headers.extra.insert("task".into(), "other".into());
        let written = serde_json::to_string(&headers).unwrap();
        assert_eq!(written.matches("\"task\"").count(), 1, "{written}");
        assert!(
            written.contains(r#""x-req-id":"abc""#) && written.contains(r#""nested":{"a":1}"#),
            "{written}"
        );
    }

    #[test]
    fn time_limits_are_seconds_whole_or_not() {
        let headers = read(json!({"timelimit": [10, 0.25]}));
        assert_eq!(headers.time_limit.hard, Some(Duration::from_secs(10)));
        assert_eq!(headers.time_limit.soft, Some(Duration::from_millis(250)));
        assert_eq!(serde_json::to_value(headers.time_limit).unwrap(), json!([10, 0.25]));
        for wrong in [json!([-1]), json!([1e30]), json!(["1"])] {
            assert!(serde_json::from_value::<TimeLimit>(wrong).is_err());
        }
    }
}
