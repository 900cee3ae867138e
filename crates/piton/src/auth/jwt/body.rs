//! Finds tokens and proofs in bodies.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, header};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

/// The body of a request that was read before its handler, which reads it again.
#[derive(Clone)]
pub(super) struct BufferedBody(pub Bytes);

/// A member of a JSON object.
pub(super) enum Member {
    Text(String),
    Other,
}

fn essence(headers: &HeaderMap) -> &str {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().split(';').next().unwrap_or_default().trim()
}

/// Returns whether the body is `application/json`, or a type that ends in `+json`.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let essence = essence(headers);
    essence.eq_ignore_ascii_case("application/json")
        || essence.rsplit_once('+').is_some_and(|(_, suffix)| suffix.eq_ignore_ascii_case("json"))
}

/// Returns whether the body is a form. One of several parts is not: it may be of any size.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    essence(headers).eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Returns the member `name` of an object. The rest of the body is only skimmed, so that its size
/// does not matter. Null, false, zero and empty text count as missing, as in Python.
pub(super) fn member(body: &[u8], name: &str) -> Option<Member> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = Find(name).deserialize(&mut json).ok().flatten()?;
    json.end().ok()?;
    match value {
        Value::String(text) => Some(Member::Text(text)),
        other => super::python::is_true(&other).then_some(Member::Other),
    }
}

/// Looks for one member. The last one of a name counts, as everywhere.
struct Find<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Find<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Find<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == self.0 {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}
