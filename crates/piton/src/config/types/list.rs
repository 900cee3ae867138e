//! Settings that are lists.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use serde_json::{Value, json};

use crate::config::setting::{Bounds, Setting, expected};

/// Message for a text in brackets that is not a JSON array.
const NO_JSON_ARRAY: &str = "a list in brackets is a JSON array, such as `[\"a\", \"b\"]`; without brackets its items are separated by commas";

/// Message for a text with both line ends and commas.
const MIXED_LIST: &str = "a list has either an item on each line, or commas between its items: with both, write a JSON array, such as `[\"a\", \"b\"]`";

/// Messages that never repeat the value, so that they are shown for secrets, too.
pub(crate) const SECRET_FREE_MESSAGES: [&str; 2] = [NO_JSON_ARRAY, MIXED_LIST];

/// Splits a text at its commas, or, as in the file of `<variable>_FILE`, at its line ends.
fn separated(text: &str) -> Result<Vec<&str>, String> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    if text.lines().nth(1).is_none() {
        return Ok(text.split(',').map(str::trim).collect());
    }
    let lines = lines.by_ref().map(|line| line.strip_suffix(',').unwrap_or(line).trim_end());
    let lines: Vec<&str> = lines.collect();
    match lines.as_slice() {
        [one] => Ok(one.split(',').map(str::trim).collect()),
        // Refused, because a comma may be part of an item, or separate two.
        several if several.iter().any(|line| line.contains(',')) => Err(MIXED_LIST.to_owned()),
        _ => Ok(lines),
    }
}

/// Returns the items of a text in brackets, which is a JSON array. `None` for any other text.
///
/// # Errors
/// The text has brackets and is not a JSON array. The message does not repeat it, because it may be secret.
pub(crate) fn json_array(text: &str) -> Result<Option<Vec<Value>>, String> {
    let text = text.trim();
    if !(text.starts_with('[') && text.ends_with(']')) {
        return Ok(None);
    }
    // Not an array: IPv6 addresses as hosts, such as `[::1],[::2]`, have brackets of their own (RFC 3986,
    // section 3.2.2).
    let hosts = text.split(',').map(str::trim);
    let mut hosts = hosts.map(|host| host.strip_prefix('[')?.strip_suffix(']'));
    if hosts.all(|host| host.is_some_and(|host| host.parse::<Ipv6Addr>().is_ok())) {
        return Ok(None);
    }
    serde_json::from_str(text).map(Some).map_err(|_| NO_JSON_ARRAY.to_owned())
}

/// Checks an item of a list whose items are separated by commas.
///
/// # Errors
/// It is empty, or has the quotes or a bracket of another way to write a list.
fn check_item(text: &str) -> Result<(), &'static str> {
    const JSON: &str =
        "write the list as a JSON array (`[\"a\",\"b\"]`), or without quotes and brackets";
    let is_host = text.rsplit_once(']').is_some_and(|(host, _)| host.starts_with('['));
    match text {
        "" => Err("it is empty: there is a comma too many"),
        _ if text.len() > 1 && text.starts_with('"') && text.ends_with('"') => Err(JSON),
        // Not for hosts, because an IPv6 address as a host has brackets of its own.
        _ if text.starts_with('[') && !is_host => Err(JSON),
        _ => Ok(()),
    }
}

/// Reads a list in files. In the environment its items are separated by commas, or it is a JSON array.
impl<T: Setting> Setting for Vec<T> {
    const SECRET: bool = T::SECRET;
    const NEVER_SECRET: bool = T::NEVER_SECRET;
    const FROM_FILE: bool = T::FROM_FILE;
    const ADDRESS: bool = T::ADDRESS;

    fn expects() -> Cow<'static, str> {
        format!("a list (in the environment separated by commas), each {}", T::expects()).into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let item = |(index, value): (usize, &Value)| {
            T::parse(value).map_err(|why| format!("item {}: {why}", index + 1))
        };
        match value {
            Value::Array(items) => items.iter().enumerate().map(item).collect(),
            Value::String(text) if text.trim().is_empty() => Ok(Self::new()),
            Value::String(text) => match json_array(text)? {
                Some(items) => items.iter().enumerate().map(item).collect(),
                None => {
                    let items = separated(text)?.into_iter().enumerate();
                    let listed = items.map(|(index, text)| {
                        if !T::SECRET {
                            check_item(text).map_err(|why| format!("item {}: {why}", index + 1))?;
                        }
                        item((index, &Value::from(text)))
                    });
                    listed.collect()
                }
            },
            _ => Err(expected::<Self>()),
        }
    }

    fn show(&self) -> Value {
        self.iter().map(Setting::show).collect()
    }

    fn schema() -> Value {
        Self::schema_within(Bounds::default())
    }

    fn range(bounds: Bounds) -> Option<[Cow<'static, str>; 2]> {
        T::range(bounds)
    }

    fn check_bounds(&self, bounds: Bounds) -> Result<(), String> {
        self.iter().enumerate().try_for_each(|(index, value)| {
            value.check_bounds(bounds).map_err(|why| format!("item {}: {why}", index + 1))
        })
    }

    fn expects_within(bounds: Bounds) -> Cow<'static, str> {
        let each = T::expects_within(bounds);
        format!("a list (in the environment separated by commas), each {each}").into()
    }

    fn schema_within(bounds: Bounds) -> Value {
        json!({ "type": "array", "items": T::schema_within(bounds) })
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use secrecy::SecretString;

    use super::*;

    fn parse<T: Setting>(value: impl Into<Value>) -> Result<T, String> {
        T::parse(&value.into())
    }

    #[test]
    fn a_list_is_an_array_or_text_with_commas() {
        assert_eq!(parse::<Vec<u16>>(json!([1, 2])), Ok(vec![1, 2]));
        assert_eq!(parse::<Vec<u16>>("1, 2"), Ok(vec![1, 2]));
        assert_eq!(parse::<Vec<String>>(""), Ok(vec![]));
        assert_eq!(parse::<Vec<bool>>("on,x"), Err("item 2: expected `true` or `false`".into()));
        assert!(parse::<Vec<u16>>(json!([1, "x"])).expect_err("x").starts_with("item 2: "));
        assert!(parse::<Vec<u16>>(3).is_err());
        assert_eq!(vec![1_u16, 2].show(), json!([1, 2]));
    }

    #[test]
    fn text_in_brackets_is_a_json_array_and_brackets_alone_empty_a_list() {
        assert_eq!(parse::<Vec<String>>("[]"), Ok(vec![]));
        assert_eq!(parse::<Vec<u16>>(" [ ] "), Ok(vec![]));
        assert_eq!(parse::<Option<Vec<String>>>("[]"), Ok(Some(vec![])));
        assert_eq!(parse::<Option<Vec<String>>>(""), Ok(None));
        assert_eq!(parse::<Vec<String>>(r#"["a", "b,c"]"#), Ok(vec!["a".into(), "b,c".into()]));
        assert_eq!(parse::<Vec<u16>>("[1, 2]"), Ok(vec![1, 2]));
        assert_eq!(parse::<Vec<bool>>(r#"["on", false]"#), Ok(vec![true, false]));
        let wrong = parse::<Vec<String>>("[1]").expect_err("not text");
        assert_eq!(wrong, "item 1: expected text, in quotes: write `1`");
        for text in ["[a, b]", "[exp]", r#"["a",]"#, "['a']", "[[]"] {
            let wrong = parse::<Vec<String>>(text).expect_err(text);
            assert!(wrong.contains("a JSON array"), "{text}: {wrong}");
        }
        for (text, why) in [
            ("exp,", "item 2: it is empty"),
            ("a,,b", "item 2: it is empty"),
            (r#""a","b""#, "item 1: write the list as a JSON array"),
            ("[exp", "item 1: write the list as a JSON array"),
        ] {
            let wrong = parse::<Vec<String>>(text).expect_err(text);
            assert!(wrong.starts_with(why), "{text}: {wrong}");
        }
        let secrets = parse::<Vec<SecretString>>(r#"["one, with a comma", "two"]"#);
        assert_eq!(secrets.map(|all| all.len()).ok(), Some(2));
        let wrong = parse::<Vec<SecretString>>("[hunter2]").expect_err("not JSON");
        assert!(!wrong.contains("hunter2"), "{wrong}");
        assert_eq!(parse::<Vec<String>>("[::1],[::2]"), Ok(vec!["[::1]".into(), "[::2]".into()]));
        assert_eq!(parse::<Vec<SocketAddr>>("[::1]:80,[::1]:81").map(|all| all.len()), Ok(2));
    }
}
