//! Keeps the exact text of a token's numbers that no [`Value`] holds.
//!
//! Python reads integers of any size, and serde_json makes a float of those beyond 64 bits: two
//! users whose numbers are adjacent would become one. So the text of such claims is kept, and their
//! values show the number's digits as text.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::claims::Claims;

/// The text of claims that hold such numbers, by name.
pub(super) type ExactClaims = BTreeMap<String, Box<RawValue>>;

/// Returns the text of the claims that may have lost digits, and corrects their values.
pub(super) fn extract(payload: &[u8], claims: &mut Claims) -> serde_json::Result<ExactClaims> {
    // Integers of up to 64 bits are exact. Nearly every token ends here, without a second parse.
    match claims.values().any(has_float) {
        true => reread(payload, claims),
        false => Ok(ExactClaims::new()),
    }
}

#[cold]
fn reread(payload: &[u8], claims: &mut Claims) -> serde_json::Result<ExactClaims> {
    let mut exact: ExactClaims = serde_json::from_slice(payload)?;
    exact.retain(|name, _| claims.get(name).is_some_and(has_float));
    for (name, text) in &exact {
        claims.insert(name.clone(), value(text.get())?);
    }
    Ok(exact)
}

fn has_float(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(list) => list.iter().any(has_float),
        Value::Object(object) => object.values().any(has_float),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

/// Returns the value of `text`. A number that no `Value` holds exactly becomes its text.
fn value(text: &str) -> serde_json::Result<Value> {
    match text.as_bytes().first() {
        Some(b'{') => {
            let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text)?;
            let members = members.into_iter().map(|(name, text)| Ok((name, value(text.get())?)));
            members.collect::<serde_json::Result<_>>().map(Value::Object)
        }
        Some(b'[') => {
            let items: Vec<Box<RawValue>> = serde_json::from_str(text)?;
            let items = items.iter().map(|text| value(text.get()));
            items.collect::<serde_json::Result<_>>().map(Value::Array)
        }
        Some(b'-' | b'0'..=b'9') => number(text),
        _ => serde_json::from_str(text),
    }
}

fn number(text: &str) -> serde_json::Result<Value> {
    if !text.contains(['.', 'e', 'E']) {
        let small = text.parse::<i64>().map(Value::from);
        let small = small.or_else(|_| text.parse::<u64>().map(Value::from));
        return Ok(small.unwrap_or_else(|_| Value::from(text)));
    }
    let float: Value = serde_json::from_str(text)?;
    let is_exact = significant(text) == significant(&float.to_string());
    Ok(if is_exact { float } else { Value::from(text) })
}

/// Returns the digits of a decimal number that distinguish it from others.
fn significant(number: &str) -> String {
    let mantissa = number.split(['e', 'E']).next().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    digits.trim_matches('0').to_owned()
}

/// A claim as it is written into a token.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ClaimOut<'a> {
    Value(Cow<'a, Value>),
    Text(&'a RawValue),
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_is_shown_as_text_only_where_it_would_lose_digits() {
        for (text, wanted) in [
            ("1180591620717411303424", json!("1180591620717411303424")),
            ("-9223372036854775809", json!("-9223372036854775809")),
            ("18446744073709551615", json!(u64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("100000000000000000000", json!("100000000000000000000")),
            ("-0", json!(0)),
            ("1.0", json!(1.0)),
            ("1e2", json!(100.0)),
            ("1.50E+3", json!(1500.0)),
            ("0.1", json!(0.1)),
            ("1e-400", json!("1e-400")),
            ("1180591620717411303424.0", json!("1180591620717411303424.0")),
            ("0.10000000000000000001", json!("0.10000000000000000001")),
            (r#"[1,{"id":36893488147419103232}]"#, json!([1, { "id": "36893488147419103232" }])),
        ] {
            assert_eq!(value(text).unwrap(), wanted, "{text}");
        }
    }
}
