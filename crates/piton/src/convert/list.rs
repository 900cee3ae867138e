//! Several values in one parameter: `SP,RJ`.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::ops::Deref;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Refused;

/// Values with commas between them, in one parameter of a path or a query (`SP,RJ`), or in several of one
/// name. At least one and at most `MOST`, each in a form that has no comma: so `%2C` separates values, too.
///
/// In a document it is an array of the style `form` with `explode` (`simple` in a path). From JSON
/// an array is read as well as a string.
///
/// ```
/// use piton::convert::List;
///
/// let numbers: List<u8> = "1,2,3".parse()?;
/// assert_eq!(*numbers, [1, 2, 3]);
/// let why = "1,x".parse::<List<u8>>().unwrap_err().to_string();
/// assert_eq!(why, "value 2 of the list: invalid digit found in string");
/// # Ok::<(), piton::convert::Refused>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct List<T, const MOST: usize = 100>(Vec<T>);

impl<T, const MOST: usize> List<T, MOST> {
    /// The values.
    #[must_use]
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }
}

impl<T, const MOST: usize> Deref for List<T, MOST> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T, const MOST: usize> IntoIterator for List<T, MOST> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T, const MOST: usize> IntoIterator for &'a List<T, MOST> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T: FromStr<Err: Display>, const MOST: usize> FromStr for List<T, MOST> {
    type Err = Refused;

    fn from_str(text: &str) -> Result<Self, Refused> {
        let mut values = Vec::new();
        push_values::<T, MOST>(&mut values, text)?;
        Ok(Self(values))
    }
}

/// Adds the values of `text`, with commas between them, to those there are.
fn push_values<T: FromStr<Err: Display>, const MOST: usize>(
    values: &mut Vec<T>,
    text: &str,
) -> Result<(), Refused> {
    for value in text.split(',') {
        let place = values.len() + 1;
        let refuse = |why: &dyn Display| Refused::new(format!("value {place} of the list: {why}"));
        if place > MOST {
            return Err(Refused::new(format!("a list here has at most {MOST} values")));
        }
        if value.is_empty() {
            return Err(Refused::new(format!("value {place} of the list is empty")));
        }
        if is_no_finite_float::<T>(value) {
            return Err(refuse(&"is not a finite number"));
        }
        values.push(value.parse().map_err(|why| refuse(&why))?);
    }
    Ok(())
}

/// Returns whether `T` is a float and `text` parses as `NaN` or infinite, because rules about a
/// range would not refuse those.
fn is_no_finite_float<T>(text: &str) -> bool {
    match std::any::type_name::<T>() {
        "f32" => text.parse().is_ok_and(|number: f32| !number.is_finite()),
        "f64" => text.parse().is_ok_and(|number: f64| !number.is_finite()),
        _ => false,
    }
}

impl<T: Display, const MOST: usize> Display for List<T, MOST> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, value) in self.0.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            write!(f, "{comma}{value}")?;
        }
        Ok(())
    }
}

impl<T: Display, const MOST: usize> Serialize for List<T, MOST> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, T: FromStr<Err: Display>, const MOST: usize> Deserialize<'de> for List<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Values<T, const MOST: usize>(PhantomData<T>);

        impl<'de, T: FromStr<Err: Display>, const MOST: usize> Visitor<'de> for Values<T, MOST> {
            type Value = List<T, MOST>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of values")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut values = Vec::new();
                while let Some(Item(text)) = items.next_element()? {
                    push_values::<T, MOST>(&mut values, &text).map_err(A::Error::custom)?;
                }
                if values.is_empty() {
                    return Err(A::Error::custom("the list is empty"));
                }
                Ok(List(values))
            }
        }

        // Several parameters of one name arrive as a sequence, as an array of JSON does.
        deserializer.deserialize_any(Values::<T, MOST>(PhantomData))
    }
}

/// One item of an array, as text.
struct Item(String);

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        macro_rules! visit {
            ($($method:ident $type:ty),*) => {
                $(fn $method<E: Error>(self, value: $type) -> Result<Item, E> {
                    Ok(Item(value.to_string()))
                })*
            };
        }

        impl Visitor<'_> for Text {
            type Value = Item;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a number")
            }

            visit!(visit_str &str, visit_bool bool, visit_u64 u64, visit_i64 i64, visit_f64 f64);
        }

        deserializer.deserialize_any(Text)
    }
}

impl<T: JsonSchema, const MOST: usize> JsonSchema for List<T, MOST> {
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
            "maxItems": MOST,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_neither_empty_nor_endless_nor_has_holes() {
        let why = |text: &str| text.parse::<List<u8, 3>>().unwrap_err().to_string();
        assert_eq!(why(""), "value 1 of the list is empty");
        assert_eq!(why("1,,2"), "value 2 of the list is empty");
        assert_eq!(why("1,2,"), "value 3 of the list is empty");
        assert_eq!(why("1,2,3,4"), "a list here has at most 3 values");
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
