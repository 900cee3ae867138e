//! `a=1&b=2` as a value, and everything that is wrong with it by the parameter's name.
//!
//! `serde_urlencoded` does the reading, and tells neither which parameter it refuses nor what else
//! is wrong. So what was refused is read once more, by a deserializer that knows where it is: as often
//! as there are parameters to refuse, each left out after its turn.

use std::fmt;

use serde::de::value::SeqDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::{Deserialize, Deserializer};

use super::error::most_faults;
use super::extract::plain_type;
use super::words;

/// A name and its value, decoded.
pub(super) type Pair = (String, String);

/// What is wrong: with which parameter, where that is known, and why.
pub(super) type Wrong = (Option<String>, String);

/// `a=1&b=2` as a `T`, or everything that is wrong with it.
pub(super) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Vec<Wrong>> {
    match serde_urlencoded::from_bytes(text) {
        // `serde_urlencoded` reads `nan` and `1e400` as floats, which pass every rule about a range.
        Ok(_)
            if text.split(|byte| *byte == b'&').any(may_not_be_finite)
                && has_infinite::<T>(text) =>
        {
            read_again(text)
        }
        Ok(value) => Ok(value),
        Err(_) => read_again(text),
    }
}

/// Returns whether `T` reads a value of `text` as a float that is not finite. `Nan` may be somebody's name.
#[cold]
fn has_infinite<T: DeserializeOwned>(text: &[u8]) -> bool {
    read_once::<T>(split(text)).is_err_and(|(_, why)| why == NOT_FINITE)
}

#[cold]
fn read_again<T: DeserializeOwned>(text: &[u8]) -> Result<T, Vec<Wrong>> {
    read(split(text), most_faults(text.len()))
}

fn may_not_be_finite(pair: &[u8]) -> bool {
    let equals = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
    pair.get(equals + 1..).is_some_and(is_no_finite_float)
}

/// Returns whether `value`, percent-encoded or not, is a float that is not finite. As a `f32`, which
/// is the first to overflow.
fn is_no_finite_float(value: &[u8]) -> bool {
    let is_none = |value: &[u8]| {
        let number = std::str::from_utf8(value).ok().and_then(|text| text.parse::<f32>().ok());
        number.is_some_and(|number| !number.is_finite())
    };
    match value.first() {
        Some(b'0'..=b'9' | b'+' | b'-' | b'.' | b'i' | b'I' | b'n' | b'N' | b'%') => {}
        _ => return false,
    }
    if value.contains(&b'%') { is_none(&decoded(value)) } else { is_none(value) }
}

/// Returns whether `path` may hold a parameter that is a float and not finite, whatever stands around it
/// in its segment. Words such as `finance` count, too.
pub(super) fn may_hold_infinite(path: &[u8]) -> bool {
    if path.contains(&b'%') { may_spell_infinite(&decoded(path)) } else { may_spell_infinite(path) }
}

fn may_spell_infinite(path: &[u8]) -> bool {
    let mut digits = 0;
    path.iter().enumerate().any(|(at, byte)| {
        let spells = |word: &[u8]| {
            path.get(at..at + word.len()).is_some_and(|text| text.eq_ignore_ascii_case(word))
        };
        let before = digits;
        digits = if byte.is_ascii_digit() { digits + 1 } else { 0 };
        match byte {
            b'n' | b'N' => spells(b"nan"),
            b'i' | b'I' => spells(b"inf"),
            b'e' | b'E' => before > 0 || at > 0 && path[at - 1] == b'.',
            // The largest `f32` has 39 digits.
            _ => digits >= 39,
        }
    })
}

/// The name of the parameter of a path that `T` reads as a float and that is not finite.
#[cold]
pub(super) fn not_finite<T: DeserializeOwned>(pairs: Vec<Pair>) -> Option<String> {
    let names: Vec<String> = pairs.iter().map(|(name, _)| name.clone()).collect();
    let mut named = Named { pairs: pairs.into_iter(), read: 0, ended: false };
    let error = T::deserialize(ByPlace(&mut named)).err()?;
    let place = named.read.checked_sub(1)?;
    (error.0 == NOT_FINITE).then(|| names.into_iter().nth(place)).flatten()
}

const NOT_FINITE: &str = "is not a finite number";

/// Decodes the pairs of a query.
pub(super) fn split(text: &[u8]) -> Vec<Pair> {
    serde_urlencoded::from_bytes(text).unwrap_or_default()
}

/// The parameters whose bytes are no text, and which `serde_urlencoded` would change into other ones.
pub(super) fn not_utf8(text: &[u8]) -> Vec<String> {
    if !text.iter().any(|byte| *byte == b'%' || !byte.is_ascii()) {
        return Vec::new();
    }
    let pairs = text.split(|byte| *byte == b'&');
    let wrong = pairs.filter(|pair| std::str::from_utf8(&decoded(pair)).is_err());
    let name = |pair: &[u8]| split(pair).into_iter().next().map_or(String::new(), |(name, _)| name);
    wrong.map(name).collect()
}

/// The bytes that are meant by `%` and two digits.
fn decoded(text: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut rest = text;
    let mut bytes = Vec::with_capacity(text.len());
    while let [byte, after @ ..] = rest {
        rest = after;
        bytes.push(match after {
            [high, low, after @ ..] if *byte == b'%' => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    rest = after;
                    high * 16 + low
                }
                _ => *byte,
            },
            _ => *byte,
        });
    }
    bytes
}

/// Pairs as a `T`, or what is wrong with them: one fault more than `most` if there are more.
pub(super) fn read<T: DeserializeOwned>(
    mut pairs: Vec<Pair>,
    most: usize,
) -> Result<T, Vec<Wrong>> {
    let mut wrong: Vec<Wrong> = Vec::new();
    loop {
        let (refused, why) = match read_once::<T>(pairs.clone()) {
            Ok(value) if wrong.is_empty() => return Ok(value),
            Ok(_) => return Err(wrong),
            Err(refused) => refused,
        };
        let Some(place) = refused else {
            // What is missing is found after the last pair, and is no news if it was refused.
            let missing = missing(&why);
            if missing.is_none() || wrong.iter().all(|(name, _)| *name != missing) {
                wrong.push((missing, why));
            }
            return Err(wrong);
        };
        wrong.push((Some(pairs.remove(place).0), words::plain(why)));
        if wrong.len() > most {
            return Err(wrong);
        }
    }
}

/// The name in serde's own words for a member that is not there.
pub(super) fn missing(why: &str) -> Option<String> {
    member(why, "missing field `")
}

/// The name that stands between `before` and the next accent.
pub(super) fn member(why: &str, before: &str) -> Option<String> {
    why.strip_prefix(before)?.split('`').next().map(str::to_owned)
}

/// The value, or the place of the pair that is refused.
fn read_once<T: DeserializeOwned>(pairs: Vec<Pair>) -> Result<T, (Option<usize>, String)> {
    let mut named = Named { pairs: pairs.into_iter(), read: 0, ended: false };
    T::deserialize(&mut named).map_err(|error| {
        let place = if named.ended { None } else { named.read.checked_sub(1) };
        (place, error.0)
    })
}

/// The names of the fields of `T`, if it is a struct: asked of its own `Deserialize`, which says what
/// it wants before it reads anything.
pub(super) fn fields<'de, T: Deserialize<'de>>() -> Option<&'static [&'static str]> {
    struct Ask(Option<&'static [&'static str]>);

    impl<'de> Deserializer<'de> for &mut Ask {
        type Error = serde::de::value::Error;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(serde::de::Error::custom("nothing is read"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, Self::Error> {
            self.0 = Some(fields);
            self.deserialize_any(visitor)
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
            option unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier
            ignored_any
        }
    }

    let mut ask = Ask(None);
    let _ = T::deserialize(&mut ask);
    ask.0
}

/// Goes over pairs and remembers how far it came.
struct Named {
    pairs: std::vec::IntoIter<Pair>,
    read: usize,
    ended: bool,
}

#[derive(Debug)]
struct NamedError(String);

impl fmt::Display for NamedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NamedError {}

impl serde::de::Error for NamedError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl<'de> Deserializer<'de> for &mut Named {
    type Error = NamedError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NamedError> {
        visitor.visit_map(NamedPairs { named: self, value: None })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NamedError> {
        visitor.visit_seq(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// A list has each pair as a list of two, as `serde_urlencoded` reads it.
impl<'de> SeqAccess<'de> for Named {
    type Error = NamedError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, NamedError> {
        let Some((name, value)) = self.pairs.next() else {
            self.ended = true;
            return Ok(None);
        };
        self.read += 1;
        seed.deserialize(PairOfTexts(name, value)).map(Some)
    }
}

struct PairOfTexts(String, String);

impl<'de> Deserializer<'de> for PairOfTexts {
    type Error = NamedError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NamedError> {
        let mut texts = SeqDeserializer::new([Text(self.0), Text(self.1)].into_iter());
        let pair = visitor.visit_seq(&mut texts)?;
        texts.end().map(|()| pair)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl IntoDeserializer<'_, NamedError> for Text {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

struct NamedPairs<'a> {
    named: &'a mut Named,
    value: Option<String>,
}

impl<'de> MapAccess<'de> for NamedPairs<'_> {
    type Error = NamedError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, NamedError> {
        let Some((name, value)) = self.named.pairs.next() else {
            self.named.ended = true;
            return Ok(None);
        };
        self.named.read += 1;
        self.value = Some(value);
        seed.deserialize(Text(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, NamedError> {
        let value = self.value.take().expect("a value is asked for after its key");
        seed.deserialize(Text(value))
    }
}

/// One value as text: numbers and the like are parsed out of it, as `serde_urlencoded` does.
struct Text(String);

macro_rules! parsed {
    ($($method:ident $visit:ident $type:ty),* $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NamedError> {
            match self.0.parse::<$type>() {
                Ok(value) => visitor.$visit(value),
                Err(_) if self.0.is_empty() => Err(NamedError("is empty".into())),
                Err(_) => Err(NamedError(format!("is not a valid {}", plain_type(stringify!($type))))),
            }
        })*
    };
}

macro_rules! finite {
    ($($method:ident $visit:ident $type:ty),* $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NamedError> {
            match self.0.parse::<$type>() {
                Ok(value) if value.is_finite() => visitor.$visit(value),
                Ok(_) => Err(NamedError(NOT_FINITE.into())),
                Err(_) if self.0.is_empty() => Err(NamedError("is empty".into())),
                Err(_) => Err(NamedError("is not a valid number".into())),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for Text {
    type Error = NamedError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NamedError> {
        visitor.visit_string(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NamedError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, NamedError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NamedError> {
        self.0.into_deserializer().deserialize_enum(name, variants, visitor)
    }

    finite!(deserialize_f32 visit_f32 f32, deserialize_f64 visit_f64 f64);

    parsed!(
        deserialize_bool visit_bool bool,
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64,
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64,
        deserialize_u128 visit_u128 u128, deserialize_i128 visit_i128 i128,
    );

    serde::forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

/// A deserializer of path parameters: a single one, several in order, or by name.
struct ByPlace<'a>(&'a mut Named);

impl ByPlace<'_> {
    fn next(&mut self) -> Option<Text> {
        let (_, value) = self.0.pairs.next()?;
        self.0.read += 1;
        Some(Text(value))
    }

    fn only(mut self) -> Result<Text, NamedError> {
        self.next().ok_or_else(|| NamedError("is missing".into()))
    }
}

macro_rules! only {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NamedError> {
            self.only()?.$method(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for ByPlace<'_> {
    type Error = NamedError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NamedError> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NamedError> {
        visitor.visit_seq(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, NamedError> {
        visitor.visit_seq(self)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, NamedError> {
        visitor.visit_seq(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, NamedError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NamedError> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NamedError> {
        self.only()?.deserialize_enum(name, variants, visitor)
    }

    only!(
        deserialize_bool deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_u128 deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
        deserialize_string deserialize_bytes deserialize_byte_buf
    );

    serde::forward_to_deserialize_any! { unit unit_struct map struct identifier ignored_any }
}

impl<'de> SeqAccess<'de> for ByPlace<'_> {
    type Error = NamedError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, NamedError> {
        self.next().map(|value| seed.deserialize(value)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "read by Debug alone")]
    struct Page {
        page: Option<u32>,
        #[serde(alias = "by")]
        order: Order,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Order {
        Up,
        Down,
    }

    /// The names of what is wrong, in order.
    fn wrong(query: &str) -> Vec<String> {
        let wrong = parse::<Page>(query.as_bytes()).unwrap_err();
        wrong.into_iter().map(|(name, _)| name.unwrap_or_default()).collect()
    }

    #[test]
    fn the_wrong_parameter_of_a_query_is_named() {
        assert_eq!(wrong("order=up&page=-1"), ["page"]);
        assert_eq!(wrong("page=1"), ["order"]);
        let wrong = parse::<Page>(b"page=1&order=sideways").unwrap_err();
        assert_eq!(wrong[0].0.as_deref(), Some("order"));
        assert!(wrong[0].1.contains("`up` or `down`"), "{wrong:?}");
        assert!(parse::<Page>(b"order=down&page=2").is_ok());
    }

    #[test]
    fn all_that_is_wrong_is_named_at_once() {
        assert_eq!(wrong("page=x&order=sideways&odd=1"), ["page", "order", "odd"]);
        assert_eq!(wrong("page=x"), ["page", "order"]);
        assert_eq!(wrong("order=up&order=down"), ["order"]);
        let many: String = (0..1000).map(|n| format!("&x{n}=1")).collect();
        // One more than is told, so that it can be said that there are more.
        assert_eq!(wrong(&many).len(), 101);
    }

    #[test]
    fn bytes_that_are_no_text_are_named_by_their_parameter() {
        for text in ["", "a=b", "q=caf%C3%A9&x=%", "a=é", "a=%2", "a=%zz", "q=%EF%BF%BD"] {
            assert!(not_utf8(text.as_bytes()).is_empty(), "{text}");
        }
        assert_eq!(not_utf8(b"a=1&q=%ff&x=%C3&y=%C3%A9"), ["q", "x"]);
        assert_eq!(not_utf8(b"q=\xff"), ["q"]);
        assert_eq!(not_utf8(b"%ff=1"), ["\u{fffd}"]);
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Numbers {
        near: Option<f32>,
        far: Option<f64>,
        text: Option<String>,
        whole: Option<u128>,
    }

    #[test]
    fn a_float_is_finite_and_text_and_large_numbers_are_what_they_are() {
        for text in [
            "NaN", "nan", "-nan", "inf", "-inf", "%2Binf", "INFINITY", "1e400", "-1e400",
            "1%65400", "%6eaN",
        ] {
            let query = format!("near=1&far={text}&text={text}");
            let wrong = parse::<Numbers>(query.as_bytes()).unwrap_err();
            assert_eq!(wrong, [(Some("far".into()), NOT_FINITE.into())], "{text}");
        }
        let wrong = parse::<Numbers>(b"near=1e39&far=1e39").unwrap_err();
        assert_eq!(wrong, [(Some("near".into()), NOT_FINITE.into())]);
        let read =
            parse::<Numbers>(b"text=inf&far=-0.5e3&whole=340282366920938463463374607431768211455");
        let Numbers { text, far, whole, .. } = read.unwrap();
        assert_eq!((text.as_deref(), far, whole), (Some("inf"), Some(-500.0), Some(u128::MAX)));
    }

    #[test]
    fn a_list_of_pairs_is_read_whatever_a_value_looks_like() {
        let digits = "1".repeat(40);
        for value in ["Nan", "NaN", "Infinity", "-inf", "1e400", "%6ean", &digits] {
            let query = format!("name={value}&x=1");
            let value = value.replace("%6e", "n");
            let pairs = parse::<Vec<Pair>>(query.as_bytes()).unwrap();
            assert_eq!(pairs, [("name".into(), value.clone()), ("x".into(), "1".into())]);
            let named = parse::<Vec<Named>>(query.as_bytes()).unwrap();
            assert_eq!(named[0], Named(Name::Name, value.clone()));
            let map =
                parse::<std::collections::BTreeMap<String, String>>(query.as_bytes()).unwrap();
            assert_eq!(map["name"], value);
            let set = parse::<std::collections::BTreeSet<Pair>>(query.as_bytes()).unwrap();
            assert_eq!(set.len(), 2);
            let wrong = parse::<Vec<(String, f32)>>(query.as_bytes()).unwrap_err();
            assert_eq!(wrong, [(Some("name".into()), NOT_FINITE.into())]);
            assert!(parse::<Vec<(String,)>>(query.as_bytes()).is_err());
            assert!(parse::<Vec<(String, String, String)>>(query.as_bytes()).is_err());
        }
        let wrong = parse::<Vec<(String, u8)>>(b"a=1&b=x&c=300").unwrap_err();
        let names: Vec<_> = wrong.iter().filter_map(|(name, _)| name.as_deref()).collect();
        assert_eq!(names, ["b", "c"]);
        assert_eq!(parse::<Vec<(String, f64)>>(b"a=1.5").unwrap(), [("a".into(), 1.5)]);

        #[derive(Debug, Deserialize, PartialEq)]
        struct Named(Name, String);

        #[derive(Debug, Deserialize, PartialEq)]
        #[serde(rename_all = "lowercase")]
        enum Name {
            Name,
            X,
        }
    }

    #[test]
    fn a_float_of_a_path_may_stand_anywhere_in_its_segment() {
        let digits = format!("/x{}", "1".repeat(39));
        for path in
            ["/at-NaN", "/x/inf", "/at--Infinity.json", "/v1e400", "/%6e%61n", "/1.e99", &digits]
        {
            assert!(may_hold_infinite(path.as_bytes()), "{path}");
        }
        for path in ["/", "/users/7", "/n", "/companies/11222333000181", "/in/na", "/caf%C3%A9"] {
            assert!(!may_hold_infinite(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn a_float_of_a_path_is_found_by_its_place_or_its_name() {
        let pairs = |values: [&str; 2]| {
            ["a", "b"].map(String::from).into_iter().zip(values.map(String::from)).collect()
        };
        assert_eq!(not_finite::<(f64, String)>(pairs(["inf", "nan"])).as_deref(), Some("a"));
        assert_eq!(not_finite::<(String, f32)>(pairs(["inf", "1e39"])).as_deref(), Some("b"));
        assert_eq!(not_finite::<(String, f64)>(pairs(["inf", "1e39"])), None);
        let of_map = not_finite::<std::collections::BTreeMap<String, f64>>(pairs(["1", "NaN"]));
        assert_eq!(of_map.as_deref(), Some("b"));
        let one = vec![("ratio".to_owned(), "-inf".to_owned())];
        assert_eq!(not_finite::<f64>(one.clone()).as_deref(), Some("ratio"));
        assert_eq!(not_finite::<String>(one), None);
    }

    #[test]
    fn a_struct_tells_its_fields() {
        assert_eq!(fields::<Page>(), Some(&["page", "by", "order"][..]));
        assert_eq!(fields::<Vec<Pair>>(), None);
    }
}
