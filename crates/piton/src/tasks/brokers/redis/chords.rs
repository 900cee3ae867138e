//! Groups with a summary: Celery's chords.
//!
//! Each member carries the signature of the body. Whoever ends a member, in Python or here, counts it in Redis; whoever ends
//! the last one sends the body with all results.

use std::collections::HashMap;

use piton_celery::{Exception, Signature, python_json};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::Inner;
use super::chord_bodies::shape_of;
use super::chord_member::ChordMember;
use super::effects::{Effects, SentTask};
use super::enqueue::{KEEP_GROUP, NewValue};
use super::link::Arguments;
use super::scripts::Script;
use super::stored_record::{FAILURE, REVOKED, SUCCESS, StoredRecord};
use super::times::ttl_ms;
use crate::tasks::brokers::records::{Batch, FinalState, FinishedTask, NewGroup, NewTask};
use crate::tasks::error::{BrokerError, Kind};
use crate::tasks::follow_ups::FollowUps;
use crate::tasks::task::TaskOptions;

/// The time for which one worker has the right to send the body, in seconds: as in Celery.
const SEND_RIGHT_SECONDS: u64 = 10;

/// The time for which a chord is known to be done, in milliseconds: as in Celery.
const KEEP_DONE_MS: i64 = 300_000;

/// A result among those of the members: `[1, id, state, result]`.
type MemberEntry = (Value, String, String, Box<RawValue>);

impl Inner {
    /// Sends the summary of a group without members.
    pub(super) async fn end_empty_group(&self, group: &NewGroup) -> Result<(), BrokerError> {
        if group.size > 0 {
            return Ok(());
        }
        let Some(body) = self.body_of_stored(&group.id).await? else { return Ok(()) };
        let root_id = group.summary.id.clone();
        let member = ChordMember { group: group.id.clone(), position: None, body, root_id };
        let mut effects = Effects::default();
        self.send_body(&member, &group.summary.id, Value::Array(Vec::new()), &mut effects).await?;
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
        let result = result.to_owned();
        let ended = EndedMember { member: member.clone(), id: id.to_owned(), state, result };
        self.end_members(vec![ended], effects).await
    }

    /// Counts the ends of members. The body of a chord may be a member of another one, which its failure ends.
    async fn end_members(
        &self,
        mut ended: Vec<EndedMember>,
        effects: &mut Effects,
    ) -> Result<(), BrokerError> {
        while let Some(EndedMember { member, id, state, result }) = ended.pop() {
            if self.count_member(&member, &id, state, &result).await? {
                ended.extend(self.end_chord(&member, &id, effects).await?);
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

    /// Sends the body of a chord whose members have all ended, or fails it. Returns the members of other chords that have
    /// ended with it.
    async fn end_chord(
        &self,
        member: &ChordMember,
        last: &str,
        effects: &mut Effects,
    ) -> Result<Vec<EndedMember>, BrokerError> {
        let key = |suffix| self.keys.group(&member.group, suffix);
        let mut command = redis::cmd("ZRANGE");
        command.arg(key(".j")).arg(0).arg(-1);
        let entries: Vec<Vec<u8>> = self.results().query(&command).await?;
        let mut command = redis::cmd("GET");
        command.arg(key(""));
        let saved: Option<Vec<u8>> = self.results().query(&command).await?;
        let results = match results_of(&entries) {
            Ok(results) => arranged(results, saved.as_deref()),
            Err(failure) => Err(failure),
        };
        let failure = match results {
            Ok(results) => match self.send_body(member, last, results, effects).await {
                Ok(()) => return Ok(Vec::new()),
                // Another attempt may succeed.
                Err(error) if error.kind() == Kind::Unavailable => return Err(error),
                Err(error) => Exception::chord_error(format!("the body cannot be sent: {error}")),
            },
            Err(failure) => failure,
        };
        // Without the size, a member that comes again does not fail the chord again.
        effects.remove.extend([key(".s"), self.keys.summary(&member.group)]);
        self.fail_body(&member.body, &member.root_id, &failure, effects).await
    }

    /// Adds the body of a chord with the results of its members.
    async fn send_body(
        &self,
        member: &ChordMember,
        last: &str,
        results: Value,
        effects: &mut Effects,
    ) -> Result<(), BrokerError> {
        let mut batch = Batch::default();
        self.follow_ups(last, &member.root_id, &|name| self.tasks.get(name))
            .add(&mut batch, member.body.clone(), Vec::new(), Some(&results))
            .map_err(|exception| BrokerError::new(Kind::Other, exception.to_string()))?;
        self.send_batch(effects, batch).await?;
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

    /// Adds the failure of a body that is not sent, with what would have followed it, and its errbacks. Returns the members of
    /// other chords that have ended with it.
    async fn fail_body(
        &self,
        body: &Signature,
        root_id: &str,
        failure: &Exception,
        effects: &mut Effects,
    ) -> Result<Vec<EndedMember>, BrokerError> {
        let (abandoned, errbacks) = self.after_failed_body(body, root_id);
        let result = json!(failure).to_string();
        let ended =
            abandoned.iter().filter_map(|task| self.abandon(task, &result, effects)).collect();
        self.send_batch(effects, errbacks).await?;
        Ok(ended)
    }

    /// Returns the tasks that are never sent if a body is not, itself included, and its errbacks.
    fn after_failed_body(&self, body: &Signature, root_id: &str) -> (Vec<NewTask>, Batch) {
        let id = body.task_id().unwrap_or_default();
        let options = |name: &str| self.tasks.get(name);
        let follow_ups = self.follow_ups(id, root_id, &options);
        (follow_ups.abandoned(vec![body.clone()]), follow_ups.of_failed_body(body))
    }

    /// Fails tasks that are never sent, each with an exception, and counts them in their chords.
    pub(super) async fn abandon_all(
        &self,
        tasks: &[(NewTask, String)],
        effects: &mut Effects,
    ) -> Result<(), BrokerError> {
        let ended = tasks
            .iter()
            .filter_map(|(task, exception)| self.abandon(task, exception, effects))
            .collect();
        self.end_members(ended, effects).await
    }

    /// Adds the failure of a task that is never sent. Returns its place in a chord.
    fn abandon(
        &self,
        task: &NewTask,
        exception: &str,
        effects: &mut Effects,
    ) -> Option<EndedMember> {
        let finished = FinishedTask {
            state: FinalState::Failure,
            result: exception.to_owned(),
            traceback: None,
            started_at_ms: None,
            finished_at_ms: self.clock.now_ms(),
            // It lacks the results of those before it, so it could not be run again.
            keep_message: false,
        };
        let mut record = StoredRecord::pending(task);
        record.finish(&finished, &[]);
        let (key, ttl_ms) = (self.keys.result(&task.id), ttl_ms(self.keep_failures));
        effects.set.push((NewValue { key, value: record.to_json(), ttl_ms }, true));
        let member = *ChordMember::of_message(&task.message)?;
        let (id, state) = (task.id.clone(), FinalState::Failure);
        Some(EndedMember { member, id, state, result: exception.to_owned() })
    }

    /// Adds tasks that are sent with a change, and the groups that they open.
    pub(super) async fn send_batch(
        &self,
        effects: &mut Effects,
        batch: Batch,
    ) -> Result<(), BrokerError> {
        let Batch { mut tasks, groups } = batch;
        if let Some(chords) = self.new_chords(&tasks, &groups).await? {
            tasks = chords.tasks;
            effects.before.extend(chords.values);
            effects.send.extend(chords.records.into_iter().map(SentTask::record_alone));
        }
        self.remember_queues(tasks.iter().map(|task| task.queue.as_str())).await?;
        self.send_later(effects, &tasks);
        Ok(())
    }

    fn follow_ups<'a>(
        &'a self,
        parent_id: &'a str,
        root_id: &'a str,
        options: &'a dyn Fn(&str) -> Option<&'a TaskOptions>,
    ) -> FollowUps<'a> {
        let (inherited, now_ms) = (Map::new(), self.clock.now_ms());
        let (parent_id, root_id) = (Some(parent_id), Some(root_id));
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
        let ended = self.fail_body(&member.body, &member.root_id, &failure, effects).await?;
        let key = |suffix| self.keys.group(&member.group, suffix);
        effects.remove.extend([".j", ".t", ".s", ".d"].map(key));
        effects.remove.push(self.keys.summary(&member.group));
        self.end_members(ended, effects).await
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
            if list.is_empty() {
                continue;
            }
            sent.cmd("LPUSH").arg(list).arg(message).ignore();
        }
        self.broker.pipe(&sent).await
    }
}

/// The end of a member of a chord.
struct EndedMember {
    member: ChordMember,
    id: String,
    state: FinalState,
    result: String,
}

/// Returns the results of members with their ids, or the failure of the chord.
fn results_of(entries: &[Vec<u8>]) -> Result<Vec<(String, Value)>, Exception> {
    let unreadable = || Exception::chord_error("the result of a member cannot be read");
    let mut results = Vec::with_capacity(entries.len());
    for entry in entries {
        let (_, id, state, result) = read_entry(entry).ok_or_else(unreadable)?;
        if state != SUCCESS {
            let cause = serde_json::from_str(result.get());
            let cause =
                cause.unwrap_or_else(|_| Exception::builtin("RuntimeError", "the task failed"));
            return Err(Exception::chord_dependency(&id, &cause));
        }
        let result = python_json::from_slice(result.get().as_bytes()).map_err(|_| unreadable())?;
        results.push((id, result));
    }
    Ok(results)
}

/// Returns the results as a list, or as it was saved for a chord that has groups among its members.
fn arranged(results: Vec<(String, Value)>, saved: Option<&[u8]>) -> Result<Value, Exception> {
    let Some(saved) = saved else {
        return Ok(results.into_iter().map(|(_, result)| result).collect());
    };
    let shape = shape_of(saved);
    let shape = shape.ok_or_else(|| Exception::chord_error("its saved group cannot be read"))?;
    let mut by_id: HashMap<String, Value> = results.into_iter().collect();
    Ok(shape.arrange(&mut |id| by_id.remove(id).unwrap_or_default()))
}

fn read_entry(entry: &[u8]) -> Option<MemberEntry> {
    serde_json::from_slice(entry).ok().or_else(|| {
        // What Python writes and JSON lacks, such as `NaN`.
        let (tag, id, state, result): (Value, String, String, Value) =
            python_json::from_slice(entry).ok()?;
        Some((tag, id, state, super::stored_record::raw(&result.to_string())?))
    })
}

pub(super) fn malformed(error: piton_celery::Error) -> BrokerError {
    BrokerError::new(Kind::Other, format!("the message of a group: {error}"))
}
