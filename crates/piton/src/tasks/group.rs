//! The end of a group: what becomes of its summary, the task that gets the members' results.

use piton_celery::{Envelope, Exception, python_json};
use serde_json::Value;

use super::brokers::records::{FinalState, NewTask};

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

/// What happens to the summary of a finished group.
#[derive(Debug)]
pub(super) enum Summary {
    /// It is enqueued.
    Enqueue(Box<NewTask>),
    /// A member has failed: the exception, as JSON, is stored as the result of a failure.
    Fail(String),
}

/// Makes the summary of a group of `size` members: its first argument is the list of their results, in the order of
/// their indices. A member that stored no result counts as one that returned null.
///
/// As in Celery, a member that failed or was revoked fails the summary, which is not run then.
pub(super) fn summarize(summary: NewTask, size: u32, members: &[MemberResult]) -> Summary {
    let failed = members.iter().filter(|member| member.state != FinalState::Success);
    if let Some(failed) = failed.min_by_key(|member| member.index) {
        let cause = serde_json::from_str(&failed.result)
            .unwrap_or_else(|_| Exception::builtin("RuntimeError", "the task failed"));
        return Summary::Fail(exception_json(&Exception::chord_dependency(&failed.id, &cause)));
    }
    match with_results(&summary.message, size, members) {
        Ok(message) => Summary::Enqueue(Box::new(NewTask { message, ..summary })),
        Err(error) => {
            let text = format!("the summary's message cannot be completed: {error}");
            Summary::Fail(exception_json(&Exception::chord_error(text)))
        }
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

fn with_results(
    message: &str,
    size: u32,
    members: &[MemberResult],
) -> Result<String, piton_celery::Error> {
    let mut results = vec![Value::Null; size as usize];
    for member in members {
        if let Some(result) = results.get_mut(member.index as usize) {
            *result = python_json::from_slice(member.result.as_bytes())?;
        }
    }
    let mut envelope: Envelope = Envelope::from_slice(message.as_bytes())?;
    let mut body = envelope.decode_body(MAX_ARGUMENT_BYTES)?;
    body.args.insert(0, Value::Array(results));
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

    fn member(index: u32, state: FinalState, result: &str) -> MemberResult {
        MemberResult { id: format!("m{index}"), index, state, result: result.into() }
    }

    #[test]
    fn the_results_come_first_and_in_the_order_of_the_members() {
        let members =
            [member(2, FinalState::Success, "\"c\""), member(0, FinalState::Success, "[1]")];
        let Summary::Enqueue(task) = summarize(summary(), 3, &members) else { panic!("enqueued") };
        let mut envelope: Envelope = Envelope::from_slice(task.message.as_bytes()).unwrap();
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
        let Summary::Fail(exception) = summarize(summary(), 3, &members) else { panic!("fails") };
        let exception: Exception = serde_json::from_str(&exception).unwrap();
        assert_eq!(exception, Exception::chord_error("Dependency m1 raised ValueError('no')"));
    }

    #[test]
    fn a_message_that_is_damaged_fails_the_summary() {
        let damaged = NewTask { message: "{".into(), ..summary() };
        assert!(matches!(summarize(damaged, 0, &[]), Summary::Fail(_)));
    }
}
