//! The message of a new task, in Celery's protocol 2.

use chrono::{DateTime, Utc};
use piton_celery::{BodyEncoding, Envelope, Properties, TaskBody, TaskHeaders};
use serde_json::{Map, Value};

use super::brokers::records::NewTask;
use super::error::{BrokerError, Kind};
use super::task_run::TaskRun;
use crate::context;
use crate::request::RequestId;
use crate::support::random_bytes::random_bytes;

/// The header with the id of the request that a task came from.
pub(super) const REQUEST_ID: &str = "x-request-id";

/// The header with the trace that a task belongs to (W3C Trace Context).
pub(super) const TRACEPARENT: &str = "traceparent";

/// The context in which a message is sent.
pub(super) struct MessageContext<'a> {
    pub now_ms: i64,
    /// The sending process, such as `registry@host:4711`.
    pub origin: &'a str,
    pub max_bytes: usize,
    /// The task that sends it.
    pub parent: Option<TaskRun>,
}

impl MessageContext<'_> {
    pub fn parent_id(&self) -> Option<String> {
        self.parent.as_ref().map(|parent| parent.id().to_owned())
    }
}

/// Returns a new id: a UUID of version 7, so that indices grow at their end, with 74 random bits, so that it
/// cannot be guessed (RFC 9562, section 5.7).
pub(super) fn new_id(now_ms: i64) -> String {
    let millis = u64::try_from(now_ms).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(millis, &random_bytes()).into_uuid().to_string()
}

/// Returns the message of `new` as JSON.
///
/// # Errors
/// [`Kind::Invalid`] if it is too large, or incomplete.
pub(super) fn message(
    new: &NewTask,
    body: TaskBody,
    extra: Map<String, Value>,
    ignore_result: bool,
    context: &MessageContext<'_>,
) -> Result<String, BrokerError> {
    let mut headers = TaskHeaders::new(&new.name, &new.id);
    headers.eta = new.due_at_ms.and_then(time).map(Into::into);
    headers.expires = new.expires_at_ms.and_then(time).map(Into::into);
    headers.parent_id.clone_from(&new.parent_id);
    if let Some(parent) = &context.parent {
        headers.root_id = Some(parent.root_id().to_owned());
    }
    headers.origin = Some(context.origin.to_owned());
    headers.ignore_result = Some(ignore_result);
    headers.extra = extra;
    add_request(&mut headers.extra);
    let mut properties = Properties::new(&new.queue, &new.id);
    properties.priority = new.priority;
    properties.body_encoding = BodyEncoding::Text;
    let invalid = |why: String| {
        BrokerError::new(Kind::Invalid, format!("the task `{}` cannot be sent: {why}", new.name))
    };
    let envelope = Envelope::task(headers, properties, &body);
    let json = envelope.and_then(|envelope| envelope.to_vec());
    let json = json.map_err(|error| invalid(error.to_string()).caused_by(error))?;
    check_size(&new.name, json.len(), context.max_bytes)?;
    String::from_utf8(json).map_err(|error| invalid(error.to_string()))
}

/// Refuses a message that is larger than `max` bytes.
pub(super) fn check_size(task: &str, size: usize, max: usize) -> Result<(), BrokerError> {
    if size <= max {
        return Ok(());
    }
    let why = format!(
        "the task `{task}` cannot be sent: its message has {size} bytes, more than {max} (tasks.max_message_size): send a \
         reference instead of the data"
    );
    Err(BrokerError::new(Kind::Invalid, why))
}

/// Returns the headers of the request and the trace that the code runs in.
pub(super) fn request_headers() -> Map<String, Value> {
    let mut headers = Map::new();
    add_request(&mut headers);
    headers
}

fn time(at_ms: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(at_ms)
}

/// Adds the request and the trace that the code runs in, unless the caller has set them.
fn add_request(headers: &mut Map<String, Value>) {
    if let Some(id) = RequestId::current() {
        headers.entry(REQUEST_ID).or_insert_with(|| id.to_string().into());
    }
    if let Some(trace) = context::trace() {
        headers.entry(TRACEPARENT).or_insert_with(|| trace.child().to_string().into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_with_time_and_are_random() {
        let (first, second) = (new_id(1_700_000_000_000), new_id(1_700_000_000_001));
        assert!(first < second);
        let id: uuid::Uuid = first.parse().unwrap();
        assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
        let ids: std::collections::HashSet<String> = (0..1000).map(|_| new_id(5)).collect();
        assert_eq!(ids.len(), 1000);
        // Every bit but those of version and variant differs somewhere.
        let random =
            |id: &String| id.parse::<uuid::Uuid>().unwrap().as_u128() & !(0xffff_ffff_ffff << 80);
        let (mut or, mut and) = (0, u128::MAX);
        for id in &ids {
            or |= random(id);
            and &= random(id);
        }
        assert_eq!((or ^ and).count_ones(), 74);
    }
}
