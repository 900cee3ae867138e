//! Settings that are tables whose entries the service names itself: `[client.peers]`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::config::setting::{Bounds, Setting, expected};

/// Reads a table in files. In the environment its entries are `name=value`, separated by commas.
impl<T: Setting> Setting for BTreeMap<String, T> {
    const SECRET: bool = T::SECRET;
    const FROM_FILE: bool = T::FROM_FILE;
    const ADDRESS: bool = T::ADDRESS;

    fn expects() -> Cow<'static, str> {
        format!("a table (in the environment `name=value, ..`), each {}", T::expects()).into()
    }

    fn expects_entry() -> Option<Cow<'static, str>> {
        Some(T::expects())
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let fields = match as_table(value) {
            Ok(fields) => fields,
            Err(None) => return Err(expected::<Self>()),
            Err(Some(why)) => return Err(format!("{}: {why}", expected::<Self>())),
        };
        let field = |(name, value): (String, Value)| match T::parse(&value) {
            Ok(value) => Ok((name, value)),
            Err(why) => Err(format!("`{name}`: {why}")),
        };
        fields.into_iter().map(field).collect()
    }

    fn show(&self) -> Value {
        self.iter().map(|(name, value)| (name.clone(), value.show())).collect()
    }

    fn schema() -> Value {
        Self::schema_within(Bounds::default())
    }

    fn range(bounds: Bounds) -> Option<[Cow<'static, str>; 2]> {
        T::range(bounds)
    }

    fn check_bounds(&self, bounds: Bounds) -> Result<(), String> {
        self.iter().try_for_each(|(name, value)| {
            value.check_bounds(bounds).map_err(|why| format!("`{name}`: {why}"))
        })
    }

    fn expects_within(bounds: Bounds) -> Cow<'static, str> {
        let each = T::expects_within(bounds);
        format!("a table (in the environment `name=value, ..`), each {each}").into()
    }

    fn schema_within(bounds: Bounds) -> Value {
        json!({ "type": "object", "additionalProperties": T::schema_within(bounds) })
    }
}

/// Returns the fields of a table, or of a text such as `a=1,b=2`.
///
/// # Errors
/// The value is neither. The text, if there is one, is the reason beyond that.
pub(crate) fn as_table(value: &Value) -> Result<Map<String, Value>, Option<String>> {
    let text = match value {
        Value::Object(fields) => return Ok(fields.clone()),
        Value::String(text) => text.trim(),
        _ => return Err(None),
    };
    let mut fields = Map::new();
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    for item in items {
        let (name, value) = item.split_once('=').ok_or(None)?;
        if name.trim().is_empty() {
            return Err(Some("an entry has no name".into()));
        }
        if fields.insert(name.trim().to_owned(), Value::from(value.trim())).is_some() {
            // The message does not repeat the name, because it may be part of a password.
            return Err(Some("a name is in it twice".into()));
        }
    }
    Ok(fields)
}
