//! Values of JSON as Python reads them: truth values and whole numbers.

use serde_json::Value;

/// Returns the truth value of JSON in Python.
pub(crate) fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(object) => !object.is_empty(),
    }
}

/// Parses a time as Python's `int(..)` does, from a number, a text or a boolean. Times out of range are
/// clamped.
pub(crate) fn whole_seconds(value: &Value) -> Option<i128> {
    match value {
        Value::Number(number) => {
            number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from)).or_else(
                // Clamped so that adding the leeway cannot overflow.
                || number.as_f64().map(|float| float.clamp(-1e30, 1e30) as i128),
            )
        }
        Value::String(text) => whole_number(text.trim()),
        Value::Bool(yes) => Some(i128::from(*yes)),
        _ => None,
    }
}

/// Maximum length of a text that Python's `int(..)` parses.
const MAX_DIGITS: usize = 4300;

/// Parses a whole number of any size, clamped to `MAX_SECONDS`.
fn whole_number(text: &str) -> Option<i128> {
    const MAX_SECONDS: i128 = 10_i128.pow(30);
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty()
        || digits.len() > MAX_DIGITS
        || !digits.bytes().all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let number = digits.parse::<i128>().unwrap_or(MAX_SECONDS).min(MAX_SECONDS);
    Some(sign * number)
}
