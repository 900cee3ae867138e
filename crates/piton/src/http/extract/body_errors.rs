//! Everything about a JSON body that is not of its type's shape, each with its place.
//!
//! serde stops at the first thing it cannot read. So the body is read again without it, and again,
//! until nothing more is refused. What cannot be told that way is not told: after a member that is
//! missing, and after something wrong that a list holds itself, nothing behind it is looked at.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;
use serde_path_to_error::Segment;

use crate::error::handler_error::max_field_errors;
use crate::http::extract::finite_numbers::Finite;
use crate::http::extract::serde_messages::{duplicate_field, missing_field, to_json_terms};
use crate::json_text::length_of_string;

/// A JSON Pointer (RFC 6901), and what is wrong there.
pub(crate) type Wrong = (String, String);

/// Returns what is wrong with `body`, which is JSON; nothing if it is a `T`.
#[cold]
pub(crate) fn wrong<T: DeserializeOwned>(body: &[u8]) -> Vec<Wrong> {
    // Some JSON is no `Value`, such as a number that no float holds: then the first fault is told alone.
    let value = serde_json::from_slice::<Value>(body);
    // A member that is given twice is seen in the text alone.
    let first = refusal_of_text::<T>(body, value.as_ref().unwrap_or(&Value::Null));
    let mut wrong: Vec<Wrong> = first.into_iter().collect();
    let Ok(mut rest) = value else { return wrong };
    // One more than is told.
    while let Some(last) = wrong.last()
        && wrong.len() <= max_field_errors(body.len())
        && without(&mut rest, last)
    {
        match refusal::<T>(&rest) {
            Some(next) if is_news(&next, &wrong) => wrong.push(next),
            _ => break,
        }
    }
    wrong
}

/// The pointer and the message of what is refused first.
fn refusal<T: DeserializeOwned>(body: &Value) -> Option<Wrong> {
    let error = serde_path_to_error::deserialize::<_, T>(Finite(body)).err()?;
    let wrong = said(&error);
    if is_of_a_name(&error, &wrong, body) {
        // The position of the name is known only when text is parsed, and not from a `Value`.
        return refusal_of_text::<T>(&serde_json::to_vec(body).ok()?, body);
    }
    Some(wrong)
}

/// Does the same as [`refusal`] for `text`, which is `body` as JSON.
fn refusal_of_text<T: DeserializeOwned>(text: &[u8], body: &Value) -> Option<Wrong> {
    let deserializer = &mut serde_json::Deserializer::from_slice(text);
    let error = serde_path_to_error::deserialize::<_, T>(Finite(deserializer)).err()?;
    let (pointer, what) = said(&error);
    if !is_of_a_name(&error, &(pointer.clone(), what.clone()), body) {
        return Some((pointer, what));
    }
    // serde_json looks for the text of a name that is to be a boolean behind its first letter, and of an
    // empty one there is none.
    if is_of_a_boolean(error.inner(), &what)
        && body.pointer(&pointer).is_some_and(|object| object.get("").is_some())
    {
        return Some((format!("{pointer}/"), NO_BOOLEAN.into()));
    }
    match pointer_of_name(text, end(text, error.inner())) {
        Some(pointer) => Some((pointer, of_a_name(error.inner(), what))),
        None => Some((pointer, what)),
    }
}

type Refusal = serde_path_to_error::Error<serde_json::Error>;

fn said(error: &Refusal) -> Wrong {
    let what = without_line(error.inner());
    let mut pointer = pointer(error.path());
    // serde stands at the object; what is meant is its member.
    if let Some(name) = missing_field(&what).or_else(|| duplicate_field(&what)) {
        push_token(&mut pointer, &name);
    }
    (pointer, to_json_terms(what))
}

/// Returns whether the name of a member is refused, and serde does not report it as written: where
/// names are numbers, it reports only the number (`2` of `"2x"`), or nothing.
fn is_of_a_name(error: &Refusal, (pointer, what): &Wrong, body: &Value) -> bool {
    // JSON it is, and a number out of range is named by the member that holds it.
    matches!(error.inner().classify(), Category::Syntax | Category::Eof)
        || matches!(error.path().iter().next_back(), Some(Segment::Unknown))
        || missing_field(what).is_none() && body.pointer(pointer).is_none()
}

/// serde_json speaks of the syntax of a name that is no number.
fn of_a_name(error: &serde_json::Error, what: String) -> String {
    if is_of_a_boolean(error, &what) {
        NO_BOOLEAN.into()
    } else if error.classify() != Category::Syntax || what == "the number is out of range" {
        what
    } else {
        "the name is not a number".into()
    }
}

const NO_BOOLEAN: &str = "the name is not `true` or `false`";

fn is_of_a_boolean(error: &serde_json::Error, what: &str) -> bool {
    match error.classify() {
        // The text is without its first letter.
        Category::Data => {
            what.starts_with("invalid type: the string ")
                && what.ends_with(", expected `true` or `false`")
        }
        Category::Syntax => what.starts_with("expected ident"),
        // The rest of the document was read as the text.
        Category::Eof => true,
        Category::Io => false,
    }
}

/// Returns how much of `text` had been read when `error` was found.
fn end(text: &[u8], error: &serde_json::Error) -> usize {
    let lines = text.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1));
    (lines.map(<[u8]>::len).sum::<usize>() + error.column()).min(text.len())
}

/// An object or a list that is not closed yet.
enum Open<'a> {
    /// With the name read last, as it is written, and whether its `:` is still to come.
    Object(Option<&'a [u8]>, bool),
    /// With the number of items before.
    List(usize),
}

/// Returns the pointer of the member of `json` whose name ends at `end` or later. `None` if it is not a name that
/// stands there.
fn pointer_of_name(json: &[u8], end: usize) -> Option<String> {
    let mut open = Vec::new();
    let mut at = 0;
    while at < end {
        let length = if json[at] == b'"' { length_of_string(&json[at..]) } else { 1 };
        match (json[at], open.last_mut()) {
            (b'{', _) => open.push(Open::Object(None, true)),
            (b'[', _) => open.push(Open::List(0)),
            (b'}' | b']', _) => drop(open.pop()),
            (b',', Some(Open::List(items))) => *items += 1,
            (b',', Some(Open::Object(name, awaits_colon))) => (*name, *awaits_colon) = (None, true),
            (b':', Some(Open::Object(_, awaits_colon))) => *awaits_colon = false,
            (b'"', Some(Open::Object(name, true))) => *name = json.get(at..at + length),
            _ => {}
        }
        at += length;
    }
    let Some(Open::Object(Some(_), true)) = open.last() else { return None };
    let mut pointer = String::new();
    for step in &open {
        match step {
            Open::Object(name, _) => push_token(&mut pointer, &name_of(name.unwrap_or_default())),
            Open::List(items) => push_token(&mut pointer, &items.to_string()),
        }
    }
    Some(pointer)
}

/// Returns the name as it is meant. One with half a surrogate, which no text can hold, as it is written.
fn name_of(literal: &[u8]) -> String {
    let written = || String::from_utf8_lossy(literal).trim_matches('"').to_owned();
    serde_json::from_slice(literal).unwrap_or_else(|_| written())
}

/// " at line 1 column 7" says the same as the pointer, less well.
pub(crate) fn without_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

/// Whether it is wrong by itself, and not for lack of what was taken out before.
fn is_news((pointer, what): &Wrong, known: &[Wrong]) -> bool {
    if missing_field(what).is_some() {
        return known.iter().all(|(known, _)| known != pointer);
    }
    let holds = |other: &str| {
        other.strip_prefix(&**pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    known.iter().all(|(other, _)| !holds(other))
}

/// Whether there is more to look at without what is wrong. What is given twice is there once by now, and
/// may be wrong itself.
fn without(body: &mut Value, (pointer, what): &Wrong) -> bool {
    duplicate_field(what).is_some() || remove(body, pointer)
}

/// Takes the member at `pointer` out of the object that holds it.
fn remove(body: &mut Value, pointer: &str) -> bool {
    let Some((parent, token)) = pointer.rsplit_once('/') else { return false };
    let name = token.replace("~1", "/").replace("~0", "~");
    let parent = body.pointer_mut(parent).and_then(Value::as_object_mut);
    parent.is_some_and(|parent| parent.remove(&name).is_some())
}

/// RFC 6901 from serde's own notion of a path.
fn pointer(path: &serde_path_to_error::Path) -> String {
    let mut pointer = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => push_token(&mut pointer, &index.to_string()),
            Segment::Map { key } => push_token(&mut pointer, key),
            Segment::Enum { variant } => push_token(&mut pointer, variant),
            Segment::Unknown => {}
        }
    }
    pointer
}

/// Goes one step down.
pub(crate) fn push_token(pointer: &mut String, token: &str) {
    pointer.push('/');
    pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
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
        held: Vec<Held>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "read by Debug alone")]
    struct Held {
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

    /// The places of what is wrong, in order.
    fn places(body: &str) -> Vec<String> {
        wrong::<Company>(body.as_bytes()).into_iter().map(|(pointer, _)| pointer).collect()
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let body =
            r#"{"odd":1,"state":"XX","partners":[{"name":"x"},{"name":7,"a/b":300}],"name":5}"#;
        let mut found = places(body);
        found.sort();
        assert_eq!(found, ["/name", "/odd", "/partners/1/a~1b", "/partners/1/name", "/state"]);
    }

    #[test]
    fn what_was_taken_out_is_not_called_missing_field() {
        assert_eq!(places(r#"{"name":5,"state":"Sp"}"#), ["/name"]);
        let body = r#"{"state":5}"#;
        let wrong = wrong::<Company>(body.as_bytes());
        assert_eq!(wrong[1], ("/name".into(), "missing field `name`".into()));
    }

    #[test]
    fn what_a_list_holds_or_a_whole_that_is_wrong_is_told_once() {
        assert_eq!(places(r#"{"name":"x","state":"Sp","partners":[1,2]}"#), ["/partners/0"]);
        assert_eq!(places("7"), [""]);
    }

    #[test]
    fn what_is_given_twice_is_named_and_the_rest_is_looked_at() {
        assert_eq!(places(r#"{"name":"x","name":"y","state":"Sp"}"#), ["/name"]);
        let body = r#"{"partners":[{"name":"x","name":"y"}],"name":"x","state":7,"odd":1}"#;
        let mut found = places(body);
        found.sort();
        assert_eq!(found, ["/odd", "/partners/0/name", "/state"]);
    }

    #[test]
    fn what_is_missing_is_named_at_any_depth() {
        let body = r#"{"name":"x","state":"Sp","held":[{"name":"x"},{}]}"#;
        assert_eq!(places(body), ["/held/1/name"]);
    }

    #[test]
    fn of_very_many_one_more_than_is_told_is_looked_for_and_fewer_of_a_large_body() {
        let many: Vec<String> = (0..1000).map(|_| r#"{"a/b":300}"#.to_owned()).collect();
        let body = format!(r#"{{"name":"x","state":"Sp","partners":[{}]}}"#, many.join(","));
        assert_eq!(places(&body).len(), 101);
        assert_eq!(places(&format!("{body}{}", " ".repeat(256 * 1024))).len(), 21);
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
    fn a_rule_that_is_broken_for_lack_of_what_was_taken_out_is_not_told() {
        let body = r#"{"a":"x"}"#;
        let wrong = wrong::<One>(body.as_bytes());
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert_eq!(wrong[0].0, "/a");
    }
}
