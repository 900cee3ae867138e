//! Reading fields as Python does, which checks no types: null is the default, one is a list of one.

use serde::{Deserialize, Deserializer, Serializer, de::Error as _};
use serde_json::{Map, Value};

use crate::iso_date_time::IsoDateTime;

/// Reads null as the default.
pub(crate) fn null_as_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads null and the empty text as no time.
pub(crate) fn time<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<IsoDateTime>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(D::Error::custom) }
}

/// Reads a number beyond 0 to 255 as the nearer of the two.
pub(crate) fn clamped_u8<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let number = Option::<i64>::deserialize(deserializer)?.unwrap_or_default();
    Ok(u8::try_from(number.clamp(0, 255)).unwrap_or_default())
}

/// Reads null as an empty list, and a value that is no list as a list of it.
pub(crate) fn list<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum ListOrOne<T> {
        List(Vec<T>),
        One(T),
    }
    Ok(match Option::deserialize(deserializer)? {
        None => Vec::new(),
        Some(ListOrOne::List(list)) => list,
        Some(ListOrOne::One(one)) => vec![one],
    })
}

/// Writes an empty list as null.
pub(crate) fn null_if_empty<T, S>(list: &[T], serializer: S) -> Result<S::Ok, S::Error>
where
    T: serde::Serialize,
    S: Serializer,
{
    if list.is_empty() { serializer.serialize_none() } else { serializer.collect_seq(list) }
}

/// Writes fields that the protocol does not define, without those that it does: a field that stands twice in an
/// object would be another one for each reader.
pub(crate) fn undefined_fields<S: Serializer>(
    extra: &Map<String, Value>,
    defined: &[&str],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(extra.iter().filter(|(name, _)| !defined.contains(&name.as_str())))
}
