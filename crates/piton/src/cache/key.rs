//! Builds keys from text and values, so that distinct values give distinct keys.

use std::fmt::{self, Display, Write};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

/// Length in bytes above which a key is replaced by its SHA-256.
pub(super) const MAX_LENGTH: usize = 200;

/// Builds a key from text and values, so that distinct values give distinct keys. The macro
/// [`key!`](super::key) expands to it, and so does `key = ".."` of `#[cached]` and `#[memoize]`.
///
/// Letters and digits of a value stay as they are; every other character is percent-encoded, so that it
/// cannot be mistaken for the text between two values. Between two values without such text a `|` is
/// inserted. A key of more than 200 bytes, or one that begins with `#`, becomes `#` and its SHA-256.
///
/// ```
/// use piton::cache::KeyBuilder;
///
/// let pair = |a: &str, b: &str| KeyBuilder::new().text("k:").value(a).text("-").value(b).finish();
/// assert_eq!(pair("1", "2"), "k:1-2");
/// assert_eq!(pair("1-2", "3"), "k:1%2D2-3");
/// assert_eq!(pair("1", "2-3"), "k:1-2%2D3");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyBuilder {
    key: String,
    /// The same key with unescaped values, as soon as the two differ.
    plain: Option<String>,
    /// True if the key ends in a value that no separator follows yet.
    open: bool,
}

impl KeyBuilder {
    /// Creates an empty key.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends text that is the same in all keys of this kind.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        // `%` does not end a value, because it begins an escape.
        self.open &= !text.chars().any(|c| !c.is_alphanumeric() && c != '%');
        self.key.push_str(text);
        if let Some(plain) = &mut self.plain {
            plain.push_str(text);
        }
        self
    }

    /// Appends a value.
    #[must_use]
    pub fn value(mut self, value: impl Display) -> Self {
        if self.open {
            self.split_plain();
            self.key.push('|');
        }
        self.open = true;
        // A failing `Display` truncates the value, because unlike `to_string` this must not panic.
        let _ = write!(EscapingWriter(&mut self), "{value}");
        self
    }

    /// Appends the name of a type that a generic function was called with.
    #[doc(hidden)]
    #[must_use]
    pub fn type_name(mut self, name: &str) -> Self {
        self.split_plain();
        let plain = self.plain.take();
        self = self.text("<").value(name).text(">");
        Self { plain, ..self }
    }

    /// Returns the key.
    #[must_use]
    pub fn finish(self) -> String {
        self.into_parts().0
    }

    /// Returns the key, and the text with unescaped values if that differs: callers of
    /// [`Cache::delete`](super::Cache::delete) may have built theirs with `format!`.
    pub(super) fn into_parts(self) -> (String, Option<String>) {
        let long = is_hashed(&self.key);
        let key = if long { hashed(&self.key) } else { self.key.clone() };
        (key, self.plain.or_else(|| long.then_some(self.key)))
    }

    /// Starts to record the unescaped text in addition to the key.
    fn split_plain(&mut self) {
        self.plain.get_or_insert_with(|| self.key.clone());
    }

    fn push_escaped(&mut self, c: char) {
        if c.is_alphanumeric() {
            self.key.push(c);
        } else {
            self.split_plain();
            let mut utf8 = [0; 4];
            self.key.extend(utf8_percent_encode(c.encode_utf8(&mut utf8), NON_ALPHANUMERIC));
        }
        if let Some(plain) = &mut self.plain {
            plain.push(c);
        }
    }
}

struct EscapingWriter<'a>(&'a mut KeyBuilder);

impl fmt::Write for EscapingWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().for_each(|c| self.0.push_escaped(c));
        Ok(())
    }
}

/// Returns the tag of everything stored under a key, also where the key is only a part of its name.
pub(super) fn tag_of_key(key: &str) -> String {
    match is_hashed(key) {
        true => format!("={}", hashed(key)),
        false => format!("={key}"),
    }
}

/// Returns whether `key` is replaced by its SHA-256. So is one that begins with `#` as hashes do: a value `a`
/// in `#{a}` could otherwise make it the hash of another key.
fn is_hashed(key: &str) -> bool {
    key.len() > MAX_LENGTH || key.starts_with('#')
}

fn hashed(key: &str) -> String {
    hex(&Sha256::digest(key))
}

/// Returns `#` and the hash in hexadecimal digits.
pub(super) fn hex(hash: &[u8]) -> String {
    hash.iter().fold(String::from("#"), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns the path of the function in which `marker` is defined, for `#[memoize]`.
#[doc(hidden)]
#[must_use]
pub fn function_of<T>(_: &T) -> &'static str {
    let name = std::any::type_name::<T>();
    let name = name.rsplit_once("::").map_or(name, |(function, _)| function);
    name.trim_end_matches("::{{closure}}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::cache::key;

    /// Hostile values: separators, escapes, letters that continue the text, nothing, non-ASCII.
    const VALUES: [&str; 19] = [
        "", "1", "2", "1-2", "2-1", "-", "%", "%2D", "%25", "2D", "25y", "|", "a", "a|", ":", "é",
        "e\u{301}", "x", "\0",
    ];

    #[test]
    fn distinct_values_give_distinct_keys_whatever_text_is_between_them() {
        for between in ["-", ":", "", "a", "%", "%2D", "%-", "|", "é", "x-", "–", "2"] {
            let mut seen = HashMap::new();
            for a in VALUES {
                for b in VALUES {
                    let pair = KeyBuilder::new().text("k:").value(a).text(between).value(b);
                    let before = seen.insert(pair.finish(), (a, b));
                    assert_eq!(before, None, "{between:?} between {a:?} and {b:?}");
                }
            }
        }
    }

    #[test]
    fn a_different_number_of_values_gives_a_different_key() {
        let (a, b, both) = ("1", "2", "1-2");
        assert_ne!(key!("k:{a}-{b}"), key!("k:{both}"));
        let (id, path) = ("1", "1:posts");
        assert_ne!(key!("user:{id}:posts"), key!("user:{path}"));
    }

    #[test]
    fn a_plain_value_is_readable_in_its_key() {
        let (number, name, parts) = (21, "SP", ["é", "7"]);
        assert_eq!(key!("double:{number}"), "double:21");
        assert_eq!(key!("state:{name}:{number:03}"), "state:SP:021");
        assert_eq!(key!("{{all}}"), "{all}");
        assert_eq!(key!("{}{1}-{last}", parts[0], parts[1], last = 1 + 1), "é|7-2");
        let none = None::<&str>;
        let some = Some("None");
        assert_ne!(key!("of:{none:?}"), key!("of:{some:?}"));
        assert_ne!(key!("of:{name:?}"), key!("of:{name}"));
    }

    #[test]
    fn long_keys_are_hashed_and_stay_distinct() {
        let long = |last: &str| KeyBuilder::new().text("k:").value("a".repeat(500) + last).finish();
        assert_eq!(long("b").len(), 65);
        assert_ne!(long("b"), long("c"));
        assert_eq!(tag_of_key(&"a".repeat(500)).len(), 66);
        let hash = long("b");
        let digits = &hash[1..];
        assert_ne!(key!("#{digits}"), hash);
        assert_ne!(tag_of_key(&hash), tag_of_key(&("k:".to_owned() + &"a".repeat(500) + "b")));
    }
}
