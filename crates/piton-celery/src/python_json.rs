//! JSON as Python reads and writes it: with `NaN`, `Infinity`, `-Infinity`, and integers of any size.
//!
//! [`serde_json`] refuses the first three and rounds integers beyond 64 bits to floats without a word. So
//! [`from_slice`] puts an object in place of each, of the same form as Kombu's typed values:
//!
//! | JSON of Python | [`Value`](serde_json::Value) |
//! |---|---|
//! | `NaN` | `{"__type__": "piton.number", "__value__": "NaN"}` |
//! | `-Infinity` | `{"__type__": "piton.number", "__value__": "-Infinity"}` |
//! | `123456789012345678901234567890` | `{"__type__": "piton.number", "__value__": "123456789012345678901234567890"}` |
//!
//! [`to_vec`] writes the original number in place of such an object, so that a message that is read and
//! forwarded is unchanged, and [`typed_values::plain`](crate::typed_values::plain) turns it into the text `"NaN"`
//! or `"1234…"` for a parameter of a task. It is text, not a float, because a float would drop digits silently: a
//! `u64` that cannot hold the number fails to deserialize, a `String`, a big integer or a decimal reads it, and
//! [`python_float`](crate::python_float) reads it as a float on request.
//!
//! Not accepted, although Python's reader does: halves of surrogate pairs (`"\ud800"`), floats beyond the range of
//! 64 bits (`1e999`), more than 127 levels of nesting, and names that begin with `$serde_json::private::`, which
//! [`serde_json`] would take for its own.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;

/// The `__type__` of a number for which JSON has no token.
pub(crate) const NUMBER_TYPE: &str = "piton.number";

/// The JSON of such a number, up to its text.
const NUMBER_PREFIX: &str = r#"{"__type__":"piton.number","__value__":""#;
const NUMBER_SUFFIX: &str = r#""}"#;

/// Digits of an integer that always fits 64 bits.
const MAX_SAFE_DIGITS: usize = 18;

/// Prefix of the names that serde_json keeps for itself. It would parse the text of such a member as JSON a second
/// time, so that the value differed from what Python reads.
const RESERVED_PREFIX: &str = "$serde_json::private::";

/// Reads JSON as Python writes it.
///
/// ```
/// use piton_celery::python_json;
/// let value: serde_json::Value = python_json::from_slice(b"[NaN, 100000000000000000000]")?;
/// assert_eq!(value[1]["__value__"], "100000000000000000000");
/// assert_eq!(python_json::to_vec(&value)?, b"[NaN,100000000000000000000]");
/// # Ok::<(), piton_celery::Error>(())
/// ```
///
/// # Errors
/// [`Kind::Malformed`](crate::Kind::Malformed) if `json` is not JSON, or not the JSON of a `T`. The text has the
/// name of the field, and the position.
pub fn from_slice<T: DeserializeOwned>(json: &[u8]) -> Result<T, Error> {
    let json = with_tagged_numbers(json)?;
    serde_json::from_slice(&json).map_err(|error| describe::<T>(&json, &error))
}

/// Writes JSON as Python reads it.
///
/// # Errors
/// [`Kind::Malformed`](crate::Kind::Malformed) if `value` cannot be JSON: a bug in its `Serialize`.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    // The message of serde_json may quote the value.
    let json = serde_json::to_string(value)
        .map_err(|_| Error::malformed("a value cannot be written as JSON"))?;
    // Nearly every message ends here.
    if json.contains(NUMBER_TYPE) {
        Ok(with_bare_numbers(&json).into_bytes())
    } else {
        Ok(json.into_bytes())
    }
}

/// Returns whether `text` is a number that Python's JSON has and serde_json's does not.
pub(crate) fn is_python_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    matches!(text, "NaN" | "Infinity" | "-Infinity") || is_integer(digits.as_bytes())
}

fn is_integer(digits: &[u8]) -> bool {
    let leading_zero = digits.len() > 1 && digits[0] == b'0';
    !digits.is_empty() && !leading_zero && digits.iter().all(u8::is_ascii_digit)
}

/// Returns the error of serde_json without its text, which may quote the value.
fn describe<T: DeserializeOwned>(json: &[u8], error: &serde_json::Error) -> Error {
    let (line, column) = (error.line(), error.column());
    if !error.is_data() {
        return Error::malformed(format!("invalid JSON at line {line} column {column}"));
    }
    // Parsed again for the name of the field: only fields of types that are ours can fail here, so that the path
    // has no name from the message.
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let path = serde_path_to_error::deserialize::<_, T>(&mut deserializer)
        .err()
        .map_or_else(|| ".".to_owned(), |error| error.path().to_string());
    let field = if path == "." { "the value".to_owned() } else { format!("`{path}`") };
    Error::malformed(format!(
        "{field} has an unexpected type or value, at line {line} column {column}"
    ))
}

/// Replaces the numbers that only Python has by objects. Borrows if there is none.
fn with_tagged_numbers(json: &[u8]) -> Result<Cow<'_, [u8]>, Error> {
    if !may_differ(json) {
        return Ok(Cow::Borrowed(json));
    }
    let mut tagged = Vec::new();
    let (mut at, mut copied) = (0, 0);
    while let Some(byte) = json.get(at) {
        let length = match byte {
            b'"' => checked_string_length(&json[at..])?,
            b'N' | b'I' | b'-' | b'0'..=b'9' => {
                let (length, is_python) = number_length(&json[at..]);
                if is_python {
                    tagged.extend_from_slice(&json[copied..at]);
                    copied = at + length;
                    push_tagged(&mut tagged, &json[at..copied]);
                }
                length
            }
            _ => 1,
        };
        at += length;
    }
    if copied == 0 {
        return Ok(Cow::Borrowed(json));
    }
    tagged.extend_from_slice(&json[copied..]);
    Ok(Cow::Owned(tagged))
}

/// Returns false if serde_json reads `json` as Python does. Nearly every message ends here, in a tenth of the time
/// that telling text from numbers takes.
fn may_differ(json: &[u8]) -> bool {
    // The names of numbers, and the first bytes of text that may begin with `RESERVED_PREFIX`.
    static SIGNS: LazyLock<[Finder<'static>; 4]> =
        LazyLock::new(|| ["NaN", "Infinity", "\"$", "\"\\"].map(Finder::new));
    has_long_number(json) || SIGNS.iter().any(|sign| sign.find(json).is_some())
}

/// Returns whether there are more than `MAX_SAFE_DIGITS` digits in a row.
fn has_long_number(json: &[u8]) -> bool {
    const RUN: usize = MAX_SAFE_DIGITS + 1;
    let digits = |bytes: &mut dyn Iterator<Item = &u8>| {
        bytes.take_while(|byte| byte.is_ascii_digit()).count()
    };
    // A run of this length has one byte at least at these positions.
    (RUN - 1..json.len()).step_by(RUN).any(|at| {
        let (before, after) = json.split_at(at);
        after[0].is_ascii_digit()
            && digits(&mut before.iter().rev()) + digits(&mut after.iter()) >= RUN
    })
}

fn push_tagged(json: &mut Vec<u8>, number: &[u8]) {
    json.extend_from_slice(NUMBER_PREFIX.as_bytes());
    json.extend_from_slice(number);
    json.extend_from_slice(NUMBER_SUFFIX.as_bytes());
}

/// Returns the length of the string at the beginning of `json`, with its quotes.
fn checked_string_length(json: &[u8]) -> Result<usize, Error> {
    let length = string_length(json);
    // A reserved name begins with `$`, written so or as an escape.
    if matches!(json.get(1), Some(b'$' | b'\\')) && is_reserved(&json[..length]) {
        return Err(Error::malformed(
            "a text begins with a prefix that is reserved by the reader of JSON",
        ));
    }
    Ok(length)
}

fn string_length(json: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    json.len()
}

#[cold]
fn is_reserved(literal: &[u8]) -> bool {
    serde_json::from_slice::<String>(literal).is_ok_and(|text| text.starts_with(RESERVED_PREFIX))
}

/// Returns the length of the number at the beginning of `json`, and whether only Python has it.
fn number_length(json: &[u8]) -> (usize, bool) {
    for name in [&b"NaN"[..], b"Infinity", b"-Infinity"] {
        if json.starts_with(name) {
            return (name.len(), true);
        }
    }
    let is_part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    let length = json.iter().take_while(is_part).count().max(1);
    (length, length > MAX_SAFE_DIGITS && exceeds_64_bits(&json[..length]))
}

fn exceeds_64_bits(number: &[u8]) -> bool {
    let digits = number.strip_prefix(b"-").unwrap_or(number);
    let text = std::str::from_utf8(number).unwrap_or_default();
    is_integer(digits) && text.parse::<i64>().is_err() && text.parse::<u64>().is_err()
}

/// Puts the numbers back. The prefix cannot occur within a string, where its quotes would be escaped.
fn with_bare_numbers(json: &str) -> String {
    let mut bare = String::with_capacity(json.len());
    let mut rest = json;
    while let Some((before, after)) = rest.split_once(NUMBER_PREFIX) {
        bare.push_str(before);
        let (number, end) = after.split_at(number_text_length(after));
        match end.strip_prefix(NUMBER_SUFFIX) {
            Some(after) if is_python_number(number) => {
                bare.push_str(number);
                rest = after;
            }
            _ => {
                bare.push_str(NUMBER_PREFIX);
                rest = after;
            }
        }
    }
    bare.push_str(rest);
    bare
}

/// Returns the length of what may be a number. The end is not searched for by its quote, which may be far away.
fn number_text_length(text: &str) -> usize {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    text.bytes().take_while(is_part).count()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(json: &str) -> Result<Value, Error> {
        from_slice(json.as_bytes())
    }

    fn number(text: &str) -> Value {
        json!({"__type__": NUMBER_TYPE, "__value__": text})
    }

    #[test]
    fn numbers_that_only_python_has_come_back_as_they_were() {
        let json =
            "[NaN,Infinity,-Infinity,100000000000000000000,-9223372036854775809,{\"a\":[NaN]}]";
        let value = read(json).unwrap();
        assert_eq!(value[0], number("NaN"));
        assert_eq!(value[4], number("-9223372036854775809"));
        assert_eq!(to_vec(&value).unwrap(), json.as_bytes());
    }

    #[test]
    fn numbers_of_64_bits_stay_numbers() {
        let value =
            read("[18446744073709551615, -9223372036854775808, 0.1234567890123456789, 1e300]")
                .unwrap();
        assert_eq!(value[0], u64::MAX);
        assert_eq!(value[1], i64::MIN);
        assert!(value[2].is_f64() && value[3].is_f64());
    }

    #[test]
    fn text_is_never_taken_for_a_number() {
        let value = json!({"NaN": "Infinity, -Infinity", "a\"NaN": ["123456789012345678901234567890", "\\"]});
        let json = to_vec(&value).unwrap();
        assert_eq!(from_slice::<Value>(&json).unwrap(), value);
        let quoted = Value::from(format!("{NUMBER_PREFIX}NaN{NUMBER_SUFFIX}"));
        assert_eq!(from_slice::<Value>(&to_vec(&quoted).unwrap()).unwrap(), quoted);
    }

    #[test]
    fn an_object_of_our_form_whose_text_is_no_number_is_written_as_it_is() {
        for text in ["1,2", "", "nan", "007", "1}", "-"] {
            let value = number(text);
            assert_eq!(from_slice::<Value>(&to_vec(&value).unwrap()).unwrap(), value, "{text}");
        }
    }

    #[test]
    fn what_python_does_not_write_is_refused() {
        for json in
            ["{NaN: 1}", "12NaN", "nan", "Inf", "[1", "\"\\", "\"", "-", "+1", "00", "", "1e999"]
        {
            assert!(read(json).is_err(), "{json}");
        }
    }

    #[test]
    fn a_long_number_is_found_wherever_it_stands() {
        for before in 0..60 {
            let digits = |count| format!("{}{}x", "-".repeat(before), "1".repeat(count));
            assert!(has_long_number(digits(MAX_SAFE_DIGITS + 1).as_bytes()), "{before}");
            assert!(!has_long_number(digits(MAX_SAFE_DIGITS).as_bytes()), "{before}");
        }
    }

    #[test]
    fn names_that_serde_json_reserves_are_refused_however_they_are_written() {
        for json in [
            r#"{"$serde_json::private::RawValue": "1"}"#,
            r#"[{"\u0024serde_json::private::RawValue": "1"}]"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
        assert!(read(r#"{"$ref": "\\$serde_json::private::"}"#).is_ok());
    }

    #[test]
    fn errors_name_the_field_and_quote_nothing() {
        #[derive(Debug, serde::Deserialize)]
        struct Pair {
            #[expect(dead_code, reason = "only read by its deserializer")]
            count: u8,
        }
        let error = from_slice::<Vec<Pair>>(br#"[{"count": "hunter2"}]"#).unwrap_err().to_string();
        assert_eq!(error, "`[0].count` has an unexpected type or value, at line 1 column 20");
        let error = from_slice::<Pair>(b"\"hunter2\"").unwrap_err().to_string();
        assert_eq!(error, "the value has an unexpected type or value, at line 1 column 9");
        assert_eq!(read("[hunter2]").unwrap_err().to_string(), "invalid JSON at line 1 column 2");
    }
}
