//! Whole numbers within bounds: `Bounded<1, 10>`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::ConvertError;

/// A whole number from `MIN` to `MAX`, both inclusive.
///
/// ```
/// use piton::convert::Bounded;
///
/// type Percent = Bounded<0, 100>;
/// assert_eq!("7".parse::<Percent>()?.get(), 7);
/// assert_eq!(Percent::new(101).unwrap_err().to_string(), "is not a whole number from 0 to 100");
/// # Ok::<(), piton::convert::ConvertError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bounded<const MIN: i64, const MAX: i64>(i64);

impl<const MIN: i64, const MAX: i64> Bounded<MIN, MAX> {
    /// Checks `number` against the bounds.
    ///
    /// # Errors
    /// A value below `MIN` or above `MAX`.
    pub fn new(number: i64) -> Result<Self, ConvertError> {
        const { assert!(MIN <= MAX, "MIN must not be greater than MAX") };
        if (MIN..=MAX).contains(&number) { Ok(Self(number)) } else { Err(Self::out_of_bounds()) }
    }

    /// Returns the number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    fn out_of_bounds() -> ConvertError {
        ConvertError::new(format!("is not a whole number from {MIN} to {MAX}"))
    }
}

impl<const MIN: i64, const MAX: i64> From<Bounded<MIN, MAX>> for i64 {
    fn from(number: Bounded<MIN, MAX>) -> Self {
        number.0
    }
}

impl<const MIN: i64, const MAX: i64> FromStr for Bounded<MIN, MAX> {
    type Err = ConvertError;

    fn from_str(text: &str) -> Result<Self, ConvertError> {
        // Digits are checked by hand, because `i64::from_str` also accepts `+7`, which JSON and the schema do not
        // allow.
        let number = text.strip_prefix('-').unwrap_or(text);
        if number.is_empty() || !number.bytes().all(|c| c.is_ascii_digit()) {
            return Err(Self::out_of_bounds());
        }
        text.parse().map_err(|_| Self::out_of_bounds()).and_then(Self::new)
    }
}

impl<const MIN: i64, const MAX: i64> fmt::Display for Bounded<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<const MIN: i64, const MAX: i64> Serialize for Bounded<MIN, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl<'de, const MIN: i64, const MAX: i64> Deserialize<'de> for Bounded<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor<const MIN: i64, const MAX: i64>;

        impl<const MIN: i64, const MAX: i64> Visitor<'_> for NumberVisitor<MIN, MAX> {
            type Value = Bounded<MIN, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a whole number from {MIN} to {MAX}")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
                Bounded::new(number).map_err(E::custom)
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
                let number = i64::try_from(number);
                let number = number.map_err(|_| Bounded::<MIN, MAX>::out_of_bounds());
                number.and_then(Bounded::new).map_err(E::custom)
            }

            // Accepted because JSON Schema counts `7.0` as an `integer`.
            fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
                let number = whole(number).ok_or_else(Bounded::<MIN, MAX>::out_of_bounds);
                number.and_then(Bounded::new).map_err(E::custom)
            }
        }

        deserializer.deserialize_i64(NumberVisitor::<MIN, MAX>)
    }
}

/// Returns `number` as an integer if it has no fraction and is below 2^53, above which floats skip integers.
#[expect(clippy::cast_possible_truncation, reason = "it is whole and below 2^53")]
fn whole(number: f64) -> Option<i64> {
    let is_exact = number.abs() < 9_007_199_254_740_992.0;
    (is_exact && number.fract() == 0.0).then_some(number as i64)
}

impl<const MIN: i64, const MAX: i64> JsonSchema for Bounded<MIN, MAX> {
    fn schema_name() -> Cow<'static, str> {
        format!("From{MIN}To{MAX}").into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "format": "int64", "minimum": MIN, "maximum": MAX })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_numbers_within_the_bounds_are_read() {
        type Few = Bounded<-3, 3>;
        for (json, wanted) in [("-3", Some(-3)), ("3", Some(3)), ("4", None), ("-4", None)] {
            assert_eq!(serde_json::from_str::<Few>(json).ok().map(Few::get), wanted, "{json}");
            assert_eq!(json.parse::<Few>().ok().map(Few::get), wanted, "{json}");
        }
        for (json, wanted) in [("0.0", 0), ("-0.0", 0), ("3.0", 3), ("-30e-1", -3)] {
            assert_eq!(serde_json::from_str::<Few>(json).unwrap().get(), wanted, "{json}");
        }
        for json in ["1.5", "4.0", "1e300", "\"1\"", "18446744073709551615", "null"] {
            assert!(serde_json::from_str::<Few>(json).is_err(), "{json}");
        }
        for text in ["", "-", "+1", " 1", "1.0", "١", "99999999999999999999"] {
            assert!(text.parse::<Few>().is_err(), "{text}");
        }
    }
}
