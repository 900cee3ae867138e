//! Examples from schemas: that of the type (`#[schemars(example = ..)]`), else a value that the schema allows.
//! Swagger UI, Postman and the `.http` file send them.

use std::cell::Cell;

use serde_json::{Map, Value, json};

use super::references::SCHEMA_PREFIX;

/// Maximum depth of optional members.
const MAX_OPTIONAL_DEPTH: usize = 6;
/// Maximum depth of an example: a type may contain itself.
const MAX_DEPTH: usize = 16;
/// Maximum number of values in an example before optional members are left out. A type that contains itself in
/// twenty members would make an example of 20^6 values.
const MAX_VALUES: u32 = 2_000;

/// Adds an example to each JSON or form body of the document that has none.
pub(super) fn fill_missing(document: &mut Value) {
    let schemas = document["components"]["schemas"].take();
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    for (_, operation) in paths.flat_map(|(_, item)| item.as_object_mut().into_iter().flatten()) {
        fill_content(&mut operation["requestBody"], &schemas);
        for (_, answer) in operation["responses"].as_object_mut().into_iter().flatten() {
            fill_content(answer, &schemas);
        }
        if operation["requestBody"].is_null()
            && let Value::Object(operation) = operation
        {
            operation.remove("requestBody");
        }
    }
    if !schemas.is_null() {
        document["components"]["schemas"] = schemas;
    }
}

fn fill_content(holder: &mut Value, schemas: &Value) {
    let Some(content) = holder.get_mut("content").and_then(Value::as_object_mut) else { return };
    for (name, media) in content.iter_mut() {
        let known = media.get("example").is_some() || media.get("examples").is_some();
        let json = name.contains("json") || name.contains("form");
        let Some(schema) = media.get("schema").filter(|_| json && !known) else { continue };
        if let Some(example) = example_of(schema, schemas) {
            media["example"] = example;
        }
    }
}

/// Returns a value that `schema` allows; `None` if none is known, as for a pattern without an example.
pub(in crate::openapi) fn example_of(schema: &Value, schemas: &Value) -> Option<Value> {
    ExampleBuilder { schemas, value_count: Cell::new(0) }.build(schema, 0)
}

struct ExampleBuilder<'a> {
    schemas: &'a Value,
    /// The number of values made so far.
    value_count: Cell<u32>,
}

impl ExampleBuilder<'_> {
    fn build(&self, schema: &Value, depth: usize) -> Option<Value> {
        self.value_count.set(self.value_count.get().saturating_add(1));
        if depth > MAX_DEPTH || self.value_count.get() > 4 * MAX_VALUES {
            return None;
        }
        let declared =
            [&schema["examples"][0], &schema["example"], &schema["const"], &schema["enum"][0]];
        if let Some(declared) = declared.into_iter().find(|value| !value.is_null()) {
            return Some(declared.clone());
        }
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.strip_prefix(SCHEMA_PREFIX)?;
            return self.build(self.schemas.get(name)?, depth + 1);
        }
        if let Some(default) = schema.get("default").filter(|value| !value.is_null()) {
            return Some(default.clone());
        }
        for key in ["oneOf", "anyOf"] {
            if let Some(parts) = schema[key].as_array() {
                let made = parts.iter().filter(|part| part["type"] != "null");
                let made = made.filter_map(|part| self.build(part, depth + 1)).next();
                return match &schema["properties"] {
                    Value::Object(_) => self.object(schema, depth, vec![made?]),
                    _ => made,
                };
            }
        }
        let parts = schema["allOf"].as_array().into_iter().flatten();
        let parts: Vec<Value> = parts.filter_map(|part| self.build(part, depth + 1)).collect();
        match kind(schema) {
            "object" => self.object(schema, depth, parts),
            _ if !parts.is_empty() => parts.into_iter().next(),
            "array" => self.array(schema, depth),
            "string" => text(schema).map(Value::String),
            "integer" => Some(json!(whole(schema))),
            "number" => Some(json!(number(schema))),
            "boolean" => Some(json!(true)),
            "null" => Some(Value::Null),
            "" if is_anything(schema) => Some(json!({})),
            _ => None,
        }
    }

    fn object(&self, schema: &Value, depth: usize, parts: Vec<Value>) -> Option<Value> {
        let mut object: Map<String, Value> = Map::new();
        for part in parts {
            object.extend(part.as_object().cloned().into_iter().flatten());
        }
        let required = |name: &str| {
            schema["required"].as_array().is_some_and(|list| list.iter().any(|one| one == name))
        };
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            if (depth > MAX_OPTIONAL_DEPTH || self.is_large()) && !required(name) {
                continue;
            }
            match self.build(property, depth + 1) {
                Some(value) => {
                    object.insert(name.clone(), value);
                }
                None if required(name) => return None,
                None => {}
            }
        }
        Some(Value::Object(object))
    }

    /// Returns whether the example has so many values that optional ones are left out.
    fn is_large(&self) -> bool {
        self.value_count.get() > MAX_VALUES
    }

    fn array(&self, schema: &Value, depth: usize) -> Option<Value> {
        if let Some(items) = schema["prefixItems"].as_array() {
            return items.iter().map(|item| self.build(item, depth + 1)).collect();
        }
        let least = schema["minItems"].as_u64().unwrap_or_default();
        if schema["maxItems"] == 0
            || !schema["items"].is_object()
            || (least == 0 && self.is_large())
        {
            return (least == 0).then(|| json!([]));
        }
        match self.build(&schema["items"], depth + 1) {
            Some(item) if least <= 1 => Some(json!([item])),
            Some(item) if schema["uniqueItems"] != true => {
                Some((0..least).map(|_| item.clone()).collect())
            }
            _ => (least == 0).then(|| json!([])),
        }
    }
}

/// Returns the type, of several the first that is not `null`; that of an object may be missing.
fn kind(schema: &Value) -> &str {
    let types = &schema["type"];
    let listed = || types.as_array()?.iter().filter_map(Value::as_str).find(|kind| *kind != "null");
    match types.as_str().or_else(listed) {
        Some(kind) => kind,
        None if schema["properties"].is_object() || schema["allOf"].is_array() => "object",
        None => "",
    }
}

/// Returns whether `schema` allows every value.
fn is_anything(schema: &Value) -> bool {
    const WORDS: [&str; 4] = ["title", "description", "deprecated", "readOnly"];
    schema.as_object().is_some_and(|map| map.keys().all(|key| WORDS.contains(&&**key)))
}

fn text(schema: &Value) -> Option<String> {
    let known = match schema["format"].as_str().unwrap_or_default() {
        "date" => "2026-01-31",
        "date-time" => "2026-01-31T12:00:00Z",
        "partial-date-time" => "2026-01-31T12:00:00",
        "time" => "12:00:00Z",
        "partial-time" => "12:00:00",
        "duration" => "PT1H",
        "email" => "ada@example.org",
        "hostname" => "example.org",
        "ip" | "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        "uri" | "uri-reference" | "url" => "https://example.org/",
        "uuid" => "67e55044-10b1-426f-9247-bb680e5fe0c8",
        "" => "",
        // No guess, because only the type knows the meaning of its own format.
        _ => return None,
    };
    if !known.is_empty() {
        return Some(known.to_owned());
    }
    if schema.get("pattern").is_some() {
        return None;
    }
    let bound = |key: &str| usize::try_from(schema[key].as_u64()?).ok();
    let (least, most) = (bound("minLength").unwrap_or(0), bound("maxLength").unwrap_or(usize::MAX));
    Some("text".chars().cycle().take(4.clamp(least.min(most), most.max(least))).collect())
}

fn whole(schema: &Value) -> i64 {
    let bound = |key: &str| schema[key].as_i64().or_else(|| schema[key].as_f64().map(truncated));
    let least = bound("minimum").or_else(|| Some(bound("exclusiveMinimum")?.saturating_add(1)));
    let most = bound("maximum").or_else(|| Some(bound("exclusiveMaximum")?.saturating_sub(1)));
    let (least, most) = (least.unwrap_or(i64::MIN), most.unwrap_or(i64::MAX));
    let step = bound("multipleOf").filter(|step| *step > 0).unwrap_or(1);
    let value = 1.max(least).min(most);
    // Rounded up to a multiple, so that the value stays at or above the minimum.
    value.div_euclid(step).saturating_mul(step).max(if value % step == 0 {
        value
    } else {
        value.div_euclid(step).saturating_add(1).saturating_mul(step)
    })
}

#[expect(clippy::cast_possible_truncation, reason = "bounds of whole numbers are whole")]
fn truncated(number: f64) -> i64 {
    number as i64
}

fn number(schema: &Value) -> f64 {
    let bound = |key: &str| schema[key].as_f64();
    let least = bound("minimum").or_else(|| Some(bound("exclusiveMinimum")? + 0.5));
    let most = bound("maximum").or_else(|| Some(bound("exclusiveMaximum")? - 0.5));
    1.5_f64.max(least.unwrap_or(f64::MIN)).min(most.unwrap_or(f64::MAX))
}
