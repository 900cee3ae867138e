//! The bodies of chords, which their members carry so that a worker of any language sends them.

use std::collections::HashMap;

use piton_celery::{Envelope, Signature, TaskHeaders};
use serde_json::{Map, Value, json};

use super::Inner;
use super::chord_member::MAX_BODY_BYTES;
use super::chords::malformed;
use super::enqueue::{KEEP_GROUP, NewValue};
use super::stored_record::StoredRecord;
use super::times::ttl_ms;
use crate::tasks::brokers::records::{GroupMember, NewGroup, NewTask, ResultShape};
use crate::tasks::error::BrokerError;

/// The JSON of bodies by the ids of their groups.
type Bodies = HashMap<String, Value>;

/// New groups, ready to be stored, and the tasks among which their members are.
pub(super) struct NewChords {
    pub tasks: Vec<NewTask>,
    /// The sizes and bodies of the groups.
    pub values: Vec<NewValue>,
    /// The records of summaries that wait.
    pub records: Vec<NewValue>,
}

impl Inner {
    /// Returns tasks that carry the bodies of the chords that they belong to, and what is stored of new groups. `None` if
    /// there is no group.
    pub(super) async fn new_chords(
        &self,
        tasks: &[NewTask],
        groups: &[NewGroup],
    ) -> Result<Option<NewChords>, BrokerError> {
        if groups.is_empty() && tasks.iter().all(|task| task.group.is_none()) {
            return Ok(None);
        }
        let mut bodies = Bodies::new();
        let (mut values, mut records) = (Vec::new(), Vec::new());
        for group in groups {
            let mut body = self.body_of(group, &bodies).await?.into_value();
            attach(&mut body, &bodies);
            values.extend(self.group_values(group, &body));
            records.extend(self.summary_record(group));
            bodies.insert(group.id.clone(), body);
        }
        let mut complete = Vec::with_capacity(tasks.len());
        for task in tasks {
            let stored = match &task.group {
                Some(member) if !bodies.contains_key(&member.id) => {
                    self.body_of_stored(&member.id).await?
                }
                _ => None,
            };
            complete.push(with_bodies(task, stored, &bodies)?);
        }
        Ok(Some(NewChords { tasks: complete, values, records }))
    }

    /// Returns the signature of the body of a group that is stored.
    pub(super) async fn body_of_stored(
        &self,
        group: &str,
    ) -> Result<Option<Signature>, BrokerError> {
        let mut command = redis::cmd("GET");
        command.arg(self.keys.summary(group));
        let stored: Option<Vec<u8>> = self.results().query(&command).await?;
        Ok(stored.and_then(|json| serde_json::from_slice(&json).ok()))
    }

    /// Returns the signature by which any worker sends the summary of a group. Those of groups in which it is a member are
    /// among `bodies` or stored.
    async fn body_of(&self, group: &NewGroup, bodies: &Bodies) -> Result<Signature, BrokerError> {
        let NewGroup { id: group, summary, body, .. } = group;
        if let Some(body) = body {
            return Ok(Signature::clone(body));
        }
        let mut envelope =
            Envelope::<TaskHeaders>::from_slice(summary.message.as_bytes()).map_err(malformed)?;
        let body = envelope.decode_body(MAX_BODY_BYTES).map_err(malformed)?;
        let mut signature = Signature::new(&summary.name);
        (signature.args, signature.kwargs) = (body.args, body.kwargs);
        let mut options = Map::new();
        let mut set = |name: &str, value: Value| {
            if !value.is_null() {
                options.insert(name.to_owned(), value);
            }
        };
        set("task_id", json!(summary.id));
        set("queue", json!(summary.queue));
        set("priority", json!(summary.priority));
        set("group_id", json!(group));
        set("eta", json!(envelope.headers.eta));
        set("expires", json!(envelope.headers.expires));
        set("ignore_result", json!(summary.ignore_result.then_some(true)));
        let limit = envelope.headers.time_limit;
        set("time_limit", json!(limit.hard.map(|limit| limit.as_secs_f64())));
        set("soft_time_limit", json!(limit.soft.map(|limit| limit.as_secs_f64())));
        set("headers", Value::Object(envelope.headers.extra));
        for (name, list) in [
            ("link", body.embed.callbacks),
            ("link_error", body.embed.errbacks),
            ("chain", body.embed.chain),
        ] {
            set(name, if list.is_empty() { Value::Null } else { json!(list) });
        }
        if let Some(GroupMember { id, index }) = &summary.group {
            set("group_id", json!(id));
            set("group_index", json!(index));
            let chord = match body.embed.chord {
                Some(chord) => Some(chord),
                None if bodies.contains_key(id) => None,
                None => self.body_of_stored(id).await?,
            };
            set("chord", json!(chord));
        }
        signature.options = options;
        Ok(signature)
    }

    /// Returns what is stored of a new group: its size, its body, and the arrangement of its results if that is no flat list.
    fn group_values(&self, group: &NewGroup, body: &Value) -> Vec<NewValue> {
        let NewGroup { id, size, shape, .. } = group;
        let ttl_ms = ttl_ms(KEEP_GROUP);
        let value = |key, value: Vec<u8>| NewValue { key, value, ttl_ms };
        let mut values = vec![
            value(self.keys.summary(id), body.to_string().into_bytes()),
            value(self.keys.group(id, ".s"), size.to_string().into_bytes()),
        ];
        if let Some(shape) = shape {
            let saved = json!({ "result": result_tuple(shape, id) });
            values.push(value(self.keys.group(id, ""), saved.to_string().into_bytes()));
        }
        values
    }

    /// Returns the record of a summary that has the id of its group.
    fn summary_record(&self, group: &NewGroup) -> Option<NewValue> {
        (group.summary.id == group.id).then(|| {
            let mut record = StoredRecord::pending(&group.summary);
            record.own().waits_for_group = true;
            self.value_of(&record)
        })
    }
}

/// Returns the arrangement of results as Celery saves it (`GroupResult.as_tuple`).
fn result_tuple(shape: &ResultShape, group: &str) -> Value {
    match shape {
        ResultShape::Task(id) => json!([[id, null], null]),
        ResultShape::Group(parts) => {
            let parts: Vec<Value> = parts.iter().map(|part| result_tuple(part, group)).collect();
            json!([[group, null], parts])
        }
    }
}

/// Reads the arrangement of results that [`result_tuple`] or a worker of Celery has written.
pub(super) fn shape_of(saved: &[u8]) -> Option<ResultShape> {
    let saved: Value = serde_json::from_slice(saved).ok()?;
    read_tuple(saved.get("result")?)
}

fn read_tuple(tuple: &Value) -> Option<ResultShape> {
    let id = tuple.get(0)?;
    match tuple.get(1)? {
        Value::Null => {
            let id = id.get(0).unwrap_or(id).as_str()?;
            Some(ResultShape::Task(id.to_owned()))
        }
        Value::Array(parts) => {
            let parts: Option<Vec<_>> = parts.iter().map(read_tuple).collect();
            parts.map(ResultShape::Group)
        }
        _ => None,
    }
}

/// Returns the task with the body of its chord in its message, and those of its chain in theirs.
fn with_bodies(
    task: &NewTask,
    stored: Option<Signature>,
    bodies: &Bodies,
) -> Result<NewTask, BrokerError> {
    let mut envelope =
        Envelope::<TaskHeaders>::from_slice(task.message.as_bytes()).map_err(malformed)?;
    let mut body = envelope.decode_body(MAX_BODY_BYTES).map_err(malformed)?;
    if let Some(member) = &task.group {
        let new = bodies.get(&member.id).cloned();
        let new = new.and_then(|body| serde_json::from_value(body).ok());
        body.embed.chord = body.embed.chord.or(new).or(stored);
        envelope.headers.group = Some(member.id.clone());
        envelope.headers.group_index = Some(member.index.into());
    }
    if !bodies.is_empty() && !body.embed.chain.is_empty() {
        let mut chain = json!(body.embed.chain);
        attach_to_all(Some(&mut chain), bodies);
        body.embed.chain = serde_json::from_value(chain).unwrap_or(body.embed.chain);
    }
    let complete = Envelope::task(envelope.headers, envelope.properties, &body);
    let message = complete.and_then(|envelope| envelope.to_vec()).map_err(malformed)?;
    let message = String::from_utf8(message).expect("JSON is UTF-8");
    Ok(NewTask { message, ..task.clone() })
}

/// Adds the bodies to the options of a signature and of those within it that are members of the groups. Their depth is that
/// of the JSON of a message, which is limited.
fn attach(signature: &mut Value, bodies: &Bodies) {
    if let Some(Value::Object(options)) = signature.get_mut("options") {
        let is_member = options.get("group_index").is_some_and(|index| !index.is_null());
        let id = options.get("group_id").and_then(Value::as_str);
        let body = id.filter(|_| is_member).and_then(|id| bodies.get(id));
        if let Some(body) = body.filter(|_| options.get("chord").is_none_or(Value::is_null)) {
            options.insert("chord".to_owned(), body.clone());
        }
        attach_to_all(options.get_mut("chain"), bodies);
    }
    let is_composed = |name: &Value| name.as_str().is_some_and(|name| name.starts_with("celery."));
    if !signature.get("task").is_some_and(is_composed) {
        return;
    }
    if let Some(Value::Object(kwargs)) = signature.get_mut("kwargs") {
        attach_to_all(kwargs.get_mut("tasks"), bodies);
        match kwargs.get_mut("header") {
            Some(group @ Value::Object(_)) => attach(group, bodies),
            list => attach_to_all(list, bodies),
        }
        if let Some(body) = kwargs.get_mut("body") {
            attach(body, bodies);
        }
    }
}

fn attach_to_all(signatures: Option<&mut Value>, bodies: &Bodies) {
    if let Some(Value::Array(signatures)) = signatures {
        signatures.iter_mut().for_each(|signature| attach(signature, bodies));
    }
}
