//! [`Incoming`]: a message as it was taken out of a queue, of which little is certain.

use piton_celery::{Envelope, TaskHeaders, python_json};
use redis::Value;

use super::chord_member::{ChordMember, MAX_BODY_BYTES};
use super::delivery_tag::DeliveryTag;
use super::stored_record::time_of_id;
use crate::tasks::brokers::records::ClaimedTask;
use crate::tasks::task::MAX_PRIORITY;

/// A message that can be run, or at least fail by its id.
pub(super) struct Incoming {
    pub name: String,
    pub task: ClaimedTask,
    pub tag: DeliveryTag,
    /// True if no result is wanted.
    pub ignores_result: bool,
    /// True if another worker may have had it.
    pub is_redelivered: bool,
    pub chord: Option<Box<ChordMember>>,
    pub parent_id: Option<String>,
    pub group: Option<String>,
}

/// A message that cannot be run by anyone.
pub(super) struct Unreadable {
    pub tag: String,
    pub queue: String,
    pub message: Vec<u8>,
    pub why: String,
}

impl Incoming {
    /// Reads a claimed message.
    ///
    /// # Errors
    /// It is not the JSON of a message, or names no task or no id: then there is nobody to tell.
    pub fn read(tag: &str, message: Vec<u8>, key: i64) -> Result<Self, Box<Unreadable>> {
        let parsed = DeliveryTag::parse(tag).expect("the tag is one that the script has made");
        let refuse = |message: Vec<u8>, why: String| {
            let (tag, queue) = (tag.to_owned(), parsed.queue.clone());
            Box::new(Unreadable { tag, queue, message, why })
        };
        let envelope = Envelope::<TaskHeaders>::from_slice(&message);
        let mut envelope = match envelope {
            Ok(envelope) => envelope,
            // One that says whose it is fails when it is run: its caller waits for a result.
            Err(error) => match readable_part(&message) {
                Some(envelope) => envelope,
                None => return Err(refuse(message, error.to_string())),
            },
        };
        let mut chord = None;
        let is_protocol_one = envelope.headers.task.is_empty();
        if is_protocol_one || envelope.headers.group.is_some() {
            match envelope.decode_body(MAX_BODY_BYTES) {
                Ok(body) => chord = ChordMember::new(&envelope.headers, body.embed),
                // Otherwise the task fails by its id when it is run.
                Err(error) if is_protocol_one => return Err(refuse(message, error.to_string())),
                Err(_) => {}
            }
        }
        let headers = envelope.headers;
        if headers.id.is_empty() {
            return Err(refuse(message, "`headers.id` is missing".to_owned()));
        }
        let is_redelivered = headers.redelivered == Some(true)
            || envelope.properties.delivery_info.redelivered == Some(true);
        let message = match String::from_utf8(message) {
            Ok(message) => message,
            Err(error) => {
                return Err(refuse(error.into_bytes(), "it is not UTF-8".to_owned()));
            }
        };
        let ms = |time: piton_celery::IsoDateTime| time.to_utc().timestamp_millis();
        let task = ClaimedTask {
            key,
            created_at_ms: time_of_id(&headers.id).unwrap_or_default(),
            id: headers.id,
            queue: parsed.queue.clone(),
            priority: envelope.properties.priority.min(MAX_PRIORITY),
            due_at_ms: headers.eta.map(ms),
            expires_at_ms: headers.expires.map(ms),
            retries: headers.retries,
            losses: 0,
            message,
        };
        Ok(Self {
            name: headers.task,
            task,
            tag: parsed,
            ignores_result: headers.ignore_result == Some(true),
            is_redelivered,
            chord,
            parent_id: headers.parent_id,
            group: headers.group,
        })
    }
}

/// Returns what can be read of a message that cannot be read as a whole: the name and the id of its task.
fn readable_part(message: &[u8]) -> Option<Envelope<TaskHeaders>> {
    let text = std::str::from_utf8(message).ok()?;
    // Halves of surrogate pairs, which Python writes and JSON does not have.
    let text: String = match text.contains("\\ud") {
        true => without_surrogates(text),
        false => text.to_owned(),
    };
    let value: serde_json::Value = python_json::from_slice(text.as_bytes()).ok()?;
    let header = |name: &str| value["headers"][name].as_str().filter(|text| !text.is_empty());
    let mut envelope = Envelope::<TaskHeaders>::default();
    envelope.headers = TaskHeaders::new(header("task")?, header("id")?);
    Some(envelope)
}

/// Replaces the escapes of surrogates by that of the replacement character.
fn without_surrogates(json: &str) -> String {
    let mut parts = json.split("\\ud");
    let mut replaced = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        replaced.push_str("\\ufffd");
        replaced.push_str(part.get(3..).unwrap_or_default());
    }
    replaced
}

/// The reply of the script `claim.lua`.
pub(super) struct ClaimReply {
    pub next_due_at_ms: Option<i64>,
    pub has_revoked: bool,
    pub has_lost: bool,
    /// The reason why a list cannot be read.
    pub fault: Option<String>,
    /// Tags and messages.
    pub messages: Vec<(String, Vec<u8>)>,
}

impl ClaimReply {
    /// Reads the reply. `None` if the worker's lease was taken away.
    pub fn read(reply: Vec<Value>) -> Option<Self> {
        let mut values = reply.into_iter();
        let next_due = bytes(values.next()?);
        let mut is_positive = || matches!(values.next(), Some(Value::Int(1..)));
        let (has_revoked, has_lost) = (is_positive(), is_positive());
        let fault = bytes(values.next()?);
        let fault = (!fault.is_empty()).then(|| String::from_utf8_lossy(&fault).into_owned());
        let mut messages = Vec::with_capacity(values.len() / 2);
        while let (Some(tag), Some(message)) = (values.next(), values.next()) {
            messages.push((String::from_utf8_lossy(&bytes(tag)).into_owned(), bytes(message)));
        }
        let next_due_at_ms = String::from_utf8_lossy(&next_due).parse().ok();
        Some(Self { next_due_at_ms, has_revoked, has_lost, fault, messages })
    }
}

fn bytes(value: Value) -> Vec<u8> {
    match value {
        Value::BulkString(bytes) => bytes,
        Value::SimpleString(text) => text.into_bytes(),
        _ => Vec::new(),
    }
}
