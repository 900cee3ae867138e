//! Floats of tasks' arguments, also those that are not finite: for `#[serde(with = "piton_celery::python_float")]`.
//!
//! After [`typed_values::plain`] such a float is the text `"NaN"`, `"Infinity"` or
//! `"-Infinity"`, and an integer beyond 64 bits the text of its digits, which is rounded to a float here.

use std::fmt;

use serde::{Deserializer, Serialize, Serializer, de};

use crate::python_json::is_python_number;
use crate::typed_values;

/// Reads a number, or the text of one.
///
/// # Errors
/// The value is neither.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    deserializer.deserialize_any(Float)
}

/// Writes a number. One that is not finite is written so that [`python_json::to_vec`](crate::python_json::to_vec)
/// turns it into Python's token.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    typed_values::float(*number).serialize(serializer)
}

struct Float;

impl de::Visitor<'_> for Float {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, `NaN`, `Infinity` or `-Infinity`")
    }

    fn visit_f64<E>(self, number: f64) -> Result<f64, E> {
        Ok(number)
    }

    fn visit_u64<E>(self, number: u64) -> Result<f64, E> {
        Ok(number as f64)
    }

    fn visit_i64<E>(self, number: i64) -> Result<f64, E> {
        Ok(number as f64)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<f64, E> {
        let number = if is_python_number(text) { text.parse().ok() } else { None };
        number.ok_or_else(|| E::invalid_type(de::Unexpected::Other("text"), &self))
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use crate::{python_json, typed_values};

    #[derive(Serialize, Deserialize)]
    struct Reading(#[serde(with = "super")] f64);

    #[test]
    fn floats_that_are_not_finite_go_to_python_and_back() {
        for number in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 0.1, -2.0] {
            let json = python_json::to_vec(&Reading(number)).unwrap();
            let value = typed_values::plain(python_json::from_slice(&json).unwrap()).unwrap();
            let read: Reading = serde_json::from_value(value).unwrap();
            assert_eq!(read.0.to_bits(), number.to_bits());
        }
        assert!(serde_json::from_str::<Reading>("\"secret\"").is_err());
    }
}
