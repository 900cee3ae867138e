//! Groups with a summary: Celery's chords.
//!
//! Each member carries the signature of the body. Whoever ends a member, in Python or here, counts it in Redis; whoever ends
//! the last one sends the body with all results.

use piton_celery::{Embed, Envelope, Exception, Signature, TaskHeaders, python_json};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::Inner;
use super::chord_member::{ChordMember, MAX_BODY_BYTES};
use super::effects::{Effects, SentTask};
use super::enqueue::{KEEP_GROUP, NewValue};
use super::link::Arguments;
use super::scripts::Script;
use super::stored_record::{FAILURE, REVOKED, SUCCESS, StoredRecord};
use super::times::ttl_ms;
use crate::tasks::brokers::records::{FinalState, FinishedTask, GroupMember, NewGroup, NewTask};
use crate::tasks::error::{BrokerError, Kind};
use crate::tasks::follow_ups::FollowUps;
use crate::tasks::task::TaskOptions;

/// The time for which one worker has the right to send the body, in seconds: as in Celery.
const SEND_RIGHT_SECONDS: u64 = 10;

/// The time for which a chord is known to be done, in milliseconds: as in Celery.
const KEEP_DONE_MS: i64 = 300_000;

/// Maximum depth of chords whose bodies are members of others.
const MAX_DEPTH: usize = 100;

/// A result among those of the members: `[1, id, state, result]`.
type MemberEntry = (Value, String, String, Box<RawValue>);

impl Inner {
    /// Returns the tasks with the chords that they belong to in their messages, or `None` if they belong to none.
    pub(super) async fn with_chords(
        &self,
        tasks: &[NewTask],
        group: Option<&NewGroup>,
    ) -> Result<Option<Vec<NewTask>>, BrokerError> {
        if tasks.iter().all(|task| task.group.is_none()) {
            return Ok(None);
        }
        let body = match group {
            Some(group) => Some(self.body_of(&group.summary, &group.id).await?),
            None => None,
        };
        let mut complete = Vec::with_capacity(tasks.len());
        for task in tasks {
            let body = match (&task.group, group, &body) {
                (Some(member), Some(group), Some(body)) if member.id == group.id => {
                    Some(body.clone())
                }
                (Some(member), ..) => self.body_of_stored(&member.id).await?,
                (None, ..) => None,
            };
            complete.push(with_chord(task, body)?);
        }
        Ok(Some(complete))
    }

    /// Returns the signature of the body of a group that is stored.
    async fn body_of_stored(&self, group: &str) -> Result<Option<Signature>, BrokerError> {
        let mut command = redis::cmd("GET");
        command.arg(self.keys.summary(group));
        let stored: Option<Vec<u8>> = self.results().query(&command).await?;
        Ok(stored.and_then(|json| serde_json::from_slice(&json).ok()))
    }

    /// Returns the signature by which any worker sends the summary.
    async fn body_of(&self, summary: &NewTask, group: &str) -> Result<Signature, BrokerError> {
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
            set("chord", json!(self.body_of_stored(id).await?));
        }
        signature.options = options;
        Ok(signature)
    }

    /// Returns what is stored of a new group: its size, the signature of its body, and perhaps the record of its body.
    pub(super) async fn group_values(
        &self,
        group: &NewGroup,
    ) -> Result<Vec<NewValue>, BrokerError> {
        let NewGroup { id, size, summary } = group;
        let body = self.body_of(summary, id).await?;
        let ttl_ms = ttl_ms(KEEP_GROUP);
        let value = |key, value: Vec<u8>| NewValue { key, value, ttl_ms };
        let mut values = vec![
            value(self.keys.summary(id), serde_json::to_vec(&body).expect("a signature is JSON")),
            value(self.keys.group(id, ".s"), size.to_string().into_bytes()),
        ];
        if summary.id == *id {
            let mut record = StoredRecord::pending(summary);
            record.own().waits_for_group = true;
            values.push(self.value_of(&record));
        }
        Ok(values)
    }

    /// Sends the summary of a group without members.
    pub(super) async fn end_empty_group(&self, group: &NewGroup) -> Result<(), BrokerError> {
        if group.size > 0 {
            return Ok(());
        }
        let Some(body) = self.body_of_stored(&group.id).await? else { return Ok(()) };
        let root_id = group.summary.id.clone();
        let member = ChordMember { group: group.id.clone(), position: None, body, root_id };
        let mut effects = Effects::default();
        self.send_body(&member, &group.summary.id, &[], &mut effects)?;
        self.apply_effects(effects).await
    }

    /// Counts the end of a member. Adds what follows if it was the last.
    pub(super) async fn end_member(
        &self,
        member: &ChordMember,
        id: &str,
        state: FinalState,
        result: &str,
        effects: &mut Effects,
    ) -> Result<(), BrokerError> {
        let mut ended = Some((member.clone(), id.to_owned(), state, result.to_owned()));
        // The body of a chord may be a member of another one, which its failure ends.
        for _ in 0..MAX_DEPTH {
            let Some((member, id, state, result)) = ended.take() else { break };
            if self.count_member(&member, &id, state, &result).await? {
                ended = self.end_chord(&member, &id, effects).await?;
            }
        }
        Ok(())
    }

    /// Counts a member. Returns true if the caller is to end the chord.
    async fn count_member(
        &self,
        member: &ChordMember,
        id: &str,
        state: FinalState,
        result: &str,
    ) -> Result<bool, BrokerError> {
        let state = match state {
            FinalState::Success => SUCCESS,
            FinalState::Failure => FAILURE,
            FinalState::Revoked => REVOKED,
        };
        let entry = (1, id, state, super::stored_record::raw(result));
        let entry = python_json::to_vec(&entry).map_err(malformed)?;
        let mut arguments = Arguments::default();
        for suffix in [".j", ".t", ".s", ".d", ".c"] {
            arguments.push(self.keys.group(&member.group, suffix));
        }
        arguments.push(id).push(member.position()).push(entry);
        arguments.push_number(KEEP_GROUP.as_secs()).push_number(SEND_RIGHT_SECONDS).push(id);
        let ends: i64 = self.results().run(Script::ChordPart, &arguments).await?;
        Ok(ends == 1)
    }

    /// Sends the body of a chord whose members have all ended, or fails it. Returns the place of a failed body in an outer
    /// chord.
    async fn end_chord(
        &self,
        member: &ChordMember,
        last: &str,
        effects: &mut Effects,
    ) -> Result<Option<(ChordMember, String, FinalState, String)>, BrokerError> {
        let key = |suffix| self.keys.group(&member.group, suffix);
        let mut command = redis::cmd("ZRANGE");
        command.arg(key(".j")).arg(0).arg(-1);
        let entries: Vec<Vec<u8>> = self.results().query(&command).await?;
        let mut results = Vec::with_capacity(entries.len());
        let mut failure = None;
        for entry in &entries {
            match read_entry(entry) {
                Some((_, _, state, result)) if state == SUCCESS => results.push(result),
                Some((_, id, _, result)) => {
                    let cause = serde_json::from_str(result.get());
                    let cause = cause
                        .unwrap_or_else(|_| Exception::builtin("RuntimeError", "the task failed"));
                    failure.get_or_insert_with(|| Exception::chord_dependency(&id, &cause));
                }
                None => {
                    let why = "the result of a member cannot be read";
                    failure.get_or_insert_with(|| Exception::chord_error(why));
                }
            }
        }
        if failure.is_none() {
            match self.send_body(member, last, &results, effects) {
                Ok(()) => return Ok(None),
                Err(error) => {
                    let why = format!("the body cannot be sent: {error}");
                    failure = Some(Exception::chord_error(why));
                }
            }
        }
        let failure = failure.expect("it failed, otherwise the body was sent");
        // Without the size, a member that comes again does not fail the chord again.
        effects.remove.extend([key(".s"), self.keys.summary(&member.group)]);
        Ok(self.fail_body(&member.body, &member.root_id, &failure, effects))
    }

    /// Adds the body of a chord with the results of its members.
    fn send_body(
        &self,
        member: &ChordMember,
        last: &str,
        results: &[Box<RawValue>],
        effects: &mut Effects,
    ) -> Result<(), BrokerError> {
        let results: Result<Vec<Value>, _> =
            results.iter().map(|json| python_json::from_slice(json.get().as_bytes())).collect();
        let results = Value::Array(results.map_err(malformed)?);
        let mut tasks = Vec::new();
        let follow_ups = self.follow_ups(last, &member.root_id, &|name| self.tasks.get(name)).add(
            &mut tasks,
            member.body.clone(),
            Vec::new(),
            &results,
        );
        follow_ups.map_err(|exception| BrokerError::new(Kind::Other, exception.to_string()))?;
        self.send_later(effects, &tasks);
        for sent in &mut effects.send {
            // Its record is there already: it says that the body waits for the group, and no longer does.
            let record = sent
                .record
                .take_if(|record| Some(self.keys.id_of(&record.key)) == member.body.task_id());
            effects.set.extend(record.map(|record| (record, false)));
        }
        let key = |suffix| self.keys.group(&member.group, suffix);
        let done = NewValue { key: key(".c"), value: b"done".to_vec(), ttl_ms: KEEP_DONE_MS };
        effects.set.push((done, false));
        effects.remove.extend([".j", ".t", ".s", ".d"].map(key));
        effects.remove.push(self.keys.summary(&member.group));
        Ok(())
    }

    /// Adds the failure of a body that is not sent, and its errbacks. Returns its place in an outer chord.
    fn fail_body(
        &self,
        body: &Signature,
        root_id: &str,
        failure: &Exception,
        effects: &mut Effects,
    ) -> Option<(ChordMember, String, FinalState, String)> {
        let id = body.task_id()?.to_owned();
        let result = json!(failure).to_string();
        let queue = body.options.get("queue").and_then(Value::as_str);
        let mut record = StoredRecord { name: Some(body.task.clone()), ..StoredRecord::default() };
        record.task_id.clone_from(&id);
        record.queue = queue.map(str::to_owned);
        let finished = FinishedTask {
            state: FinalState::Failure,
            result: result.clone(),
            traceback: None,
            started_at_ms: None,
            finished_at_ms: self.clock.now_ms(),
            // It lacks the results of the members, so it could not be run again.
            keep_message: false,
        };
        record.finish(&finished, &[]);
        let (key, ttl_ms) = (self.keys.result(&id), ttl_ms(self.keep_failures));
        effects.set.push((NewValue { key, value: record.to_json(), ttl_ms }, true));
        let errbacks = match body.options.get("link_error") {
            Some(Value::Array(errbacks)) => errbacks.clone(),
            Some(errback @ Value::Object(_)) => vec![errback.clone()],
            _ => Vec::new(),
        };
        let embed = with_errbacks(errbacks);
        let sent = self.follow_ups(&id, root_id, &|name| self.tasks.get(name)).of_failure(embed);
        self.send_later(effects, &sent.unwrap_or_default());
        let outer = ChordMember::of_body(body, root_id)?;
        Some((outer, id, FinalState::Failure, result))
    }

    fn follow_ups<'a>(
        &'a self,
        parent_id: &'a str,
        root_id: &'a str,
        options: &'a dyn Fn(&str) -> Option<&'a TaskOptions>,
    ) -> FollowUps<'a> {
        let (inherited, now_ms) = (Map::new(), self.clock.now_ms());
        FollowUps { parent_id, root_id, inherited, options, now_ms, origin: "piton" }
    }

    /// Returns the place of a task in a group that this service has sent, by its record.
    pub(super) async fn member_of(
        &self,
        record: &StoredRecord,
    ) -> Result<Option<ChordMember>, BrokerError> {
        let Some(group) = record.group_id.clone() else { return Ok(None) };
        let Some(body) = self.body_of_stored(&group).await? else { return Ok(None) };
        let index = record.piton.as_ref().and_then(|own| own.group_index);
        let root_id = record.task_id.clone();
        Ok(Some(ChordMember { group, position: index.map(i64::from), body, root_id }))
    }

    /// Fails the body of a chord one of whose members is removed without an end.
    pub(super) async fn fail_chord(
        &self,
        member: &ChordMember,
        effects: &mut Effects,
    ) -> Result<(), BrokerError> {
        let text = format!("a member of the group {} was removed before it ended", member.group);
        let failure = Exception::chord_error(text);
        let outer = self.fail_body(&member.body, &member.root_id, &failure, effects);
        let key = |suffix| self.keys.group(&member.group, suffix);
        effects.remove.extend([".j", ".t", ".s", ".d"].map(key));
        effects.remove.push(self.keys.summary(&member.group));
        match outer {
            Some((outer, id, state, result)) => {
                self.end_member(&outer, &id, state, &result, effects).await
            }
            None => Ok(()),
        }
    }

    /// Forgets that a member has ended, because it runs again.
    pub(super) async fn reopen_member(
        &self,
        member: &ChordMember,
        id: &str,
    ) -> Result<(), BrokerError> {
        let position = member.position();
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        pipeline.cmd("SREM").arg(self.keys.group(&member.group, ".d"));
        pipeline.arg(format!("{id}:{position}")).ignore();
        pipeline.cmd("ZREMRANGEBYSCORE").arg(self.keys.group(&member.group, ".j"));
        pipeline.arg(&position).arg(&position).ignore();
        self.results().pipe(&pipeline).await
    }

    /// Does what follows a change by an operator, outside of a settlement.
    pub(super) async fn apply_effects(&self, effects: Effects) -> Result<(), BrokerError> {
        // The records first: a task that is sent may end before its record is stored.
        let mut stored = redis::pipe();
        effects.store_in(&mut stored);
        self.results().pipe::<()>(&stored).await?;
        let mut sent = redis::pipe();
        for SentTask { list, message, .. } in &effects.send {
            sent.cmd("LPUSH").arg(list).arg(message).ignore();
        }
        self.broker.pipe(&sent).await
    }
}

fn with_errbacks(errbacks: Vec<Value>) -> Embed {
    let mut embed = Embed::default();
    let read = |errback| serde_json::from_value(errback).ok();
    embed.errbacks = errbacks.into_iter().filter_map(read).collect();
    embed
}

fn read_entry(entry: &[u8]) -> Option<MemberEntry> {
    serde_json::from_slice(entry).ok().or_else(|| {
        // What Python writes and JSON lacks, such as `NaN`.
        let (tag, id, state, result): (Value, String, String, Value) =
            python_json::from_slice(entry).ok()?;
        Some((tag, id, state, super::stored_record::raw(&result.to_string())?))
    })
}

/// Returns the task with the signature of its chord's body in its message.
fn with_chord(task: &NewTask, body: Option<Signature>) -> Result<NewTask, BrokerError> {
    let (Some(chord), Some(member)) = (body, &task.group) else { return Ok(task.clone()) };
    let mut envelope =
        Envelope::<TaskHeaders>::from_slice(task.message.as_bytes()).map_err(malformed)?;
    let mut body = envelope.decode_body(MAX_BODY_BYTES).map_err(malformed)?;
    body.embed.chord.get_or_insert(chord);
    envelope.headers.group = Some(member.id.clone());
    envelope.headers.group_index = Some(member.index.into());
    let complete = Envelope::task(envelope.headers, envelope.properties, &body);
    let message = complete.and_then(|envelope| envelope.to_vec()).map_err(malformed)?;
    let message = String::from_utf8(message).expect("JSON is UTF-8");
    Ok(NewTask { message, ..task.clone() })
}

fn malformed(error: piton_celery::Error) -> BrokerError {
    BrokerError::new(Kind::Other, format!("the message of a group: {error}"))
}
