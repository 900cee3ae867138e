//! JSON values as Python's `repr` writes them: `[True, 'it', 1e-05]`.

use std::fmt::Write;

use serde_json::{Map, Number, Value};

use crate::typed_repr;
use crate::typed_values;

/// Returns the value as Python's `repr` writes it. Members of an object are in the order of the [`Map`].
///
/// ```
/// let value = serde_json::json!({"a": [null, 1.0, "it's"]});
/// assert_eq!(piton_celery::python_repr(&value), r#"{'a': [None, 1.0, "it's"]}"#);
/// ```
#[must_use]
pub fn python_repr(value: &Value) -> String {
    let mut out = String::new();
    push_value(&mut out, value);
    out
}

fn push_value(out: &mut String, value: &Value) {
    match value {
        Value::Array(items) => push_list(out, items),
        Value::Object(members) => push_object(out, members),
        Value::String(text) => push_text(out, text),
        scalar => out.push_str(&scalar_repr(scalar)),
    }
}

/// Returns the representation of a value that is no list, no object and no text.
pub(crate) fn scalar_repr(value: &Value) -> String {
    match value {
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number_repr(number),
        _ => "None".to_owned(),
    }
}

fn push_list(out: &mut String, items: &[Value]) {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        out.push_str(if at == 0 { "" } else { ", " });
        push_value(out, item);
    }
    out.push(']');
}

fn push_object(out: &mut String, members: &Map<String, Value>) {
    let typed =
        typed_values::parts(members).and_then(|(name, value)| typed_repr::repr(name, value));
    if let Some(typed) = typed {
        out.push_str(&typed);
        return;
    }
    out.push('{');
    for (at, (name, value)) in members.iter().enumerate() {
        out.push_str(if at == 0 { "" } else { ", " });
        push_text(out, name);
        out.push_str(": ");
        push_value(out, value);
    }
    out.push('}');
}

fn number_repr(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => float_repr(float),
        _ => number.to_string(),
    }
}

/// Returns a finite float with the fewest digits that denote it, as Python does: with an exponent below 1e-4 and
/// from 1e16.
fn float_repr(float: f64) -> String {
    let scientific = format!("{float:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.unsigned_abs());
    }
    let plain = float.to_string();
    if plain.contains('.') { plain } else { plain + ".0" }
}

/// Appends text in single quotes, or in double quotes if only single ones occur in it.
pub(crate) fn push_text(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for character in text.chars() {
        match character {
            '\\' => out.push_str(r"\\"),
            '\n' => out.push_str(r"\n"),
            '\r' => out.push_str(r"\r"),
            '\t' => out.push_str(r"\t"),
            _ if character == quote => out.extend(['\\', quote]),
            ' '..='~' => out.push(character),
            _ if is_printable(character) => out.push(character),
            _ => push_escape(out, character),
        }
    }
    out.push(quote);
}

/// Returns whether Python shows a character as it is. Rust's table is of the same property, and of a newer Unicode.
fn is_printable(character: char) -> bool {
    // After another character, because a combining one that comes first is escaped by Rust alone.
    let mut buffer = String::from('a');
    buffer.push(character);
    let mut escaped = buffer.escape_debug().skip(1);
    !character.is_whitespace() && escaped.next() == Some(character) && escaped.next().is_none()
}

fn push_escape(out: &mut String, character: char) {
    let code = u32::from(character);
    // Writing to a `String` cannot fail.
    let _ = match code {
        0..=0xff => write!(out, "\\x{code:02x}"),
        0x100..=0xffff => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_as_python_writes_them() {
        // The right side is Python 3.11's.
        for (value, expected) in [
            (json!([null, true, false]), "[None, True, False]"),
            (json!({"a": {}, "b": []}), "{'a': {}, 'b': []}"),
            (
                json!([1.0, 0.1, 1e16, 1e15, 123456789012345680.0]),
                "[1.0, 0.1, 1e+16, 1000000000000000.0, 1.2345678901234568e+17]",
            ),
            (
                json!([0.0001, 0.00001, 1.5e-7, 1e300, -0.0]),
                "[0.0001, 1e-05, 1.5e-07, 1e+300, -0.0]",
            ),
            (json!(["it's", "a\"b", "'\""]), r#"["it's", 'a"b', '\'"']"#),
            (json!("\\ \n\r\t\0\x7f"), r"'\\ \n\r\t\x00\x7f'"),
            (json!("é 日本 😀"), "'é 日本 😀'"),
            (
                json!("\u{a0}\u{200b}\u{2028}\u{ad}e\u{301}\u{e000}\u{10ffff}"),
                r"'\xa0\u200b\u2028\xade\u0301\ue000\U0010ffff'"
                    .replace(r"\u0301", "\u{301}")
                    .as_str(),
            ),
        ] {
            assert_eq!(python_repr(&value), expected);
        }
    }

    #[test]
    fn typed_values_are_written_as_their_type() {
        let value = json!([typed_values::decimal("1.50"), typed_values::float(f64::NAN)]);
        assert_eq!(python_repr(&value), "[Decimal('1.50'), nan]");
    }
}
