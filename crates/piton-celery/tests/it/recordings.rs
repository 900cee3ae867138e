//! Every recorded message is read, and written as it was.

use piton_celery::{Composition, Envelope, Kind, TaskBody, args_repr, kwargs_repr, typed_values};
use serde_json::{Map, Value, json};

/// Maximum size of a body in these tests.
pub const MAX_BYTES: usize = 1 << 20;

/// A line of a file of recordings.
pub struct Recording {
    pub from: String,
    pub text: String,
}

impl Recording {
    /// Returns the recordings in the lines of a file.
    pub fn all(lines: &str) -> Vec<Self> {
        let read = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| line[name].as_str().unwrap().to_owned();
            Self { from: text("from"), text: text("text") }
        };
        lines.lines().map(read).collect()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

pub fn messages() -> Vec<Recording> {
    Recording::all(include_str!("../recordings/messages.jsonl"))
}

fn produced(name: &str) -> Envelope {
    let recordings = messages();
    let recording = recordings.iter().find(|one| one.from == format!("producer {name}")).unwrap();
    Envelope::from_slice(recording.text.as_bytes()).unwrap()
}

fn body_of(name: &str) -> TaskBody {
    produced(name).decode_body(MAX_BYTES).unwrap()
}

fn is_task(message: &Value) -> bool {
    let headers = &message["headers"];
    headers.get("task").is_some() || headers.as_object().unwrap().is_empty()
}

#[test]
fn every_message_is_written_as_it_was_read() {
    for recording in messages() {
        let envelope =
            Envelope::<Map<String, Value>>::from_slice(recording.text.as_bytes()).unwrap();
        let written: Value = serde_json::from_slice(&envelope.to_vec().unwrap()).unwrap();
        assert_eq!(written, recording.json(), "{}", recording.from);
    }
}

#[test]
fn every_task_of_protocol_2_is_written_as_it_was_read_with_its_headers_and_body() {
    let mut count = 0;
    for recording in messages().iter().filter(|one| is_task(&one.json())) {
        let mut envelope: Envelope = Envelope::from_slice(recording.text.as_bytes()).unwrap();
        let Ok(json) = envelope.body_bytes(MAX_BYTES).map(|json| json.into_owned()) else {
            assert_eq!(recording.from, "producer pickle");
            continue;
        };
        if envelope.headers.task.is_empty() {
            assert_eq!(recording.from, "producer protocol1");
            continue;
        }
        let written: Value = serde_json::from_slice(&envelope.to_vec().unwrap()).unwrap();
        assert_eq!(written, recording.json(), "{}", recording.from);
        let body = envelope.decode_body(MAX_BYTES).unwrap();
        let mut read: Value = serde_json::from_slice(&json).unwrap();
        // The last task of a chain has an empty rest, which is written as none.
        if read[2]["chain"] == json!([]) {
            read[2]["chain"] = Value::Null;
        }
        let written: Value = serde_json::from_slice(&body.to_vec().unwrap()).unwrap();
        assert_eq!(written, read, "{}", recording.from);
        count += 1;
    }
    assert!(count > 60, "{count} tasks");
}

#[test]
fn every_event_command_and_reply_has_a_body_of_json() {
    let mut exchanges: Vec<String> = Vec::new();
    for recording in messages().iter().filter(|one| !is_task(&one.json())) {
        let envelope =
            Envelope::<Map<String, Value>>::from_slice(recording.text.as_bytes()).unwrap();
        let body: Value = envelope.decode_json(MAX_BYTES).unwrap();
        let again =
            Envelope::new(envelope.headers.clone(), envelope.properties.clone(), &body).unwrap();
        assert_eq!(again.decode_json::<Value>(MAX_BYTES).unwrap(), body, "{}", recording.from);
        exchanges.push(envelope.properties.delivery_info.exchange);
    }
    exchanges.sort_unstable();
    exchanges.dedup();
    assert_eq!(exchanges, ["celery.pidbox", "celeryev", "reply.celery.pidbox"]);
}

#[test]
fn arguments_look_in_logs_as_they_do_in_celerys() {
    for recording in messages().iter().filter(|one| is_task(&one.json())) {
        let mut envelope: Envelope = Envelope::from_slice(recording.text.as_bytes()).unwrap();
        let Ok(body) = envelope.decode_body(MAX_BYTES) else { continue };
        // JSON does not tell a tuple from a list, which beat and workers pass.
        let items = |repr: String| {
            let items = repr[1..repr.len() - 1].trim_end_matches(',');
            items.replace(", (1, 2)", ", [1, 2]")
        };
        let from = &recording.from;
        let recorded = envelope.headers.args_repr.map(items);
        assert_eq!(Some(items(args_repr(&body.args))), recorded, "{from}");
        // Python's keys are in the order of the call, these are sorted: equal where there is one.
        if body.kwargs.len() < 2 {
            assert_eq!(Some(kwargs_repr(&body.kwargs)), envelope.headers.kwargs_repr, "{from}");
        }
    }
}

#[test]
fn protocol_1_is_read_and_written_as_protocol_2() {
    let mut envelope = produced("protocol1");
    assert_eq!(envelope.headers.task, "");
    assert_eq!(envelope.to_vec().unwrap_err().kind(), Kind::Incomplete);
    let body = envelope.decode_body(MAX_BYTES).unwrap();
    assert_eq!(envelope.headers.task, "proj.add");
    assert_eq!(envelope.headers.args_repr.as_deref(), Some("(2, 3)"));
    assert_eq!(body.args, [json!(2), json!(3)]);
    let mut upgraded = Envelope::from_slice(&envelope.to_vec().unwrap()).unwrap();
    assert_eq!(upgraded, envelope);
    assert_eq!(upgraded.decode_body(MAX_BYTES).unwrap(), body);
}

#[test]
fn a_compressed_body_is_read() {
    for name in ["gzip", "zlib"] {
        assert_eq!(body_of(name).args, [json!(2), json!(3)], "{name}");
    }
}

#[test]
fn a_pickled_body_is_refused_with_the_fix_and_its_headers_are_known() {
    let mut envelope = produced("pickle");
    let error = envelope.decode_body(MAX_BYTES).unwrap_err();
    assert_eq!(error.kind(), Kind::ContentType);
    assert!(error.to_string().contains("task_serializer = \"json\""), "{error}");
    assert_eq!(envelope.headers.task, "proj.add");
}

#[test]
fn typed_values_become_plain_ones() {
    let plain = |name| typed_values::plain(Value::from(body_of(name).args)).unwrap();
    assert_eq!(plain("special_types_json"), json!(["2024-01-01T00:00:00+00:00", b"bytes"]));
    assert_eq!(
        plain("special_types_json2"),
        json!([
            "00000000-0000-0000-0000-000000000001",
            "1.50",
            "2024-01-01",
            "01:02:03",
            "2024-01-01T02:03:04",
            [1, 2]
        ])
    );
}

#[test]
fn times_are_those_that_were_sent() {
    let eta = produced("eta_naive").headers.eta.unwrap();
    assert_eq!(eta.to_utc().to_rfc3339(), "2030-01-02T03:04:05+00:00");
    let expires = produced("expires_dt").headers.expires.unwrap();
    assert_eq!(expires.to_string(), "2030-01-02T03:04:05+00:00");
    assert!(produced("countdown60").headers.eta.is_some());
}

#[test]
fn a_chain_runs_from_its_end() {
    let mut chain = body_of("chain3").embed.chain;
    let next = chain.pop().unwrap();
    assert_eq!((next.task.as_str(), &next.args[..]), ("proj.add", &[json!(3)][..]));
    assert!(next.task_id().is_some());
    assert_eq!(chain.pop().unwrap().kwargs["extra"], "c");
}

#[test]
fn a_chord_within_a_chain_has_its_parts() {
    let chord = body_of("chain_with_group_upgraded_to_chord").embed.chain.pop().unwrap();
    let Composition::Chord { header, header_options, body } = chord.composition().unwrap() else {
        panic!("not a chord")
    };
    assert_eq!((header.len(), body.task.as_str()), (2, "proj.tsum"));
    assert!(header_options["task_id"].is_string());
}

#[test]
fn stamps_and_user_headers_are_preserved() {
    let stamped = produced("stamped").headers;
    assert_eq!(stamped.stamped_headers.unwrap(), ["stamp"]);
    assert_eq!(stamped.stamps["stamp"], "v");
    assert_eq!(produced("headers_custom").headers.extra["x-req-id"], "abc");
}
