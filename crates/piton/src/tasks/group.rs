//! The end of a group: what becomes of its summary, the task that gets the members' results.

use std::collections::HashMap;

use piton_celery::{Embed, Envelope, Exception, Signature, TaskHeaders, python_json};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::brokers::records::{Batch, FinalState, NewGroup, NewTask, ResultShape};
use super::follow_ups::{FollowUps, INHERITED};

/// Maximum size of a summary's arguments, as JSON without the results.
const MAX_ARGUMENT_BYTES: usize = 64 << 20;

/// The result of a finished member.
#[derive(Clone, Debug)]
pub(super) struct MemberResult {
    pub id: String,
    pub index: u32,
    pub state: FinalState,
    /// JSON: what it returned, or its exception.
    pub result: String,
}

/// A group that waits for its members, besides their number.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct WaitingGroup {
    #[serde(flatten)]
    pub summary: NewTask,
    /// See [`NewGroup::body`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Box<Signature>>,
    /// See [`NewGroup::shape`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<ResultShape>,
}

/// The consequence of a finished group.
#[derive(Debug)]
pub(super) enum GroupEnd {
    /// Its summary is enqueued, or what its body starts with.
    Enqueue(Batch),
    /// A member has failed.
    Fail(GroupFailure),
}

/// The end of a group whose summary does not run.
#[derive(Debug)]
pub(super) struct GroupFailure {
    /// The tasks that end with it: the summary, and what would have followed. They are never enqueued.
    pub tasks: Vec<NewTask>,
    /// Their exception, as JSON.
    pub exception: String,
    /// The errbacks of the summary.
    pub errbacks: Batch,
}

impl From<NewGroup> for WaitingGroup {
    fn from(group: NewGroup) -> Self {
        let NewGroup { summary, body, shape, .. } = group;
        Self { summary, body, shape }
    }
}

impl WaitingGroup {
    /// Ends a group of `size` members: the first argument of its summary is the list of their results. A member that stored
    /// no result counts as one that returned null.
    ///
    /// As in Celery, a member that failed or was revoked fails the summary, which is not run then.
    pub fn end(self, size: u32, members: &[MemberResult], now_ms: i64) -> GroupEnd {
        let failed = members.iter().filter(|member| member.state != FinalState::Success);
        if let Some(failed) = failed.min_by_key(|member| member.index) {
            let cause = serde_json::from_str(&failed.result)
                .unwrap_or_else(|_| Exception::builtin("RuntimeError", "the task failed"));
            let exception = Exception::chord_dependency(&failed.id, &cause);
            return GroupEnd::Fail(self.fail(exception_json(&exception), now_ms));
        }
        let batch = match results(self.shape.as_ref(), size, members) {
            Ok(results) => self.start(results, now_ms),
            Err(error) => Err(error.to_string()),
        };
        match batch {
            Ok(batch) => GroupEnd::Enqueue(batch),
            Err(why) => {
                let text = format!("the summary's message cannot be completed: {why}");
                let exception = exception_json(&Exception::chord_error(text));
                GroupEnd::Fail(self.fail(exception, now_ms))
            }
        }
    }

    /// Fails the summary, and what would have followed it.
    pub fn fail(self, exception: String, now_ms: i64) -> GroupFailure {
        let Self { summary, body, .. } = self;
        let Some(body) = body else {
            let (headers, embed) = parts(&summary.message);
            let tasks = follow_ups(&headers, &summary.id, now_ms);
            let abandoned = tasks.abandoned(embed.chain);
            let errbacks = tasks.of_failure(embed.errbacks).unwrap_or_default();
            let tasks = std::iter::once(summary).chain(abandoned).collect();
            return GroupFailure { tasks, exception, errbacks };
        };
        let headers = body_headers(&body);
        let id = body.task_id().unwrap_or_default().to_owned();
        let tasks = follow_ups(&headers, &id, now_ms);
        let errbacks = tasks.of_failed_body(&body);
        GroupFailure { tasks: tasks.abandoned(vec![*body]), exception, errbacks }
    }

    /// Returns the tasks that start with the results.
    fn start(&self, results: Value, now_ms: i64) -> Result<Batch, String> {
        let Some(body) = &self.body else {
            let message = with_results(&self.summary.message, results);
            let message = message.map_err(|error| error.to_string())?;
            let summary = NewTask { message, ..self.summary.clone() };
            return Ok(Batch { tasks: vec![summary], groups: Vec::new() });
        };
        let headers = body_headers(body);
        let parent = self.summary.parent_id.clone().unwrap_or_default();
        let mut tasks = follow_ups(&headers, &parent, now_ms);
        tasks.parent_id = self.summary.parent_id.as_deref();
        let (mut batch, body) = (Batch::default(), Signature::clone(body));
        let added = tasks.add(&mut batch, body, Vec::new(), Some(&results));
        added.map(|()| batch).map_err(|exception| exception.to_string())
    }
}

/// Returns the tasks that will never be sent because the task of this message was revoked: the rest of its chain.
pub(super) fn abandoned_by(message: &str, now_ms: i64) -> Vec<NewTask> {
    // Looked for first, because most tasks have no chain and need not be read.
    if !message.contains("chain") && !message.contains("base64") {
        return Vec::new();
    }
    let (headers, embed) = parts(message);
    follow_ups(&headers, &headers.id, now_ms).abandoned(embed.chain)
}

/// Returns the headers and what belongs to the task of a message that this program has written.
fn parts(message: &str) -> (TaskHeaders, Embed) {
    let envelope = Envelope::<TaskHeaders>::from_slice(message.as_bytes());
    let read = envelope.and_then(|mut envelope| {
        let embed = envelope.decode_body(MAX_ARGUMENT_BYTES)?.embed;
        Ok((envelope.headers, embed))
    });
    read.unwrap_or_default()
}

/// Returns the headers that the options of a body stand for.
fn body_headers(body: &Signature) -> TaskHeaders {
    let mut headers = TaskHeaders::default();
    headers.root_id = body.options.get("root_id").and_then(Value::as_str).map(str::to_owned);
    if let Some(Value::Object(extra)) = body.options.get("headers") {
        headers.extra.clone_from(extra);
    }
    headers
}

fn follow_ups<'a>(headers: &'a TaskHeaders, parent_id: &'a str, now_ms: i64) -> FollowUps<'a> {
    let inherited = |name: &str| Some((name.to_owned(), headers.extra.get(name)?.clone()));
    FollowUps {
        parent_id: Some(parent_id),
        root_id: headers.root_id.as_deref(),
        inherited: INHERITED.into_iter().filter_map(inherited).collect(),
        // Signatures that this program has written have queue and priority.
        options: &|_| None,
        now_ms,
        origin: "piton",
    }
}

/// Returns the exception of a summary one of whose members was removed, as JSON.
pub(super) fn removed_member(group: &str) -> String {
    let text = format!("a member of the group {group} was removed before it ended");
    exception_json(&Exception::chord_error(text))
}

/// Returns the exception of a task that was revoked before it ran, as JSON.
pub(super) fn revoked() -> String {
    exception_json(&Exception::task_revoked("revoked"))
}

fn exception_json(exception: &Exception) -> String {
    serde_json::to_string(exception).expect("an exception is text and JSON values")
}

/// Returns the results of the members, in the order of their indices or as `shape` arranges them.
fn results(
    shape: Option<&ResultShape>,
    size: u32,
    members: &[MemberResult],
) -> Result<Value, piton_celery::Error> {
    let mut results = vec![Value::Null; size as usize];
    let mut by_id = HashMap::new();
    for member in members {
        let result: Value = python_json::from_slice(member.result.as_bytes())?;
        match (shape, results.get_mut(member.index as usize)) {
            (Some(_), _) => drop(by_id.insert(member.id.as_str(), result)),
            (None, Some(place)) => *place = result,
            (None, None) => {}
        }
    }
    Ok(match shape {
        Some(shape) => shape.arrange(&mut |id| by_id.remove(id).unwrap_or_default()),
        None => Value::Array(results),
    })
}

impl ResultShape {
    /// Returns the results, each of which `result` returns by the id of its task.
    pub fn arrange(&self, result: &mut dyn FnMut(&str) -> Value) -> Value {
        match self {
            Self::Task(id) => result(id),
            Self::Group(parts) => parts.iter().map(|part| part.arrange(result)).collect(),
        }
    }
}

fn with_results(message: &str, results: Value) -> Result<String, piton_celery::Error> {
    let mut envelope: Envelope = Envelope::from_slice(message.as_bytes())?;
    let mut body = envelope.decode_body(MAX_ARGUMENT_BYTES)?;
    body.args.insert(0, results);
    // Removed, so that it is made of the new arguments.
    envelope.headers.args_repr = None;
    let complete = Envelope::task(envelope.headers, envelope.properties, &body)?.to_vec()?;
    Ok(String::from_utf8(complete).expect("JSON is UTF-8"))
}

#[cfg(test)]
mod tests {
    use piton_celery::{Properties, TaskBody, TaskHeaders};
    use serde_json::json;

    use super::*;

    fn summary() -> NewTask {
        let body = TaskBody::new(vec![json!("title")], Default::default());
        let properties = Properties::new("celery", "tag");
        let message = Envelope::task(TaskHeaders::new("sum", "s"), properties, &body).unwrap();
        NewTask {
            id: "s".into(),
            name: "sum".into(),
            queue: "celery".into(),
            priority: 0,
            created_at_ms: 0,
            due_at_ms: None,
            expires_at_ms: None,
            retries: 0,
            parent_id: None,
            group: None,
            ignore_result: false,
            message: String::from_utf8(message.to_vec().unwrap()).unwrap(),
        }
    }

    fn group(summary: NewTask) -> WaitingGroup {
        WaitingGroup { summary, body: None, shape: None }
    }

    fn member(index: u32, state: FinalState, result: &str) -> MemberResult {
        MemberResult { id: format!("m{index}"), index, state, result: result.into() }
    }

    #[test]
    fn the_results_come_first_and_in_the_order_of_the_members() {
        let members =
            [member(2, FinalState::Success, "\"c\""), member(0, FinalState::Success, "[1]")];
        let GroupEnd::Enqueue(batch) = group(summary()).end(3, &members, 0) else {
            panic!("enqueued")
        };
        let mut envelope: Envelope =
            Envelope::from_slice(batch.tasks[0].message.as_bytes()).unwrap();
        assert!(envelope.headers.args_repr.as_deref().unwrap().contains("'title'"));
        let body = envelope.decode_body(1000).unwrap();
        assert_eq!(body.args, [json!([[1], null, "c"]), json!("title")]);
    }

    #[test]
    fn the_first_member_that_failed_fails_the_summary() {
        let cause =
            r#"{"exc_type": "ValueError", "exc_message": ["no"], "exc_module": "builtins"}"#;
        let members = [
            member(2, FinalState::Revoked, "null"),
            member(1, FinalState::Failure, cause),
            member(0, FinalState::Success, "1"),
        ];
        let GroupEnd::Fail(failure) = group(summary()).end(3, &members, 0) else { panic!("fails") };
        let exception: Exception = serde_json::from_str(&failure.exception).unwrap();
        assert_eq!(exception, Exception::chord_error("Dependency m1 raised ValueError('no')"));
    }

    #[test]
    fn a_message_that_is_damaged_fails_the_summary() {
        let damaged = NewTask { message: "{".into(), ..summary() };
        assert!(matches!(group(damaged).end(0, &[], 0), GroupEnd::Fail(_)));
    }
}
