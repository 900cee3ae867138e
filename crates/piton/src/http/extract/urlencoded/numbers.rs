//! The text forms of numbers and booleans in parameters. Numbers have those of JSON, as the OpenAPI document promises;
//! booleans also those of settings.

use std::str::FromStr;

/// The message for `NaN` and infinite numbers.
pub(super) const NOT_FINITE: &str = "is not a finite number";

/// Parses a whole number in the form of JSON: without `+`, and without `-0`.
pub(super) fn parse_integer<T: FromStr>(text: &str) -> Option<T> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_zero_with_sign = digits.len() < text.len() && digits.bytes().all(|byte| byte == b'0');
    if is_whole && !is_zero_with_sign { text.parse().ok() } else { None }
}

/// Parses a number with or without a fraction. The result may be `NaN` or infinite.
pub(super) fn parse_float<T: FromStr>(text: &str) -> Option<T> {
    if text.starts_with('+') { None } else { text.parse().ok() }
}

/// Returns whether `text` can be given as a number to a type that asks for one.
pub(super) fn is_number(text: &str) -> bool {
    parse_integer::<u64>(text).is_some() || parse_float::<f64>(text).is_some_and(f64::is_finite)
}

/// Parses a boolean as settings do. A browser sends `on` for a checkbox without a value (HTML, section 4.10.5.1.15).
pub(super) fn parse_bool<T: From<bool>>(text: &str) -> Option<T> {
    let is = |words: [&str; 4]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(["true", "on", "yes", "1"]) {
        return Some(true.into());
    }
    is(["false", "off", "no", "0"]).then(|| false.into())
}

/// Returns whether `text` is a finite number that is infinite as an `f32`.
pub(super) fn overflows_f32(text: &str) -> bool {
    text.parse().is_ok_and(|number: f32| number.is_infinite()) && is_number(text)
}
