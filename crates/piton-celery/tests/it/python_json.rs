//! JSON that only Python writes, through whole messages.

use piton_celery::{Envelope, Kind, TaskResult, typed_values};
use serde_json::{Value, json};

fn with_body(body: &str) -> Envelope {
    let message = json!({
        "body": body, "content-encoding": "utf-8", "content-type": "application/json",
        "headers": {"task": "a", "id": "1"},
        "properties": {"delivery_tag": "t", "delivery_info": {"exchange": "", "routing_key": "celery"}},
    });
    Envelope::from_slice(message.to_string().as_bytes()).unwrap()
}

#[test]
fn numbers_of_python_reach_a_task_as_text_and_the_next_task_as_they_were() {
    let text = "[[NaN,-Infinity,123456789012345678901234567890],{\"x\":Infinity},{\"chain\":[{\"args\":[NaN]}]}]";
    let body = with_body(text).decode_body(1000).unwrap();
    let args = typed_values::plain(Value::from(body.args.clone())).unwrap();
    assert_eq!(args, json!(["NaN", "-Infinity", "123456789012345678901234567890"]));
    let written = String::from_utf8(body.to_vec().unwrap()).unwrap();
    assert!(
        written.starts_with("[[NaN,-Infinity,123456789012345678901234567890],{\"x\":Infinity},"),
        "{written}"
    );
    assert!(written.contains("\"args\":[NaN]"), "{written}");
}

#[test]
fn a_large_integer_in_a_result_is_preserved() {
    let json =
        br#"{"status": "SUCCESS", "result": [123456789012345678901234567890], "task_id": "1"}"#;
    let result = TaskResult::from_slice(json).unwrap();
    let written = String::from_utf8(result.to_vec().unwrap()).unwrap();
    assert!(written.contains("\"result\":[123456789012345678901234567890]"), "{written}");
}

#[test]
fn a_float_is_written_with_the_bits_that_were_read() {
    // Fails without serde_json's `float_roundtrip`.
    for text in [
        "122.416294033786585",
        "0.30000000000000004",
        "2.2250738585072014e-308",
        "1.7976931348623157e308",
    ] {
        let body = with_body(&format!("[[{text}],{{}},{{}}]")).decode_body(1000).unwrap();
        assert_eq!(body.args[0].as_f64(), text.parse().ok());
    }
}

#[test]
fn json_that_is_nested_deeply_is_an_error_and_not_the_end_of_the_process() {
    for open in ["[", "{\"a\":", "[{\"a\":"] {
        let error = with_body(&open.repeat(100_000)).decode_body(10_000_000).unwrap_err();
        assert_eq!(error.kind(), Kind::Malformed);
    }
    let error = TaskResult::from_slice("[".repeat(100_000).as_bytes()).unwrap_err();
    assert_eq!(error.kind(), Kind::Malformed);
}
