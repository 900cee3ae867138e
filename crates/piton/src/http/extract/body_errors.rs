//! Collects all errors of a JSON body that does not match its type, each with its JSON Pointer.
//!
//! serde stops at the first error. So the rejected member is removed and the body is read again, until nothing more is
//! rejected. That ends early in two cases: a missing member cannot be removed, and removing an element of a list would
//! shift the others. What follows them is not checked. All this happens only after a first read has failed.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;
use serde_path_to_error::Segment;

use crate::error::handler_error::max_field_errors;
use crate::http::extract::finite_numbers::FiniteF32;
use crate::http::extract::json_pointer::{
    pointer_of_name, pointer_of_path, push_token, remove_member,
};
use crate::http::extract::serde_messages::{duplicate_field, missing_field, to_json_terms};

/// An error of a body: the JSON Pointer of its place, and the message.
pub(super) type BodyError = (String, String);

/// Returns all errors of reading `body`, which is JSON, as a `T`: one more than are reported at most. Returns none if it
/// is a `T`.
#[cold]
pub(super) fn body_errors<T: DeserializeOwned>(body: &[u8]) -> Vec<BodyError> {
    // A `Value` cannot hold a number such as `1e400`. Then only the first error is reported.
    let value = serde_json::from_slice::<Value>(body);
    // The first error is searched in the text, because a `Value` does not show that a member was given twice.
    let first = first_error_in_text::<T>(body, value.as_ref().unwrap_or(&Value::Null));
    let mut errors: Vec<BodyError> = first.into_iter().collect();
    let Ok(mut rest) = value else { return errors };
    while let Some(last) = errors.last()
        && errors.len() <= max_field_errors(body.len())
        && remove_rejected(&mut rest, last)
    {
        match first_error::<T>(&rest) {
            Some(next) if is_independent(&next, &errors) => errors.push(next),
            _ => break,
        }
    }
    errors
}

/// Returns the first error of reading `body` as a `T`.
fn first_error<T: DeserializeOwned>(body: &Value) -> Option<BodyError> {
    let error = serde_path_to_error::deserialize::<_, T>(FiniteF32(body)).err()?;
    let first = body_error(&error);
    if is_about_a_name(&error, &first, body) {
        // The body is read as text, because reading a `Value` does not tell the position of a rejected name.
        return first_error_in_text::<T>(&serde_json::to_vec(body).ok()?, body);
    }
    Some(first)
}

/// Does the same as [`first_error`] for `text`, which is `body` as JSON.
fn first_error_in_text<T: DeserializeOwned>(text: &[u8], body: &Value) -> Option<BodyError> {
    let deserializer = &mut serde_json::Deserializer::from_slice(text);
    let error = serde_path_to_error::deserialize::<_, T>(FiniteF32(deserializer)).err()?;
    let (pointer, message) = body_error(&error);
    if !is_about_a_name(&error, &(pointer.clone(), message.clone()), body) {
        return Some((pointer, message));
    }
    // The position in the error is beyond an empty name, because serde_json skips the first character of a name that
    // should be a boolean, which is the closing quote here, and reads on.
    if is_about_a_boolean(error.inner(), &message)
        && body.pointer(&pointer).is_some_and(|object| object.get("").is_some())
    {
        return Some((format!("{pointer}/"), NAME_NOT_BOOLEAN.into()));
    }
    match pointer_of_name(text, error_offset(text, error.inner())) {
        Some(pointer) => Some((pointer, name_message(error.inner(), message))),
        None => Some((pointer, message)),
    }
}

/// An error with the path to its place.
type JsonPathError = serde_path_to_error::Error<serde_json::Error>;

/// Returns the pointer and the message of an error.
fn body_error(error: &JsonPathError) -> BodyError {
    let message = without_line(error.inner());
    let mut pointer = pointer_of_path(error.path());
    // The name is added because serde reports these errors at the object.
    if let Some(name) = missing_field(&message).or_else(|| duplicate_field(&message)) {
        push_token(&mut pointer, &name);
    }
    (pointer, to_json_terms(message))
}

/// Returns whether the name of a member was rejected, and the path lacks it. For names that are numbers, serde reports
/// only the leading number (`2` of `"2x"`), or nothing.
fn is_about_a_name(error: &JsonPathError, (pointer, message): &BodyError, body: &Value) -> bool {
    // An error of syntax can only be about a name, because the body as a whole is JSON.
    matches!(error.inner().classify(), Category::Syntax | Category::Eof)
        || matches!(error.path().iter().next_back(), Some(Segment::Unknown))
        || missing_field(message).is_none() && body.pointer(pointer).is_none()
}

/// Returns the message for a rejected name, because serde_json reports a name that is not a number as an error of syntax.
fn name_message(error: &serde_json::Error, message: String) -> String {
    if is_about_a_boolean(error, &message) {
        NAME_NOT_BOOLEAN.into()
    } else if error.classify() != Category::Syntax || message == "the number is out of range" {
        message
    } else {
        "the name is not a number".into()
    }
}

/// The message for a name of a map whose keys are booleans.
const NAME_NOT_BOOLEAN: &str = "the name is not `true` or `false`";

/// Returns whether the rejected name should be a boolean.
fn is_about_a_boolean(error: &serde_json::Error, message: &str) -> bool {
    match error.classify() {
        // Only the start and the end of the message are compared, because serde_json has skipped the first letter of
        // the text.
        Category::Data => {
            message.starts_with("invalid type: the string ")
                && message.ends_with(", expected `true` or `false`")
        }
        Category::Syntax => message.starts_with("expected ident"),
        // The end of the document was reached because serde_json skipped the closing quote of an empty name and read on.
        Category::Eof => true,
        Category::Io => false,
    }
}

/// Returns the offset in `text` at which `error` was found.
fn error_offset(text: &[u8], error: &serde_json::Error) -> usize {
    let lines = text.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1));
    (lines.map(<[u8]>::len).sum::<usize>() + error.column()).min(text.len())
}

/// Returns the message without " at line 1 column 7", which the pointer replaces.
pub(super) fn without_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

/// Returns whether an error is not a consequence of the members that were removed for the `known` errors.
fn is_independent((pointer, message): &BodyError, known: &[BodyError]) -> bool {
    if missing_field(message).is_some() {
        return known.iter().all(|(known, _)| known != pointer);
    }
    let contains = |other: &str| {
        other.strip_prefix(&**pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    known.iter().all(|(other, _)| !contains(other))
}

/// Removes the rejected member. Returns whether the body can be read again without it. A member that was given twice is
/// in the `Value` only once, and its last value may be invalid itself, so it stays.
fn remove_rejected(body: &mut Value, (pointer, message): &BodyError) -> bool {
    duplicate_field(message).is_some() || remove_member(body, pointer)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "read by Debug alone")]
    struct Company {
        name: String,
        state: State,
        #[serde(default)]
        partners: Vec<Partner>,
        #[serde(default)]
        shares: Vec<Share>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "read by Debug alone")]
    struct Share {
        name: String,
    }

    #[derive(Debug, Deserialize)]
    enum State {
        Sp,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "read by Debug alone")]
    struct Partner {
        name: Option<String>,
        #[serde(rename = "a/b")]
        share: Option<u8>,
    }

    /// Returns the pointers of the errors, in order.
    fn pointers(body: &str) -> Vec<String> {
        body_errors::<Company>(body.as_bytes()).into_iter().map(|(pointer, _)| pointer).collect()
    }

    #[test]
    fn all_errors_are_reported_at_once() {
        let body =
            r#"{"odd":1,"state":"XX","partners":[{"name":"x"},{"name":7,"a/b":300}],"name":5}"#;
        let mut pointers = pointers(body);
        pointers.sort();
        assert_eq!(pointers, ["/name", "/odd", "/partners/1/a~1b", "/partners/1/name", "/state"]);
    }

    #[test]
    fn a_removed_member_is_not_reported_as_missing_field() {
        assert_eq!(pointers(r#"{"name":5,"state":"Sp"}"#), ["/name"]);
        let body = r#"{"state":5}"#;
        let errors = body_errors::<Company>(body.as_bytes());
        assert_eq!(errors[1], ("/name".into(), "missing field `name`".into()));
    }

    #[test]
    fn an_invalid_list_element_or_body_is_reported_once() {
        assert_eq!(pointers(r#"{"name":"x","state":"Sp","partners":[1,2]}"#), ["/partners/0"]);
        assert_eq!(pointers("7"), [""]);
    }

    #[test]
    fn a_duplicate_member_is_named_and_the_rest_is_checked() {
        assert_eq!(pointers(r#"{"name":"x","name":"y","state":"Sp"}"#), ["/name"]);
        let body = r#"{"partners":[{"name":"x","name":"y"}],"name":"x","state":7,"odd":1}"#;
        let mut pointers = pointers(body);
        pointers.sort();
        assert_eq!(pointers, ["/odd", "/partners/0/name", "/state"]);
    }

    #[test]
    fn a_missing_member_is_named_at_any_depth() {
        let body = r#"{"name":"x","state":"Sp","shares":[{"name":"x"},{}]}"#;
        assert_eq!(pointers(body), ["/shares/1/name"]);
    }

    #[test]
    fn one_error_more_than_reported_is_collected_and_fewer_of_a_large_body() {
        let many: Vec<String> = (0..1000).map(|_| r#"{"a/b":300}"#.to_owned()).collect();
        let body = format!(r#"{{"name":"x","state":"Sp","partners":[{}]}}"#, many.join(","));
        assert_eq!(pointers(&body).len(), 101);
        assert_eq!(pointers(&format!("{body}{}", " ".repeat(256 * 1024))).len(), 21);
    }

    #[derive(Debug, Deserialize)]
    #[serde(try_from = "Either")]
    struct One;

    #[derive(Deserialize)]
    struct Either {
        a: Option<u8>,
        b: Option<u8>,
    }

    impl TryFrom<Either> for One {
        type Error = &'static str;

        fn try_from(either: Either) -> Result<Self, &'static str> {
            either.a.or(either.b).map(|_| Self).ok_or("one of `a` and `b` is needed")
        }
    }

    #[test]
    fn a_rule_broken_by_the_removal_of_a_member_is_not_reported() {
        let body = r#"{"a":"x"}"#;
        let errors = body_errors::<One>(body.as_bytes());
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(errors[0].0, "/a");
    }
}
