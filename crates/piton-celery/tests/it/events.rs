//! Every recorded event is written as Celery wrote it.

use std::collections::BTreeSet;
use std::time::Duration;

use piton_celery::{Envelope, Event, EventKind, EventSource, EventTask, TaskHeaders, WorkerStatus};
use serde_json::{Map, Value, json};

use crate::recordings::{MAX_BYTES, messages};

fn envelopes() -> Vec<Envelope<Map<String, Value>>> {
    let envelopes =
        messages().into_iter().map(|one| Envelope::from_slice(one.text.as_bytes()).unwrap());
    envelopes
        .filter(|one: &Envelope<_>| one.properties.delivery_info.exchange == "celeryev")
        .collect()
}

fn text(event: &Value, name: &str) -> String {
    event[name].as_str().unwrap().to_owned()
}

fn uuid(event: &Value) -> String {
    text(event, "uuid")
}

fn optional_text(event: &Value, name: &str) -> Option<String> {
    event[name].as_str().map(str::to_owned)
}

fn runtime(event: &Value) -> Duration {
    Duration::from_secs_f64(event["runtime"].as_f64().unwrap())
}

fn status(event: &Value) -> WorkerStatus {
    let mut status =
        WorkerStatus::new(text(event, "sw_ident"), text(event, "sw_ver"), text(event, "sw_sys"));
    status.interval = Duration::from_secs_f64(event["freq"].as_f64().unwrap());
    status.active = event["active"].as_u64().unwrap();
    status.processed = event["processed"].as_u64().unwrap();
    status.load_average = serde_json::from_value(event["loadavg"].clone()).unwrap();
    status
}

fn task(event: &Value) -> EventTask {
    let mut headers = TaskHeaders::new(text(event, "name"), uuid(event));
    headers.args_repr = optional_text(event, "args");
    headers.kwargs_repr = optional_text(event, "kwargs");
    headers.root_id = optional_text(event, "root_id");
    headers.parent_id = optional_text(event, "parent_id");
    headers.retries = serde_json::from_value(event["retries"].clone()).unwrap();
    headers.eta = serde_json::from_value(event["eta"].clone()).unwrap();
    headers.expires = serde_json::from_value(event["expires"].clone()).unwrap();
    EventTask::from(&headers)
}

fn kind(event: &Value) -> EventKind {
    let uuid = || uuid(event);
    let text = |name| text(event, name);
    match event["type"].as_str().unwrap() {
        "worker-online" => EventKind::WorkerOnline(status(event)),
        "worker-heartbeat" => EventKind::WorkerHeartbeat(status(event)),
        "worker-offline" => EventKind::WorkerOffline(status(event)),
        "task-sent" => EventKind::TaskSent {
            task: task(event),
            queue: text("queue"),
            exchange: text("exchange"),
            routing_key: text("routing_key"),
        },
        "task-received" => EventKind::TaskReceived(task(event)),
        "task-started" => EventKind::TaskStarted { uuid: uuid() },
        "task-succeeded" => EventKind::TaskSucceeded {
            uuid: uuid(),
            result: text("result"),
            runtime: Some(runtime(event)),
        },
        "task-failed" => EventKind::TaskFailed {
            uuid: uuid(),
            exception: text("exception"),
            traceback: optional_text(event, "traceback"),
        },
        "task-retried" => EventKind::TaskRetried {
            uuid: uuid(),
            exception: text("exception"),
            traceback: text("traceback"),
        },
        "task-revoked" => EventKind::TaskRevoked {
            uuid: uuid(),
            terminated: event["terminated"].as_bool().unwrap(),
            signum: serde_json::from_value(event["signum"].clone()).unwrap(),
            expired: event["expired"].as_bool().unwrap(),
        },
        "task-rejected" => {
            EventKind::TaskRejected { uuid: uuid(), requeue: event["requeue"].as_bool().unwrap() }
        }
        other => panic!("{other} is not known"),
    }
}

fn event(event: &Value) -> Event {
    let pid = serde_json::from_value(event["pid"].clone()).unwrap();
    EventSource::new(text(event, "hostname"), pid).event(
        kind(event),
        event["clock"].as_u64().unwrap(),
        event["timestamp"].as_f64().unwrap(),
    )
}

/// Rounds the time for which a task ran to that of a [`Duration`].
fn with_rounded_runtime(mut body: Value) -> Value {
    let events = match &mut body {
        Value::Array(events) => events.as_mut_slice(),
        event => std::slice::from_mut(event),
    };
    for event in events.iter_mut().filter(|event| event["runtime"].is_number()) {
        event["runtime"] = json!(runtime(event).as_secs_f64());
    }
    body
}

#[test]
fn every_event_is_written_as_celery_wrote_it() {
    let mut types = BTreeSet::new();
    for recorded in envelopes() {
        let body: Value = recorded.decode_json(MAX_BYTES).unwrap();
        let tag = recorded.properties.delivery_tag.clone();
        let written = match &body {
            Value::Array(events) => {
                Event::batch(&events.iter().map(event).collect::<Vec<_>>(), tag)
            }
            one => event(one).to_envelope(tag),
        };
        let mut written = written.unwrap();
        let body = with_rounded_runtime(body);
        assert_eq!(written.decode_json::<Value>(MAX_BYTES).unwrap(), body);
        // Equal but for the spaces and the order of the JSON.
        written.body.clone_from(&recorded.body);
        assert_eq!(written, recorded);
        let events = body.as_array().cloned().unwrap_or_else(|| vec![body]);
        types.extend(events.iter().map(|event| text(event, "type")));
    }
    assert_eq!(types.len(), 11, "{types:?}");
}

#[test]
fn a_single_event_of_a_task_has_a_channel_of_its_own() {
    let started = EventKind::TaskStarted { uuid: "1".into() };
    let message = EventSource::new("w1@vm", 1).event(started, 2, 3.0).to_envelope("tag").unwrap();
    assert_eq!(message.properties.delivery_info.routing_key, "task.started");
    assert_eq!(message.decode_json::<Value>(MAX_BYTES).unwrap()["type"], "task-started");
}
