//! Finds tokens and CSRF tokens in bodies.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, header};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

/// The body of a request, read for its token before the handler reads it.
#[derive(Clone)]
pub(super) struct BufferedBody(pub Bytes);

/// A member of a JSON object. Only the content of text is kept.
pub(super) enum JsonMember {
    Text(String),
    /// Null, false, zero, an empty text, list or object: missing, as in Python.
    Empty,
    Other,
}

fn media_type(headers: &HeaderMap) -> &str {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().split(';').next().unwrap_or_default().trim()
}

/// Returns whether the body is `application/json`, or a type that ends in `+json`.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let media_type = media_type(headers);
    media_type.eq_ignore_ascii_case("application/json")
        || media_type
            .rsplit_once('+')
            .is_some_and(|(_, suffix)| suffix.eq_ignore_ascii_case("json"))
}

/// Returns whether the body is a form. Multipart bodies do not count, because they may be of any size.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    media_type(headers).eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Returns the first value of a name in a query or a form. Pairs are looked at one by one, as a list
/// of them would take many times the size of a body of nothing but `&`.
pub(super) fn find_pair(pairs: &[u8], name: &str) -> Option<String> {
    let value = |pair: &[u8]| {
        let key = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
        // Nearly all names are written as they are, and need no decoding to be compared.
        let is_plain = !key.iter().any(|byte| matches!(byte, b'%' | b'+'));
        if is_plain && key != name.as_bytes() {
            return None;
        }
        let decoded: Vec<(String, String)> = serde_urlencoded::from_bytes(pair).ok()?;
        decoded.into_iter().find_map(|(key, value)| (key == name).then_some(value))
    };
    pairs.split(|byte| *byte == b'&').find_map(value)
}

/// Returns the member `name` of an object. The rest of the body is only skimmed, so that its size
/// does not matter.
pub(super) fn find_member(body: &[u8], name: &str) -> Option<JsonMember> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let member = MemberFinder(name).deserialize(&mut json).ok().flatten()?;
    json.end().ok()?;
    Some(member)
}

/// A seed that finds one member. Of duplicates the last one counts, as in serde_json.
struct MemberFinder<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for MemberFinder<'_> {
    type Value = Option<JsonMember>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MemberFinder<'_> {
    type Value = Option<JsonMember>;

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

impl<'de> Deserialize<'de> for JsonMember {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(MemberVisitor)
    }
}

struct MemberVisitor;

impl MemberVisitor {
    fn other<E>(is_true: bool) -> Result<JsonMember, E> {
        Ok(if is_true { JsonMember::Other } else { JsonMember::Empty })
    }
}

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = JsonMember;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<JsonMember, E> {
        Ok(if text.is_empty() { JsonMember::Empty } else { JsonMember::Text(text.to_owned()) })
    }

    fn visit_bool<E>(self, yes: bool) -> Result<JsonMember, E> {
        Self::other(yes)
    }

    fn visit_u64<E>(self, number: u64) -> Result<JsonMember, E> {
        Self::other(number != 0)
    }

    fn visit_i64<E>(self, number: i64) -> Result<JsonMember, E> {
        Self::other(number != 0)
    }

    fn visit_f64<E>(self, number: f64) -> Result<JsonMember, E> {
        Self::other(number != 0.0)
    }

    fn visit_unit<E>(self) -> Result<JsonMember, E> {
        Self::other(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<JsonMember, A::Error> {
        let mut has_items = false;
        while items.next_element::<IgnoredAny>()?.is_some() {
            has_items = true;
        }
        Self::other(has_items)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonMember, A::Error> {
        let mut has_members = false;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            has_members = true;
        }
        Self::other(has_members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_found_however_its_name_is_written() {
        for (pairs, value) in [
            ("jwt=a", Some("a")),
            ("x=1&jwt=a&jwt=b", Some("a")),
            ("%6awt=a", Some("a")),
            ("jwt=a%20b+c", Some("a b c")),
            ("jwt=", Some("")),
            ("jwt", Some("")),
            ("xjwt=a&jwtx=b&JWT=c", None),
            ("&&=&x", None),
            ("", None),
        ] {
            assert_eq!(find_pair(pairs.as_bytes(), "jwt").as_deref(), value, "{pairs}");
        }
        assert_eq!(find_pair("\u{e9} x=\u{e9}".as_bytes(), "\u{e9} x").as_deref(), Some("\u{e9}"));
        assert_eq!(find_pair(b"%C3%A9+x=1", "\u{e9} x").as_deref(), Some("1"));
    }

    #[test]
    fn a_member_is_found_and_only_text_is_returned() {
        let found = |body: &str| match find_member(body.as_bytes(), "t") {
            Some(JsonMember::Text(text)) => text,
            Some(JsonMember::Other) => "other".into(),
            Some(JsonMember::Empty) => "empty".into(),
            None => "none".into(),
        };
        for (body, wanted) in [
            (r#"{"t":"a"}"#, "a"),
            (r#"{"x":{"t":"b"},"t":"\u0061"}"#, "a"),
            (r#"{"t":"a","t":"b"}"#, "b"),
            (r#"{"t":7}"#, "other"),
            (r#"{"t":[[]]}"#, "other"),
            (r#"{"t":{"a":1}}"#, "other"),
            (r#"{"t":true}"#, "other"),
            (r#"{"t":null}"#, "empty"),
            (r#"{"t":0}"#, "empty"),
            (r#"{"t":0.0}"#, "empty"),
            (r#"{"t":[]}"#, "empty"),
            (r#"{"t":""}"#, "empty"),
            (r#"{"t":"a"} x"#, "none"),
            (r#"["t"]"#, "none"),
            ("", "none"),
            (r#"{"x":1}"#, "none"),
        ] {
            assert_eq!(found(body), wanted, "{body}");
        }
    }
}
