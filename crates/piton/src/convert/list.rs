//! Comma-separated values in one parameter: `SP,RJ`.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::ops::Deref;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::ConvertError;

/// A list of 1 to `MAX` comma-separated values in one parameter of a path or a query (`SP,RJ`), or in
/// several query parameters of the same name. No value can contain a comma, so `%2C` separates values
/// as well.
///
/// The OpenAPI document shows an array of the style `form` with `explode` (`simple` in a path). In JSON
/// both an array and a string are accepted.
///
/// ```
/// use piton::convert::List;
///
/// let numbers: List<u8> = "1,2,3".parse()?;
/// assert_eq!(*numbers, [1, 2, 3]);
/// let why = "1,x".parse::<List<u8>>().unwrap_err().to_string();
/// assert_eq!(why, "value 2 of the list: invalid digit found in string");
/// # Ok::<(), piton::convert::ConvertError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct List<T, const MAX: usize = 100>(Vec<T>);

impl<T, const MAX: usize> List<T, MAX> {
    /// Returns the values as a vector.
    #[must_use]
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }
}

impl<T, const MAX: usize> Deref for List<T, MAX> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T, const MAX: usize> IntoIterator for List<T, MAX> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T, const MAX: usize> IntoIterator for &'a List<T, MAX> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T: FromStr<Err: Display>, const MAX: usize> FromStr for List<T, MAX> {
    type Err = ConvertError;

    fn from_str(text: &str) -> Result<Self, ConvertError> {
        let mut values = Vec::new();
        push_values::<T, MAX>(&mut values, text)?;
        Ok(Self(values))
    }
}

/// Adds the comma-separated values of `text` to `values`.
fn push_values<T: FromStr<Err: Display>, const MAX: usize>(
    values: &mut Vec<T>,
    text: &str,
) -> Result<(), ConvertError> {
    for value in text.split(',') {
        let position = values.len() + 1;
        let invalid = |error: &dyn Display| {
            ConvertError::new(format!("value {position} of the list: {error}"))
        };
        if position > MAX {
            return Err(ConvertError::new(format!("at most {MAX} values are allowed")));
        }
        if value.is_empty() {
            return Err(ConvertError::new(format!("value {position} of the list is empty")));
        }
        if is_nan_or_infinite::<T>(value) {
            return Err(invalid(&"is not a finite number"));
        }
        values.push(value.parse().map_err(|error| invalid(&error))?);
    }
    Ok(())
}

/// Returns whether `T` is a float type and `text` parses as `NaN` or an infinity. Comparisons with
/// `NaN` are false, so a validation rule about a range would let it pass.
fn is_nan_or_infinite<T>(text: &str) -> bool {
    match std::any::type_name::<T>() {
        "f32" => text.parse().is_ok_and(|number: f32| !number.is_finite()),
        "f64" => text.parse().is_ok_and(|number: f64| !number.is_finite()),
        _ => false,
    }
}

impl<T: Display, const MAX: usize> Display for List<T, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, value) in self.0.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{value}")?;
        }
        Ok(())
    }
}

impl<T: Display, const MAX: usize> Serialize for List<T, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, T: FromStr<Err: Display>, const MAX: usize> Deserialize<'de> for List<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T, const MAX: usize>(PhantomData<T>);

        impl<'de, T: FromStr<Err: Display>, const MAX: usize> Visitor<'de> for ListVisitor<T, MAX> {
            type Value = List<T, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of values")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut values = Vec::new();
                while let Some(ItemText(text)) = items.next_element()? {
                    push_values::<T, MAX>(&mut values, &text).map_err(A::Error::custom)?;
                }
                if values.is_empty() {
                    return Err(A::Error::custom("the list is empty"));
                }
                Ok(List(values))
            }
        }

        // Not `deserialize_str`, because several parameters of one name arrive as a sequence, like a JSON array.
        deserializer.deserialize_any(ListVisitor::<T, MAX>(PhantomData))
    }
}

/// An item of an array, as text.
struct ItemText(String);

impl<'de> Deserialize<'de> for ItemText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ItemVisitor;

        macro_rules! visit {
            ($($method:ident $type:ty),*) => {
                $(fn $method<E: Error>(self, value: $type) -> Result<ItemText, E> {
                    Ok(ItemText(value.to_string()))
                })*
            };
        }

        impl Visitor<'_> for ItemVisitor {
            type Value = ItemText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a number")
            }

            visit!(visit_str &str, visit_bool bool, visit_u64 u64, visit_i64 i64, visit_f64 f64);
        }

        deserializer.deserialize_any(ItemVisitor)
    }
}

impl<T: JsonSchema, const MAX: usize> JsonSchema for List<T, MAX> {
    fn schema_name() -> Cow<'static, str> {
        format!("ListOf{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "items": generator.subschema_for::<T>(),
            "minItems": 1,
            "maxItems": MAX,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_neither_empty_values_nor_too_many() {
        let error = |text: &str| text.parse::<List<u8, 3>>().unwrap_err().to_string();
        assert_eq!(error(""), "value 1 of the list is empty");
        assert_eq!(error("1,,2"), "value 2 of the list is empty");
        assert_eq!(error("1,2,"), "value 3 of the list is empty");
        assert_eq!(error("1,2,3,4"), "at most 3 values are allowed");
        let float = |text: &str| text.parse::<List<f64>>().map_err(|why| why.to_string());
        for text in ["1,NaN", "1,inf", "1,-Infinity", "1,1e400"] {
            assert_eq!(float(text).unwrap_err(), "value 2 of the list: is not a finite number");
        }
        assert_eq!(*float("1,1e39").unwrap(), [1.0, 1e39]);
        assert!("1e39".parse::<List<f32>>().is_err());
        assert_eq!(*"NaN".parse::<List<String>>().unwrap(), ["NaN"]);
        assert_eq!("3,1,3".parse::<List<u8, 3>>().unwrap().to_string(), "3,1,3");
    }
}
