//! Settings that may be absent.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::config::setting::{Bounds, Setting};

/// Reads empty text and `null` as `None`.
impl<T: Setting> Setting for Option<T> {
    const SECRET: bool = T::SECRET;
    const NEVER_SECRET: bool = T::NEVER_SECRET;
    const FROM_FILE: bool = T::FROM_FILE;
    const ADDRESS: bool = T::ADDRESS;

    fn expects() -> Cow<'static, str> {
        format!("{}, or nothing", T::expects()).into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        match value {
            Value::Null => Ok(None),
            Value::String(text) if text.trim().is_empty() => Ok(None),
            value => T::parse(value).map(Some),
        }
    }

    fn show(&self) -> Value {
        self.as_ref().map_or(Value::Null, Setting::show)
    }

    fn schema() -> Value {
        Self::schema_within(Bounds::default())
    }

    fn range(bounds: Bounds) -> Option<[Cow<'static, str>; 2]> {
        T::range(bounds)
    }

    fn check_bounds(&self, bounds: Bounds) -> Result<(), String> {
        self.as_ref().map_or(Ok(()), |value| value.check_bounds(bounds))
    }

    fn expects_within(bounds: Bounds) -> Cow<'static, str> {
        format!("{}, or nothing", T::expects_within(bounds)).into()
    }

    fn schema_within(bounds: Bounds) -> Value {
        json!({ "anyOf": [T::schema_within(bounds), { "type": "null" }, { "const": "" }] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<T: Setting>(value: impl Into<Value>) -> Result<T, String> {
        T::parse(&value.into())
    }

    #[test]
    fn empty_text_and_null_are_nothing() {
        assert_eq!(parse::<Option<u16>>(""), Ok(None));
        assert_eq!(parse::<Option<u16>>(Value::Null), Ok(None));
        assert_eq!(parse::<Option<u16>>("80"), Ok(Some(80)));
        assert!(parse::<Option<u16>>("x").is_err());
        assert_eq!(None::<u16>.show(), Value::Null);
    }
}
