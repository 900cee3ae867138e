//! TOML files, with the line of each key.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file_syntax::{FileField, FileFields, FileNode, FileSyntaxError, line_of};

/// Parses the whole text.
pub(super) fn parse(text: &str) -> Result<FileFields, FileSyntaxError> {
    let table = DeTable::parse(text).map_err(|error| FileSyntaxError {
        line: error.span().map(|Range { start, .. }| line_of(text, start)),
        why: format!("is not TOML: {}", error.message()),
    })?;
    toml_fields(text, table.get_ref()).map_err(|(at, why)| FileSyntaxError {
        line: Some(line_of(text, at)),
        why: format!("is not read: {why}"),
    })
}

/// The position and the reason of a value that JSON cannot represent.
type TomlError = (usize, String);

fn toml_fields(text: &str, table: &DeTable<'_>) -> Result<FileFields, TomlError> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let field = |(key, value): (&Spanned<_>, &Spanned<_>)| {
        let node = match value.get_ref() {
            DeValue::Table(table) => FileNode::Table(toml_fields(text, table)?),
            _ => FileNode::Value(toml_value(text, value)?),
        };
        let name: &Cow<'_, str> = key.get_ref();
        let line = Some(line_of(text, key.span().start));
        Ok(FileField { key: name.to_string(), line, node })
    };
    entries.into_iter().map(field).collect()
}

fn toml_value(text: &str, value: &Spanned<DeValue<'_>>) -> Result<Value, TomlError> {
    let unreadable = |why: &str| (value.span().start, why.to_owned());
    Ok(match value.get_ref() {
        DeValue::String(string) => Value::from(string.as_ref()),
        DeValue::Boolean(yes) => Value::from(*yes),
        DeValue::Datetime(time) => Value::from(time.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map(Value::from)
            .or_else(|_| u64::from_str_radix(number.as_str(), number.radix()).map(Value::from))
            .map_err(|_| unreadable("the number is too large"))?,
        DeValue::Float(number) => number
            .as_str()
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
            .map(Value::from)
            .ok_or_else(|| unreadable("the number is not finite"))?,
        DeValue::Array(items) => {
            let items = items.iter().map(|item| toml_value(text, item));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => FileNode::Table(toml_fields(text, table)?).to_value(),
    })
}
