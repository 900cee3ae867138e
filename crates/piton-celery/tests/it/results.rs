//! Every recorded result is read, and written as it was.

use piton_celery::{Exception, ResultTuple, Status, TaskResult};
use serde_json::{Value, json};

use crate::recordings::Recording;

fn results() -> Vec<Recording> {
    Recording::all(include_str!("../recordings/results.jsonl"))
}

/// Returns the exceptions of all recorded results.
fn exceptions() -> Vec<Exception> {
    let read = |one: &Recording| TaskResult::from_slice(one.text.as_bytes()).unwrap().exception();
    results().iter().filter_map(read).collect()
}

#[test]
fn every_result_is_written_as_it_was_read() {
    for recording in results() {
        let result = TaskResult::from_slice(recording.text.as_bytes()).unwrap();
        let written: Value = serde_json::from_slice(&result.to_vec().unwrap()).unwrap();
        assert_eq!(written, recording.json(), "{}", recording.from);
        assert_eq!(result.date_done.is_some(), result.status.is_ready(), "{}", recording.from);
        assert!(!matches!(result.status, Status::Custom(_)), "{}", recording.from);
    }
}

#[test]
fn every_failure_has_an_exception() {
    for recording in results() {
        let result = TaskResult::from_slice(recording.text.as_bytes()).unwrap();
        let failed = !matches!(result.status, Status::Success | Status::Started);
        assert_eq!(result.exception().is_some(), failed, "{}", recording.from);
    }
}

#[test]
fn the_exceptions_that_celery_raises_are_those_that_are_made_here() {
    let cause = Exception::new("builtins", "ValueError", vec![json!("hdr"), json!(42)]);
    let missing = "add() missing 1 required positional argument: 'y'";
    for exception in [
        Exception::not_registered("proj.nope"),
        Exception::task_revoked("expired"),
        Exception::task_revoked("revoked"),
        Exception::task_revoked("terminated"),
        Exception::reject("no", false),
        Exception::soft_time_limit_exceeded(),
        Exception::chord_dependency("57aa6768-6bc2-438b-8a72-3b30c981f135", &cause),
        Exception::type_error(missing),
    ] {
        assert!(exceptions().contains(&exception), "{exception}");
    }
}

#[test]
fn children_of_a_task_that_sent_a_group_are_its_members() {
    let children = json!([[["fd6d", null], [[["d81a", null], null], [["4c3f", null], null]]]]);
    let json = json!({"status": "SUCCESS", "result": 1, "task_id": "1", "children": children});
    let result = TaskResult::from_slice(json.to_string().as_bytes()).unwrap();
    let members = vec![ResultTuple::task("d81a"), ResultTuple::task("4c3f")];
    assert_eq!(result.children.unwrap(), [ResultTuple::group("fd6d", members)]);
}
