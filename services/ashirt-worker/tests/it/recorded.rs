//! ASHIRT's own rules for reading a response, which hold for every recorded response.

use piton::serde_json::{self, Deserializer, Value, json};

const RECORDED: &str = include_str!("../../testdata/backend_responses.jsonl");

/// Returns what ASHIRT stores after it has sent evidence.
pub fn of_evidence(status: u16, body: &[u8]) -> Value {
    let unreadable = || record("Error", Value::Null, json!("Unable to parse response"), "");
    let fields = match body {
        [] => Some([None, None]),
        body => {
            serde_json::from_slice(body).ok().and_then(|body| texts(&body, ["action", "content"]))
        }
    };
    let Some([action, content]) = fields else { return unreadable() };
    let action = action.unwrap_or_default();
    let said = || content.clone().map_or(Value::Null, Value::from);
    match (status, &*action) {
        (200, "processed") => match content {
            Some(content) => record("Completed", json!(true), Value::Null, &content),
            None => {
                let why = json!("Content was not delivered for successful run");
                record("Error", Value::Null, why, "")
            }
        },
        (200, "rejected") => record("Completed", json!(false), said(), ""),
        (200, "error") => record("Error", Value::Null, said(), ""),
        (200, "deferred") | (202, _) => record("Queued", json!(true), Value::Null, ""),
        (200, other) => {
            let why = json!(format!("Unexpected response format ({other})"));
            record("Error", Value::Null, why, "")
        }
        (406, _) => record("Completed", json!(false), Value::Null, ""),
        (500, _) => record("Error", Value::Null, Value::Null, ""),
        (other, _) => {
            let why = json!(format!("Unexpected response status code ({other})"));
            record("Error", Value::Null, why, "")
        }
    }
}

/// Returns what ASHIRT stores after a worker has sent metadata.
pub fn of_metadata(metadata: &Value) -> Value {
    let [status, body] = ["status", "body"].map(|name| metadata[name].as_str().unwrap());
    record(status, metadata["canProcess"].clone(), metadata["message"].clone(), body)
}

/// Returns what ASHIRT shows after a connection test: whether the worker is live, and a message.
pub fn of_test(status: u16, body: &[u8]) -> (bool, String) {
    if status == 204 {
        return (true, "Service is functional".into());
    }
    // Whatever follows the first value is not looked at.
    let first = Deserializer::from_slice(body).into_iter::<Value>().next().and_then(Result::ok);
    let Some([status, message]) = first.and_then(|body| texts(&body, ["status", "message"])) else {
        return (false, "Unable to parse response".into());
    };
    match status.as_deref() {
        Some("ok") => (true, "Service is functional".into()),
        Some("error") => (false, message.unwrap_or_else(|| "Service reported an error".into())),
        _ => (false, "Service did not reply with a supported status".into()),
    }
}

fn record(status: &str, can_process: Value, message: Value, body: &str) -> Value {
    json!({ "status": status, "canProcess": can_process, "lastRunMessage": message, "body": body })
}

/// Fields of an object or of `null`, as Go reads them: names in any case, text or nothing.
fn texts<const N: usize>(body: &Value, names: [&str; N]) -> Option<[Option<String>; N]> {
    let empty = serde_json::Map::new();
    let fields = match body {
        Value::Object(fields) => fields,
        Value::Null => &empty,
        _ => return None,
    };
    let mut texts = [const { None }; N];
    for (name, value) in fields {
        let Some(index) = names.iter().position(|known| known.eq_ignore_ascii_case(name)) else {
            continue;
        };
        texts[index] = match value {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            _ => return None,
        };
    }
    Some(texts)
}

#[test]
fn the_rules_hold_for_every_recorded_answer() {
    let mut seen = [0, 0];
    for line in RECORDED.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let body = line["body"].as_str().unwrap_or_default().as_bytes();
        let status = line["status"].as_u64().unwrap_or_default() as u16;
        match line["kind"].as_str().unwrap() {
            "process" => {
                assert_eq!(of_evidence(status, body), line["recorded"], "{line}");
                seen[0] += 1;
            }
            "test" => {
                let (live, message) = of_test(status, body);
                let result = &line["result"];
                assert_eq!(
                    (live, &*message),
                    (result["live"] == true, result["message"].as_str().unwrap()),
                    "{line}"
                );
                seen[1] += 1;
            }
            _ => {}
        }
    }
    assert_eq!(seen, [102, 22]);
}

/// Returns the record of that response.
fn line_of(kind: &str, status: u16, body: &[u8]) -> Value {
    let body = std::str::from_utf8(body).unwrap();
    let lines = RECORDED.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let same =
        |line: &Value| line["kind"] == kind && line["status"] == status && line["body"] == body;
    lines
        .into_iter()
        .find(same)
        .unwrap_or_else(|| panic!("nothing was recorded of {status} {body}"))
}

#[test]
fn our_own_answers_were_recorded_as_they_are_meant() {
    use ashirt_worker::protocol::{WorkerResponse, liveness};
    for (answer, status, can_process, message, body) in [
        (WorkerResponse::Processed("hi".into()), "Completed", json!(true), Value::Null, "hi"),
        (WorkerResponse::Processed(String::new()), "Completed", json!(true), Value::Null, ""),
        (WorkerResponse::Rejected("why".into()), "Completed", json!(false), json!("why"), ""),
        (WorkerResponse::Error("boom".into()), "Error", Value::Null, json!("boom"), ""),
        (WorkerResponse::Deferred, "Queued", json!(true), Value::Null, ""),
    ] {
        let recorded = &line_of("process", 200, &answer.body())["recorded"];
        assert_eq!(*recorded, record(status, can_process, message, body), "{answer:?}");
        // Deferred, the same is recorded.
        let Some(metadata) = answer.metadata("describer".into()) else { continue };
        assert_eq!(of_metadata(&json!(metadata)), *recorded, "{answer:?}");
    }
    let functional = json!("Service is functional");
    for (trouble, live, message) in
        [(None, true, functional), (Some("db down"), false, json!("db down"))]
    {
        let result = &line_of("test", 200, &liveness(trouble))["result"];
        assert_eq!((&result["live"], &result["message"]), (&json!(live), &message));
    }
}
