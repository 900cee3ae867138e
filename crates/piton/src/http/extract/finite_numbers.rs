//! Rejects numbers in JSON that are out of range for an `f32`.
//!
//! serde_json rejects `1e400`, which is out of range for an `f64`. But an `f32` is cast from an `f64`, so that `1e39`
//! becomes infinite without an error.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

/// The message of serde_json for a number that is out of range for an `f64`.
pub(crate) const OUT_OF_RANGE: &str = "number out of range";

/// Number of digits of the smallest whole number that is out of range for an `f32`.
const OVERFLOW_DIGITS: usize = 39;

/// Returns whether `json` may contain a number that is out of range for an `f32`. Text that looks like one counts, too.
///
/// This scan of the bytes is much faster than a second read, which only suspicious bodies get.
pub(crate) fn may_overflow_f32(json: &[u8]) -> bool {
    has_exponent(json) || has_long_number(json)
}

/// Returns whether there is a number with a positive exponent of two digits or more, or with so long a mantissa that any
/// exponent may be too large.
fn has_exponent(json: &[u8]) -> bool {
    let is_exponent = |pair: &[u8]| pair[0].is_ascii_digit() && pair[1] | 0x20 == b'e';
    // `fold` instead of `any`: without an early end the compiler checks many bytes at once.
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
    is_whole && exponent > 0 && (exponent > 1 || mantissa + 10 > OVERFLOW_DIGITS)
}

/// Returns whether `byte` may be next to a number.
fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b':' | b',' | b'[' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r')
}

/// Returns whether there are [`OVERFLOW_DIGITS`] digits in a row, so that a number may be too large without an exponent.
fn has_long_number(json: &[u8]) -> bool {
    let is_digit = |byte: &&u8| byte.is_ascii_digit();
    // Looking at each 39th byte is enough, because every row of 39 digits contains one of them.
    (OVERFLOW_DIGITS - 1..json.len()).step_by(OVERFLOW_DIGITS).any(|at| {
        let before = json[..at].iter().rev().take_while(is_digit).count();
        let after = json[at..].iter().take_while(is_digit).count();
        after > 0 && before + after >= OVERFLOW_DIGITS
    })
}

/// Wraps a deserializer, visitor or access of serde, and rejects numbers that are out of range wherever an `f32` is read.
pub(crate) struct FiniteF32<T>(pub T);

/// The visitor of an `f32`.
struct F32Visitor<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for F32Visitor<V> {
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

/// Forwards methods of a deserializer, with the visitor wrapped.
macro_rules! deserialize {
    ($($method:ident($($name:ident: $type:ty),*))*) => {
        $(fn $method<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.0.$method($($name,)* FiniteF32(visitor))
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for FiniteF32<D> {
    type Error = D::Error;

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_f32(F32Visitor(visitor))
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

/// Forwards methods of a visitor.
macro_rules! visit {
    ($($method:ident $type:ty),* $(,)?) => {
        $(fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.0.$method(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for FiniteF32<V> {
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
        self.0.visit_some(FiniteF32(value))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(FiniteF32(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(FiniteF32(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(FiniteF32(members))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        self.0.visit_enum(FiniteF32(variant))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for FiniteF32<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(FiniteF32(deserializer))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for FiniteF32<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(FiniteF32(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for FiniteF32<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(FiniteF32(seed))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(FiniteF32(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for FiniteF32<A> {
    type Error = A::Error;
    type Variant = FiniteF32<A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let (name, content) = self.0.variant_seed(FiniteF32(seed))?;
        Ok((name, FiniteF32(content)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for FiniteF32<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.0.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.0.newtype_variant_seed(FiniteF32(seed))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.0.tuple_variant(len, FiniteF32(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.0.struct_variant(fields, FiniteF32(visitor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_that_may_overflow_an_f32_cost_a_second_read() {
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
