//! Everything about a JSON body that is not of its type's shape, each with its place.
//!
//! serde stops at the first thing it cannot read. So the body is read again without it, and again,
//! until nothing more is refused. What cannot be told that way is not told: after a member that is
//! missing, and after something wrong that a list holds itself, nothing behind it is looked at.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;
use serde_path_to_error::Segment;

use super::error::most_faults;
use super::pairs::{member, missing};
use super::words;

/// A JSON Pointer (RFC 6901), and what is wrong there.
pub(super) type Wrong = (String, String);

/// What is wrong with `body`, which is JSON and no `T`; `error` says so much.
#[cold]
pub(super) fn wrong<T: DeserializeOwned>(body: &[u8], error: &serde_json::Error) -> Vec<Wrong> {
    let value = serde_json::from_slice::<Value>(body);
    // A member that is given twice is seen in the text alone.
    let first = refusal_of_text::<T>(body, value.as_ref().unwrap_or(&Value::Null))
        .unwrap_or_else(|| (String::new(), words::plain(without_line(error))));
    let mut wrong = vec![first];
    let Ok(mut rest) = value else { return wrong };
    // One more than is told.
    while wrong.len() <= most_faults(body.len()) && without(&mut rest, &wrong[wrong.len() - 1]) {
        match refusal::<T>(&rest) {
            Some(next) if is_news(&next, &wrong) => wrong.push(next),
            _ => break,
        }
    }
    wrong
}

/// The pointer and the message of what is refused first.
fn refusal<T: DeserializeOwned>(body: &Value) -> Option<Wrong> {
    let error = serde_path_to_error::deserialize::<_, T>(body).err()?;
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
    let error = serde_path_to_error::deserialize::<_, T>(deserializer).err()?;
    let wrong = said(&error);
    if is_of_a_name(&error, &wrong, body)
        && let Some(parent) = parent_of_a_name(&error, &wrong.0)
        && let Some(object) = body.pointer(parent)
        && let Some(name) = name_at(text, error.inner(), object)
    {
        let mut pointer = parent.to_owned();
        push_token(&mut pointer, &name);
        return Some((pointer, of_a_name(error.inner(), wrong.1)));
    }
    Some(wrong)
}

type Refusal = serde_path_to_error::Error<serde_json::Error>;

fn said(error: &Refusal) -> Wrong {
    let what = without_line(error.inner());
    let mut pointer = pointer(error.path());
    // serde stands at the object; what is meant is its member.
    if let Some(name) = missing(&what).or_else(|| twice(&what)) {
        push_token(&mut pointer, &name);
    }
    (pointer, words::plain(what))
}

/// Returns whether the name of a member is refused, and serde does not report it as written: where
/// names are numbers, it reports only the number (`2` of `"2x"`), or nothing.
fn is_of_a_name(error: &Refusal, (pointer, what): &Wrong, body: &Value) -> bool {
    // The body is known to be JSON, so a syntax error is about a name, or about a number out of range,
    // which is reported at the member that holds it.
    error.inner().classify() == Category::Syntax
        || matches!(error.path().iter().next_back(), Some(Segment::Unknown))
        || missing(what).is_none() && body.pointer(pointer).is_none()
}

/// Returns the pointer of the object whose member is refused.
fn parent_of_a_name<'a>(error: &Refusal, pointer: &'a str) -> Option<&'a str> {
    match error.path().iter().next_back()? {
        Segment::Unknown => Some(pointer),
        Segment::Map { .. } => pointer.rsplit_once('/').map(|(parent, _)| parent),
        Segment::Seq { .. } | Segment::Enum { .. } => None,
    }
}

/// Rewords serde_json's syntax errors about a name that is not a number.
fn of_a_name(error: &serde_json::Error, what: String) -> String {
    if error.classify() != Category::Syntax || what == "the number is out of range" {
        what
    } else if what.starts_with("expected ident") {
        "the name is not `true` or `false`".into()
    } else {
        "the name is not a number".into()
    }
}

/// Returns the name of the member of `object` at which `error` stands. The name begins at one of
/// the last quotes before it.
fn name_at(text: &[u8], error: &serde_json::Error, object: &Value) -> Option<String> {
    let lines = text.split_inclusive(|byte| *byte == b'\n').take(error.line().checked_sub(1)?);
    let end = lines.map(<[u8]>::len).sum::<usize>() + error.column();
    let before = text.get(..end.min(text.len()))?;
    let quotes = before.iter().enumerate().rev().filter(|(_, byte)| **byte == b'"');
    quotes.take(MAX_QUOTES).find_map(|(begin, _)| {
        let mut texts = serde_json::Deserializer::from_slice(&text[begin..]).into_iter::<String>();
        let name = texts.next()?.ok()?;
        let rest = &text[begin + texts.byte_offset()..];
        let next = rest.iter().find(|byte| !byte.is_ascii_whitespace());
        // The text between two strings also parses as one, but no colon follows it.
        (next == Some(&b':') && object.get(&name).is_some()).then_some(name)
    })
}

/// Maximum number of quotes tried as the beginning of a name, since a name may contain some itself.
const MAX_QUOTES: usize = 16;

/// " at line 1 column 7" says the same as the pointer, less well.
fn without_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

/// Whether it is wrong by itself, and not for lack of what was taken out before.
fn is_news((pointer, what): &Wrong, known: &[Wrong]) -> bool {
    if missing(what).is_some() {
        return known.iter().all(|(known, _)| known != pointer);
    }
    let holds = |other: &str| {
        other.strip_prefix(&**pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    known.iter().all(|(other, _)| !holds(other))
}

/// The name in serde's own words for a member that is given twice.
fn twice(what: &str) -> Option<String> {
    member(what, "duplicate field `")
}

/// Whether there is more to look at without what is wrong. What is given twice is there once by now, and
/// may be wrong itself.
fn without(body: &mut Value, (pointer, what): &Wrong) -> bool {
    twice(what).is_some() || remove(body, pointer)
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
pub(super) fn push_token(pointer: &mut String, token: &str) {
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
        let error = serde_json::from_str::<Company>(body).unwrap_err();
        wrong::<Company>(body.as_bytes(), &error).into_iter().map(|(pointer, _)| pointer).collect()
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
    fn what_was_taken_out_is_not_called_missing() {
        assert_eq!(places(r#"{"name":5,"state":"Sp"}"#), ["/name"]);
        let body = r#"{"state":5}"#;
        let error = serde_json::from_str::<Company>(body).unwrap_err();
        let wrong = wrong::<Company>(body.as_bytes(), &error);
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
        let error = serde_json::from_str::<One>(body).unwrap_err();
        let wrong = wrong::<One>(body.as_bytes(), &error);
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert_eq!(wrong[0].0, "/a");
    }
}
