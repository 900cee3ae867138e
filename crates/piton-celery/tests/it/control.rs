//! Every recorded request is read, and every recorded reply is written as Celery wrote it.

use std::collections::BTreeMap;
use std::time::Duration;

use piton_celery::{
    ControlReply, ControlRequest, Envelope, Properties, QueueBinding, RateLimit, ScheduledTask,
    TaskBody, TaskHeaders, TaskInfo, TaskStage, queue_info,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::recordings::{MAX_BYTES, messages};
use crate::strategies;

type Message = Envelope<Map<String, Value>>;

fn of_exchange(exchange: &str) -> Vec<(String, Message)> {
    let read = |text: &str| Message::from_slice(text.as_bytes()).unwrap();
    let messages = messages().into_iter().map(|one| (one.from, read(&one.text)));
    messages.filter(|(_, one)| one.properties.delivery_info.exchange == exchange).collect()
}

fn requests() -> Vec<(String, ControlRequest)> {
    let read = |one: Message| ControlRequest::from_envelope(&one, MAX_BYTES).unwrap();
    of_exchange("celery.pidbox").into_iter().map(|(from, one)| (from, read(one))).collect()
}

fn replies() -> Vec<(String, Message)> {
    of_exchange("reply.celery.pidbox")
}

fn request(scenario: &str) -> ControlRequest {
    let from = format!("scenario {scenario}");
    requests().into_iter().find(|(one, _)| *one == from).unwrap().1
}

/// Returns what the worker `w1@vm` replied to a command of a scenario.
fn reply_body(scenario: &str, command: &str) -> Value {
    let from = format!("scenario {scenario}");
    let tickets: Vec<_> = requests()
        .into_iter()
        .filter(|(one, request)| *one == from && request.command() == command)
        .filter_map(|(_, request)| request.ticket)
        .collect();
    let (_, reply) = replies()
        .into_iter()
        .find(|(_, reply)| tickets.iter().any(|ticket| reply.headers["ticket"] == **ticket))
        .unwrap();
    reply.decode_json::<Value>(MAX_BYTES).unwrap()["w1@vm"].take()
}

#[test]
fn every_request_is_read() {
    let requests = requests();
    assert!(requests.len() > 25, "{} requests", requests.len());
    for (from, request) in requests {
        assert_eq!(
            request.is_for("w1@vm"),
            from != "scenario control_broadcast_wrongdest",
            "{from}"
        );
        assert!(request.clock > 0, "{from}");
        let expires = request.expires_seconds.unwrap();
        assert!(!request.is_expired(expires) && request.is_expired(expires + 0.1), "{from}");
        assert_eq!(request.ticket.is_some(), request.reply_to.is_some(), "{from}");
        if let Some(to) = &request.reply_to {
            assert_eq!(to.queue(), format!("{}.reply.celery.pidbox", to.routing_key));
        }
    }
}

#[test]
fn arguments_of_commands_are_read() {
    let revoke = request("revoke_eta");
    assert_eq!(revoke.task_ids().unwrap(), ["f22b5cb0-01f9-459d-9c16-f54d09150294"]);
    assert!(!revoke.terminate() && revoke.reply_to.is_none());
    let terminate = request("revoke_terminate");
    assert!(terminate.terminate());
    assert_eq!(terminate.signal_number().unwrap(), 15);
    let rate_limit = request("control_rate_limit");
    assert_eq!(rate_limit.task_name().unwrap(), "proj.limited");
    assert_eq!(rate_limit.rate_limit().unwrap(), "100/m".parse().ok());
    let limits = request("control_time_limit").time_limit().unwrap();
    assert_eq!(limits.hard, Some(Duration::from_secs(120)));
    assert_eq!(limits.soft, Some(Duration::from_secs(60)));
    assert_eq!(request("control_add_consumer").queue().unwrap(), "extra");
    assert_eq!(request("control_cancel_consumer").queue().unwrap(), "extra");
    assert_eq!(request("inspect_query_task").ids().unwrap(), ["abc"]);
    let hello = requests().into_iter().find(|(_, one)| one.command() == "hello").unwrap().1;
    assert_eq!(hello.sender().unwrap(), "w1@vm");
    assert!(hello.revoked_ids().unwrap().is_empty());
}

#[test]
fn every_reply_is_written_as_celery_wrote_it() {
    let by_ticket: BTreeMap<_, _> = requests()
        .into_iter()
        .filter_map(|(_, request)| Some((request.ticket.clone()?, request)))
        .collect();
    for (from, recorded) in replies() {
        let request = &by_ticket[recorded.headers["ticket"].as_str().unwrap()];
        let body: Value = recorded.decode_json(MAX_BYTES).unwrap();
        let reply = match (&body["w1@vm"]["ok"], &body["w1@vm"]["error"]) {
            (Value::Null, Value::Null) => ControlReply::value(&body["w1@vm"]).unwrap(),
            (Value::Null, Value::String(_)) => ControlReply::unknown_command(&request.method),
            (message, _) => ControlReply::ok(message.clone()),
        };
        let clock = recorded.headers["clock"].as_u64().unwrap();
        let tag = recorded.properties.delivery_tag.clone();
        let mut written = request.reply("w1@vm", &reply, clock, tag).unwrap().unwrap();
        assert_eq!(written.decode_json::<Value>(MAX_BYTES).unwrap(), body, "{from}");
        // Equal but for the spaces and the order of the JSON.
        written.body.clone_from(&recorded.body);
        assert_eq!(written, recorded, "{from}");
    }
}

#[test]
fn a_queue_has_all_members_of_kombus() {
    assert_eq!(reply_body("inspect_active_queues", "active_queues"), json!([queue_info("celery")]));
}

/// Makes the information on a task anew, of its message.
fn task_info(recorded: &Value) -> TaskInfo {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let headers = TaskHeaders::new(text(&recorded["type"]), text(&recorded["id"]));
    let args = recorded["args"].as_array().unwrap().clone();
    let body = TaskBody::new(args, recorded["kwargs"].as_object().unwrap().clone());
    let envelope = Envelope::task(headers, Properties::new("celery", "tag"), &body).unwrap();
    let mut info = TaskInfo::new(&envelope, &body, "w1@vm");
    info.started_seconds = recorded["time_start"].as_f64();
    info.acknowledged = recorded["acknowledged"].as_bool().unwrap();
    info.worker_pid = serde_json::from_value(recorded["worker_pid"].clone()).unwrap();
    info
}

#[test]
fn tasks_of_a_worker_are_reported_as_celery_reports_them() {
    for command in ["active", "reserved"] {
        let tasks = reply_body("inspect_busy", command);
        let again: Vec<_> = tasks.as_array().unwrap().iter().map(task_info).collect();
        assert!(!again.is_empty());
        assert_eq!(json!(again), tasks);
    }
}

#[test]
fn a_scheduled_task_is_reported_as_celery_reports_it() {
    let tasks = reply_body("inspect_busy", "scheduled");
    let eta: piton_celery::IsoDateTime = tasks[0]["eta"].as_str().unwrap().parse().unwrap();
    let again = [ScheduledTask::new(eta, task_info(&tasks[0]["request"]))];
    assert_eq!(json!(again), tasks);
}

#[test]
fn queried_tasks_are_reported_with_their_stage() {
    let tasks = reply_body("inspect_busy", "query_task");
    let stage = |name: &Value| match name.as_str().unwrap() {
        "reserved" => TaskStage::Reserved,
        "scheduled" => TaskStage::Scheduled,
        other => panic!("{other} is not recorded"),
    };
    let again: BTreeMap<_, _> = tasks
        .as_object()
        .unwrap()
        .iter()
        .map(|(id, task)| (id, (stage(&task[0]), task_info(&task[1]))))
        .collect();
    assert_eq!(json!(again), tasks);
}

/// Reads all arguments of a request.
pub fn read_arguments(request: &ControlRequest) {
    let _ = (request.is_for("w1@vm"), request.is_expired(0.0), request.terminate());
    let _ = (request.task_ids(), request.ids(), request.revoked_ids(), request.signal_number());
    let _ = (request.task_name(), request.queue(), request.sender());
    let _ = (request.rate_limit(), request.time_limit());
}

/// Returns a name, and a pattern in which some of its characters are replaced by `?`, `*` and sets.
fn name_and_pattern() -> impl Strategy<Value = (String, String)> {
    prop::collection::vec(("[a-z0-9@.]", 0..5_u8, "[a-z@]{0,3}"), 0..12).prop_map(|characters| {
        let mut parts = (String::new(), String::new());
        for (character, kind, more) in characters {
            parts.0.push_str(&character);
            match kind {
                0 => parts.1.push('?'),
                1 => {
                    parts.0.push_str(&more);
                    parts.1.push('*');
                }
                2 => parts.1.push_str(&format!("[{character}{more}]")),
                _ => parts.1.push_str(&character),
            }
        }
        parts
    })
}

fn ping(pattern: &str) -> ControlRequest {
    request_of(&json!({"method": "ping", "pattern": pattern, "matcher": "glob"}))
}

fn request_of(body: &Value) -> ControlRequest {
    let message = Message::new(Map::new(), Properties::new("q", "tag"), body).unwrap();
    ControlRequest::from_envelope(&message, MAX_BYTES).unwrap()
}

proptest! {
    #[test]
    fn a_name_matches_the_patterns_that_are_made_of_it((name, pattern) in name_and_pattern()) {
        prop_assert!(ping(&pattern).is_for(&name), "`{}` matches `{}`", name, pattern);
        let longer = pattern + "!";
        prop_assert!(!ping(&longer).is_for(&name));
    }

    #[test]
    fn any_text_is_a_pattern(pattern in "[a-c*?!^\\[\\]\\\\-]{0,12}", name in any::<String>()) {
        let _ = ping(&pattern).is_for(&name);
    }

    #[test]
    fn arguments_of_any_type_are_read_or_refused(value in strategies::value()) {
        let names = ["task_id", "ids", "revoked", "terminate", "signal", "task_name", "rate_limit", "hard", "soft", "queue"];
        let arguments: Map<_, _> = names.map(|name| (name.to_owned(), value.clone())).into_iter().collect();
        read_arguments(&request_of(&json!({"method": "revoke", "arguments": arguments})));
    }

    #[test]
    fn a_binding_comes_back_as_it_was_written(key in "[^\\x06]{0,8}", pattern in "[^\\x06]{0,8}", queue in "[^\\x06]{0,8}") {
        let binding = QueueBinding { routing_key: &key, pattern: &pattern, queue: &queue };
        let member = binding.to_string();
        prop_assert_eq!(QueueBinding::parse(&member), Some(binding));
    }

    #[test]
    fn a_rate_is_a_positive_number_or_an_error(text in "[-+0-9.einfa ]{0,6}/?[smh]?") {
        if let Ok(limit) = text.parse::<RateLimit>() {
            prop_assert!(limit.per_second() > 0.0 && limit.per_second().is_finite());
        }
    }
}
