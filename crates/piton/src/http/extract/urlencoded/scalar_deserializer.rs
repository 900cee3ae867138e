//! The deserializer of one value.
//!
//! A value whose type is known is parsed from the text. A buffered value, whose type serde finds out later, is
//! given in the type that its [`PairGroup`](super::pair_group::PairGroup) records.

use std::cell::Cell;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{Deserializer, Error as _, IntoDeserializer, Unexpected, Visitor};

use super::deserialize_error::DeserializeError;
use super::numbers::{NOT_FINITE, parse_bool, parse_float, parse_integer};
use super::pair_group::InferredType;
use crate::http::extract::serde_messages::plain_type;

/// The value of [`InferredType::Poison`]: bytes that no type accepts as a parameter.
pub(super) const POISON: &[u8] = &[0xff];

/// The deserializer of one value, or of one item of a list.
#[derive(Clone, Copy)]
pub(super) struct Scalar<'de> {
    pub text: &'de str,
    /// The type in which the value is given if it is buffered.
    pub inferred_type: InferredType,
    /// Set when serde buffers the value.
    pub is_buffered: &'de Cell<bool>,
}

impl Scalar<'_> {
    /// Rejects the value of [`InferredType::Poison`].
    pub fn check(self) -> Result<Self, DeserializeError> {
        if self.inferred_type == InferredType::Poison {
            return Err(DeserializeError::invalid_type(Unexpected::Bytes(POISON), &"text"));
        }
        Ok(self)
    }

    fn reject(self, kind: &str) -> DeserializeError {
        if self.text.is_empty() {
            DeserializeError::new("is empty")
        } else {
            DeserializeError::new(format!("is not a valid {}", plain_type(kind)))
        }
    }
}

/// Calls the visitor with the narrowest number type that holds `text`, or with the text if it is not a number.
fn visit_number<'de, V: Visitor<'de>>(
    text: &'de str,
    visitor: V,
) -> Result<V::Value, DeserializeError> {
    if let Some(number) = parse_integer::<u64>(text) {
        visitor.visit_u64(number)
    } else if let Some(number) = parse_integer::<i64>(text) {
        visitor.visit_i64(number)
    } else {
        match parse_float::<f64>(text).filter(|number| number.is_finite()) {
            Some(number) => visitor.visit_f64(number),
            None => visitor.visit_borrowed_str(text),
        }
    }
}

/// Implements methods that parse the text with `$parse`.
macro_rules! parsed {
    ($parse:ident: $($method:ident $visit:ident $type:ty),* $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
            let scalar = self.check()?;
            match $parse::<$type>(scalar.text) {
                Some(value) => visitor.$visit(value),
                None => Err(scalar.reject(stringify!($type))),
            }
        })*
    };
}

/// Implements methods that parse a float and reject `NaN` and infinities, which would pass a rule about a range.
macro_rules! finite {
    ($($method:ident $visit:ident $type:ty),* $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
            let scalar = self.check()?;
            match parse_float::<$type>(scalar.text) {
                Some(value) if value.is_finite() => visitor.$visit(value),
                Some(_) => Err(DeserializeError::new(NOT_FINITE)),
                None => Err(scalar.reject(stringify!($type))),
            }
        })*
    };
}

/// Implements methods that take the text as it is.
macro_rules! text {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
            visitor.visit_borrowed_str(self.check()?.text)
        })*
    };
}

/// Implements the methods for types written as one text: `self.$scalar()` returns the deserializer of that text.
macro_rules! deserialize_as_scalar {
    ($scalar:ident) => {
        $crate::http::extract::urlencoded::scalar_deserializer::deserialize_as_scalar!($scalar:
            deserialize_bool deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
            deserialize_u128 deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
            deserialize_i128 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
            deserialize_string deserialize_bytes deserialize_byte_buf deserialize_identifier
        );
    };
    ($scalar:ident: $($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
            self.$scalar()?.$method(visitor)
        })*
    };
}

/// Implements the methods for wrappers, which are written as their contents: a newtype struct as its field, a tuple
/// struct as a tuple, a unit struct as a unit. Ignored values are skipped.
macro_rules! deserialize_wrappers_as_contents {
    () => {
        fn deserialize_newtype_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            visitor: V,
        ) -> Result<V::Value, DeserializeError> {
            visitor.visit_newtype_struct(self)
        }

        fn deserialize_tuple_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            length: usize,
            visitor: V,
        ) -> Result<V::Value, DeserializeError> {
            self.deserialize_tuple(length, visitor)
        }

        fn deserialize_unit_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            visitor: V,
        ) -> Result<V::Value, DeserializeError> {
            self.deserialize_unit(visitor)
        }

        fn deserialize_ignored_any<V: Visitor<'de>>(
            self,
            visitor: V,
        ) -> Result<V::Value, DeserializeError> {
            visitor.visit_unit()
        }
    };
}

pub(super) use {deserialize_as_scalar, deserialize_wrappers_as_contents};

impl<'de> Deserializer<'de> for Scalar<'de> {
    type Error = DeserializeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        self.is_buffered.set(true);
        match self.inferred_type {
            InferredType::Text | InferredType::List => visitor.visit_borrowed_str(self.text),
            InferredType::Number => visit_number(self.text, visitor),
            InferredType::Signed => match parse_integer::<i64>(self.text) {
                Some(number) => visitor.visit_i64(number),
                None => visit_number(self.text, visitor),
            },
            InferredType::Bool => match parse_bool(self.text) {
                Some(value) => visitor.visit_bool(value),
                None => visitor.visit_borrowed_str(self.text),
            },
            InferredType::Poison => visitor.visit_borrowed_bytes(POISON),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        visitor.visit_enum(BorrowedStrDeserializer::new(self.check()?.text))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        if self.check()?.text.is_empty() {
            return visitor.visit_unit();
        }
        Err(DeserializeError::new("has a value, expected none"))
    }

    parsed!(parse_integer:
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64,
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64,
        deserialize_u128 visit_u128 u128, deserialize_i128 visit_i128 i128,
    );
    parsed!(parse_bool: deserialize_bool visit_bool bool);
    finite!(deserialize_f32 visit_f32 f32, deserialize_f64 visit_f64 f64);
    text!(deserialize_str deserialize_string deserialize_char deserialize_identifier
        deserialize_bytes deserialize_byte_buf);

    serde::forward_to_deserialize_any! { seq tuple map struct }

    deserialize_wrappers_as_contents!();
}

impl<'de> IntoDeserializer<'de, DeserializeError> for Scalar<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
