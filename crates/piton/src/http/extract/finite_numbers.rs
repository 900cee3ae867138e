//! Refuses numbers of JSON that are too large for an `f32`.
//!
//! serde_json refuses `1e400`, which no `f64` holds. An `f32` is cast from an `f64`, and `1e39` becomes
//! infinite without an error, which passes every rule about a range.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

/// What serde_json says of a number that no `f64` holds.
pub(crate) const OUT_OF_RANGE: &str = "number out of range";

/// The number of digits of the smallest whole number that is too large for an `f32`.
const F32_DIGITS: usize = 39;

/// Returns whether `json` may hold a number that no `f32` holds. Text that looks like one counts, too.
pub(crate) fn may_overflow_f32(json: &[u8]) -> bool {
    has_exponent(json) || has_long_number(json)
}

/// Returns whether there is a number with an exponent that is positive and not a single digit, or whose
/// mantissa has so many digits that any exponent may be too much.
fn has_exponent(json: &[u8]) -> bool {
    let is_exponent = |pair: &[u8]| pair[0].is_ascii_digit() && pair[1] | 0x20 == b'e';
    // Without an early end the compiler checks many bytes at once.
    if !json.windows(2).fold(false, |any, pair| any | is_exponent(pair)) {
        return false;
    }
    let mut places = (1..json.len()).filter(|at| is_exponent(&json[at - 1..=*at]));
    places.any(|at| is_large_number(&json[..at], &json[at + 1..]))
}

/// Returns whether the digits around an `e` are a number, and not a piece of text such as a UUID.
fn is_large_number(before: &[u8], after: &[u8]) -> bool {
    let is_mantissa = |byte: &&u8| byte.is_ascii_digit() || **byte == b'.';
    let mantissa = before.iter().rev().take_while(is_mantissa).count();
    let before = &before[..before.len() - mantissa];
    let before = before.strip_suffix(b"-").unwrap_or(before);
    let after = after.strip_prefix(b"+").unwrap_or(after);
    let exponent = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_whole = before.last().copied().is_none_or(is_delimiter)
        && after.get(exponent).copied().is_none_or(is_delimiter);
    is_whole && exponent > 0 && (exponent > 1 || mantissa + 10 > F32_DIGITS)
}

/// Returns whether `byte` may stand next to a number.
fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b':' | b',' | b'[' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r')
}

/// Returns whether there are as many digits in a row as a number needs that is too large without an
/// exponent.
fn has_long_number(json: &[u8]) -> bool {
    let is_digit = |byte: &&u8| byte.is_ascii_digit();
    // A row of so many digits holds one of the bytes looked at, wherever it begins.
    (F32_DIGITS - 1..json.len()).step_by(F32_DIGITS).any(|at| {
        let before = json[..at].iter().rev().take_while(is_digit).count();
        let after = json[at..].iter().take_while(is_digit).count();
        after > 0 && before + after >= F32_DIGITS
    })
}

/// Reads as the deserializer, visitor or access within, and refuses numbers that no `f32` holds where one
/// is read.
pub(crate) struct Finite<T>(pub T);

/// A visitor of an `f32`.
struct FiniteF32<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for FiniteF32<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<V::Value, E> {
        if number.is_finite() && (number as f32).is_infinite() {
            return Err(E::custom(OUT_OF_RANGE));
        }
        self.0.visit_f64(number)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<V::Value, E> {
        self.0.visit_u64(number)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<V::Value, E> {
        self.0.visit_i64(number)
    }
}

macro_rules! deserialize {
    ($($method:ident($($name:ident: $type:ty),*))*) => {
        $(fn $method<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.0.$method($($name,)* Finite(visitor))
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Finite<D> {
    type Error = D::Error;

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_f32(FiniteF32(visitor))
    }

    deserialize! {
        deserialize_any() deserialize_bool() deserialize_i8() deserialize_i16() deserialize_i32()
        deserialize_i64() deserialize_i128() deserialize_u8() deserialize_u16() deserialize_u32()
        deserialize_u64() deserialize_u128() deserialize_f64() deserialize_char() deserialize_str()
        deserialize_string() deserialize_bytes() deserialize_byte_buf() deserialize_option()
        deserialize_unit() deserialize_unit_struct(name: &'static str)
        deserialize_newtype_struct(name: &'static str) deserialize_seq() deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize) deserialize_map()
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
        deserialize_identifier() deserialize_ignored_any()
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

macro_rules! visit {
    ($($method:ident $type:ty),* $(,)?) => {
        $(fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.0.$method(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Finite<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    visit! {
        visit_bool bool, visit_i8 i8, visit_i16 i16, visit_i32 i32, visit_i64 i64, visit_i128 i128,
        visit_u8 u8, visit_u16 u16, visit_u32 u32, visit_u64 u64, visit_u128 u128, visit_f32 f32,
        visit_f64 f64, visit_char char, visit_str &str, visit_borrowed_str &'de str,
        visit_string String, visit_bytes &[u8], visit_borrowed_bytes &'de [u8], visit_byte_buf Vec<u8>,
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Finite(value))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Finite(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Finite(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Finite(members))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        self.0.visit_enum(Finite(variant))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Finite<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Finite(deserializer))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Finite<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Finite(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Finite<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(Finite(seed))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(Finite(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for Finite<A> {
    type Error = A::Error;
    type Variant = Finite<A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let (name, content) = self.0.variant_seed(Finite(seed))?;
        Ok((name, Finite(content)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Finite<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.0.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.0.newtype_variant_seed(Finite(seed))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.0.tuple_variant(len, Finite(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.0.struct_variant(fields, Finite(visitor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_that_an_f32_may_not_hold_cost_a_second_look() {
        let digits = |count: usize| "9".repeat(count);
        for (json, suspicious) in [
            ("1e39".to_owned(), true),
            (r#"{"a":-1E+39}"#.into(), true),
            ("[1, 4.0e38]".into(), true),
            (format!("{}e9", digits(30)), true),
            (digits(39), true),
            (format!(" {}", digits(39)), true),
            (format!("[{}]", digits(76)), true),
            (digits(38), false),
            ("[1e9,1e-39]".into(), false),
            (r#""8f14e45f-ceea-467a-9e12-1e2344e55678""#.into(), false),
            (r#"{"name":"the 7e Arrondissement"}"#.into(), false),
        ] {
            assert_eq!(may_overflow_f32(json.as_bytes()), suspicious, "{json}");
        }
    }
}
