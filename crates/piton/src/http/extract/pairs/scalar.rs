//! The deserializer of one value.
//!
//! A value whose type is known is parsed from the text. A buffered value, whose type serde finds out later, is
//! given in the form that its [`PairGroup`](super::split::PairGroup) records.

use std::cell::Cell;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{Deserializer, Error as _, IntoDeserializer, Unexpected, Visitor};

use super::forms::ValueForm;
use super::refusal::PairRefusal;
use crate::http::extract::arguments::plain_type;

/// Bytes that no type accepts as a parameter.
pub(super) const POISON: &[u8] = &[0xff];

pub(super) const NOT_FINITE: &str = "is not a finite number";

/// Parses a whole number as JSON writes it: without `+`, and without `-0`.
fn parse_integer<T: std::str::FromStr>(text: &str) -> Option<T> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_zero_with_sign = digits.len() < text.len() && digits.bytes().all(|byte| byte == b'0');
    if is_whole && !is_zero_with_sign { text.parse().ok() } else { None }
}

/// Parses a number with or without a fraction. It may be `NaN` or infinite.
fn parse_float<T: std::str::FromStr>(text: &str) -> Option<T> {
    if text.starts_with('+') { None } else { text.parse().ok() }
}

/// Returns whether `text` may be given as a number to a type that asks for one.
pub(super) fn is_number(text: &str) -> bool {
    parse_integer::<u64>(text).is_some() || parse_float::<f64>(text).is_some_and(f64::is_finite)
}

/// Calls the visitor with the narrowest number that `text` is; `None` if it is no number.
fn visit_number<'de, V: Visitor<'de>>(text: &'de str, visitor: V) -> Result<V::Value, PairRefusal> {
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

/// One value, or one item of a list.
#[derive(Clone, Copy)]
pub(super) struct Scalar<'de> {
    pub text: &'de str,
    pub form: ValueForm,
    /// Set when the value is buffered.
    pub is_buffered: &'de Cell<bool>,
}

impl Scalar<'_> {
    /// Refuses the value of [`ValueForm::Poison`].
    pub fn check(self) -> Result<Self, PairRefusal> {
        if self.form == ValueForm::Poison {
            return Err(PairRefusal::invalid_type(Unexpected::Bytes(POISON), &"text"));
        }
        Ok(self)
    }

    fn refuse(self, kind: &str) -> PairRefusal {
        if self.text.is_empty() {
            PairRefusal::new("is empty")
        } else {
            PairRefusal::new(format!("is not a valid {}", plain_type(kind)))
        }
    }
}

macro_rules! parsed {
    ($parse:ident: $($method:ident $visit:ident $type:ty),* $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairRefusal> {
            let scalar = self.check()?;
            match $parse::<$type>(scalar.text) {
                Some(value) => visitor.$visit(value),
                None => Err(scalar.refuse(stringify!($type))),
            }
        })*
    };
}

macro_rules! finite {
    ($($method:ident $visit:ident $type:ty),* $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairRefusal> {
            let scalar = self.check()?;
            match parse_float::<$type>(scalar.text) {
                Some(value) if value.is_finite() => visitor.$visit(value),
                Some(_) => Err(PairRefusal::new(NOT_FINITE)),
                None => Err(scalar.refuse(stringify!($type))),
            }
        })*
    };
}

macro_rules! text {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairRefusal> {
            visitor.visit_borrowed_str(self.check()?.text)
        })*
    };
}

/// Reads every type that is one text as what `self.$scalar()` returns.
macro_rules! read_as_scalar {
    ($scalar:ident) => {
        $crate::http::extract::pairs::scalar::read_as_scalar!($scalar:
            deserialize_bool deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
            deserialize_u128 deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
            deserialize_i128 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
            deserialize_string deserialize_bytes deserialize_byte_buf deserialize_identifier
        );
    };
    ($scalar:ident: $($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairRefusal> {
            self.$scalar()?.$method(visitor)
        })*
    };
}

pub(super) use read_as_scalar;

fn parse_flag<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

impl<'de> Deserializer<'de> for Scalar<'de> {
    type Error = PairRefusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairRefusal> {
        self.is_buffered.set(true);
        match self.form {
            ValueForm::Text | ValueForm::List => visitor.visit_borrowed_str(self.text),
            ValueForm::Number => visit_number(self.text, visitor),
            ValueForm::Signed => match parse_integer::<i64>(self.text) {
                Some(number) => visitor.visit_i64(number),
                None => visit_number(self.text, visitor),
            },
            ValueForm::Flag => match self.text {
                "true" => visitor.visit_bool(true),
                "false" => visitor.visit_bool(false),
                text => visitor.visit_borrowed_str(text),
            },
            ValueForm::Poison => visitor.visit_borrowed_bytes(POISON),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairRefusal> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, PairRefusal> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, PairRefusal> {
        visitor.visit_enum(BorrowedStrDeserializer::new(self.check()?.text))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairRefusal> {
        if self.check()?.text.is_empty() {
            return visitor.visit_unit();
        }
        Err(PairRefusal::new("has a value, and none is expected"))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, PairRefusal> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairRefusal> {
        visitor.visit_unit()
    }

    parsed!(parse_integer:
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64,
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64,
        deserialize_u128 visit_u128 u128, deserialize_i128 visit_i128 i128,
    );
    parsed!(parse_flag: deserialize_bool visit_bool bool);
    finite!(deserialize_f32 visit_f32 f32, deserialize_f64 visit_f64 f64);
    text!(deserialize_str deserialize_string deserialize_char deserialize_identifier
        deserialize_bytes deserialize_byte_buf);

    serde::forward_to_deserialize_any! { seq tuple tuple_struct map struct }
}

impl<'de> IntoDeserializer<'de, PairRefusal> for Scalar<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
