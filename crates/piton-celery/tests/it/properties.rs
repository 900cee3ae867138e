//! Laws of messages: each comes back as it was written, and no bytes make the reader panic.

use piton_celery::{
    ControlRequest, Envelope, IsoDateTime, Kind, Signature, TaskBody, TaskResult, args_repr,
    python_json, python_repr, safe_repr, typed_values,
};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::control::read_arguments;
use crate::strategies;

/// Reads bytes as everything that can be read.
fn read_all(bytes: &[u8]) {
    if let Ok(mut envelope) = Envelope::from_slice(bytes) {
        let _ = envelope.decode_body(10_000);
        let _ = envelope.to_vec();
    }
    if let Ok(envelope) = Envelope::<Map<String, Value>>::from_slice(bytes) {
        let _ = envelope.decode_json::<Value>(10_000);
        let _ = ControlRequest::from_envelope(&envelope, 10_000)
            .map(|request| read_arguments(&request));
    }
    let _ = TaskBody::from_slice(bytes).map(|body| args_repr(&body.args));
    let _ = TaskResult::from_slice(bytes).map(|result| result.exception());
    let _ = python_json::from_slice::<Signature>(bytes).map(|signature| signature.composition());
    if let Ok(value) = python_json::from_slice::<Value>(bytes) {
        let _ = (python_repr(&value), safe_repr(&value), typed_values::plain(value));
    }
}

/// Returns recorded text with a part of it replaced.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let lines: Vec<&str> = include_str!("../recordings/messages.jsonl")
        .lines()
        .chain(include_str!("../recordings/results.jsonl").lines())
        .collect();
    let piece = prop_oneof![
        vec(any::<u8>(), 0..4),
        "[\\[\\]{}\",:0-9NaIe-]{0,6}".prop_map(String::into_bytes)
    ];
    (proptest::sample::select(lines), any::<prop::sample::Index>(), 0..40_usize, piece).prop_map(
        |(line, at, length, piece)| {
            let line: Value = serde_json::from_str(line).unwrap();
            let mut bytes = line["text"].as_str().unwrap().as_bytes().to_vec();
            let begin = at.index(bytes.len());
            let end = (begin + length).min(bytes.len());
            bytes.splice(begin..end, piece);
            bytes
        },
    )
}

proptest! {
    #[test]
    fn a_message_comes_back_as_it_was_written((message, body) in strategies::message()) {
        let complete = !message.headers.task.is_empty() && !message.headers.id.is_empty()
            && !message.properties.delivery_tag.is_empty() && !message.properties.delivery_info.routing_key.is_empty();
        match message.to_vec() {
            Err(error) => prop_assert!(!complete && error.kind() == Kind::Incomplete),
            Ok(bytes) => {
                prop_assert!(complete);
                let mut read = Envelope::from_slice(&bytes).unwrap();
                prop_assert_eq!(&read, &message);
                prop_assert_eq!(read.decode_body(1 << 20).unwrap(), body);
            }
        }
    }

    #[test]
    fn a_value_comes_back_as_it_was_written(value in strategies::value()) {
        let json = python_json::to_vec(&value).unwrap();
        prop_assert_eq!(python_json::from_slice::<Value>(&json).unwrap(), value);
    }

    #[test]
    fn a_result_comes_back_as_it_was_written(value in strategies::value(), time in strategies::time()) {
        let result = TaskResult::success("1", value).done(time);
        prop_assert_eq!(TaskResult::from_slice(&result.to_vec().unwrap()).unwrap(), result);
    }

    #[test]
    fn a_signature_comes_back_from_a_composition(tasks in vec(strategies::signature(), 0..3)) {
        let group = Signature::group(tasks.clone());
        let json = python_json::to_vec(&group).unwrap();
        let read: Signature = python_json::from_slice(&json).unwrap();
        prop_assert_eq!(read.composition().unwrap(), piton_celery::Composition::Group(tasks));
    }

    #[test]
    fn a_time_comes_back_as_it_was_written(time in strategies::time()) {
        prop_assert_eq!(time.to_string().parse::<IsoDateTime>().unwrap(), time);
    }

    #[test]
    fn plain_values_are_plain(value in strategies::value()) {
        // Only what is drawn as text can have a type that is not known.
        if let Ok(plain) = typed_values::plain(value) {
            prop_assert_eq!(typed_values::plain(plain.clone()).unwrap(), plain);
        }
    }

    #[test]
    fn representations_are_short(value in strategies::value()) {
        prop_assert!(safe_repr(&Value::from(vec![value; 200])).chars().count() < 3000);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        read_all(&bytes);
    }

    #[test]
    fn arbitrary_json_never_panics(text in "[\\[\\]{}\",:0-9NanIfity.e$_ -]{0,60}") {
        read_all(text.as_bytes());
    }

    #[test]
    fn arbitrary_text_is_a_time_or_an_error(text in "[0-9TZ:+. é-]{0,32}") {
        if let Ok(time) = text.parse::<IsoDateTime>() {
            prop_assert_eq!(time.to_string().parse::<IsoDateTime>().unwrap(), time);
        }
    }

    #[test]
    fn a_damaged_recording_never_panics(bytes in damaged()) {
        read_all(&bytes);
    }
}
