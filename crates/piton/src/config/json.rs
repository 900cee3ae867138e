//! JSON files, with the line of each key.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::file_syntax::{FileField, FileFields, FileNode, FileSyntaxError, line_of};

/// Parses the whole text.
pub(super) fn parse(text: &str) -> Result<FileFields, FileSyntaxError> {
    let start = text.as_ptr().addr();
    let node = serde_json::from_str::<JsonNode<'_>>(text).map_err(|error| FileSyntaxError {
        line: Some(error.line()),
        why: format!("is not JSON: {error}"),
    })?;
    match node {
        JsonNode::Table(fields) => {
            Ok(json_fields(&|at| line_of(text, at.wrapping_sub(start)), fields))
        }
        JsonNode::Value(_) => {
            let why = "is not an object: begin with `{`".to_owned();
            Err(FileSyntaxError { line: Some(1), why })
        }
    }
}

/// A JSON value whose keys are slices of the text, so that the address of a key gives its line.
/// `serde_json` has no lines of its own.
enum JsonNode<'a> {
    Value(Value),
    Table(Vec<(JsonKey<'a>, JsonNode<'a>)>),
}

/// A key of an object.
enum JsonKey<'a> {
    InPlace(&'a str),
    /// A key with escapes, which is not a slice of the text and has no line.
    Unescaped(String),
}

/// Converts the fields of an object. `line` returns the line of an address in the text.
fn json_fields(
    line: &dyn Fn(usize) -> usize,
    fields: Vec<(JsonKey<'_>, JsonNode<'_>)>,
) -> FileFields {
    let field = |(key, value): (JsonKey<'_>, JsonNode<'_>)| {
        let (key, line_of_key) = match key {
            JsonKey::InPlace(key) => (key.to_owned(), Some(line(key.as_ptr().addr()))),
            JsonKey::Unescaped(key) => (key, None),
        };
        let node = match value {
            JsonNode::Value(value) => FileNode::Value(value),
            JsonNode::Table(fields) => FileNode::Table(json_fields(line, fields)),
        };
        FileField { key, line: line_of_key, node }
    };
    fields.into_iter().map(field).collect()
}

impl JsonNode<'_> {
    fn into_value(self) -> Value {
        match self {
            Self::Value(value) => value,
            Self::Table(fields) => FileNode::Table(json_fields(&|_| 0, fields)).to_value(),
        }
    }
}

impl<'de> Deserialize<'de> for JsonNode<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = JsonNode<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, yes: bool) -> Result<JsonNode<'de>, E> {
        Ok(JsonNode::Value(yes.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<JsonNode<'de>, E> {
        Ok(JsonNode::Value(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<JsonNode<'de>, E> {
        Ok(JsonNode::Value(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<JsonNode<'de>, E> {
        Ok(JsonNode::Value(number.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<JsonNode<'de>, E> {
        Ok(JsonNode::Value(text.into()))
    }

    fn visit_unit<E>(self) -> Result<JsonNode<'de>, E> {
        Ok(JsonNode::Value(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<JsonNode<'de>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<JsonNode<'de>>()? {
            list.push(item.into_value());
        }
        Ok(JsonNode::Value(Value::Array(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<JsonNode<'de>, A::Error> {
        let mut fields = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            fields.push(entry);
        }
        Ok(JsonNode::Table(fields))
    }
}

impl<'de> Deserialize<'de> for JsonKey<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = JsonKey<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<JsonKey<'de>, E> {
                Ok(JsonKey::InPlace(key))
            }

            fn visit_str<E>(self, key: &str) -> Result<JsonKey<'de>, E> {
                Ok(JsonKey::Unescaped(key.to_owned()))
            }
        }

        from.deserialize_str(KeyVisitor)
    }
}
