//! Visits all schemas of a document. Values of examples, defaults and extensions, which may look like schemas,
//! are skipped.

use serde_json::Value;

/// Keywords that hold one schema.
const ONE: [&str; 11] = [
    "items",
    "additionalProperties",
    "unevaluatedProperties",
    "unevaluatedItems",
    "not",
    "contains",
    "propertyNames",
    "if",
    "then",
    "else",
    "contentSchema",
];
/// Keywords that hold a list of schemas.
const LIST: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
/// Keywords that hold schemas by name.
const NAMED: [&str; 4] = ["properties", "patternProperties", "dependentSchemas", "$defs"];

/// Calls `change` with each schema of the document, those inside a schema before it.
pub(super) fn each_schema(document: &mut Value, change: &mut impl FnMut(&mut Value)) {
    for schema in members(document.pointer_mut("/components/schemas")) {
        within(schema, change);
    }
    for answer in members(document.pointer_mut("/components/responses")) {
        holder(answer, change);
    }
    let items = members(document.get_mut("paths"));
    for operation in items.flat_map(|item| members(Some(item))) {
        let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
        for parameter in parameters.into_iter().flatten() {
            holder(parameter, change);
        }
        if let Some(body) = operation.get_mut("requestBody") {
            holder(body, change);
        }
        for answer in members(operation.get_mut("responses")) {
            holder(answer, change);
        }
    }
}

fn members(value: Option<&mut Value>) -> impl Iterator<Item = &mut Value> {
    value.and_then(Value::as_object_mut).into_iter().flat_map(|map| map.values_mut())
}

/// Visits the schemas of a parameter, header, body, response or media type.
fn holder(value: &mut Value, change: &mut impl FnMut(&mut Value)) {
    let Value::Object(map) = value else { return };
    if let Some(schema) = map.get_mut("schema") {
        within(schema, change);
    }
    for key in ["content", "headers"] {
        if let Some(Value::Object(inner)) = map.get_mut(key) {
            inner.values_mut().for_each(|value| holder(value, change));
        }
    }
}

fn within(schema: &mut Value, change: &mut impl FnMut(&mut Value)) {
    let Value::Object(map) = schema else { return change(schema) };
    for (key, value) in map.iter_mut() {
        let key = &&**key;
        match value {
            // `true` and `false` for `additionalProperties` are understood by all generators.
            Value::Object(_) if ONE.contains(key) => within(value, change),
            Value::Bool(true) if *key == "items" => within(value, change),
            Value::Array(list) if LIST.contains(key) => {
                list.iter_mut().for_each(|schema| within(schema, change));
            }
            Value::Object(named) if NAMED.contains(key) => {
                named.values_mut().for_each(|schema| within(schema, change));
            }
            _ => {}
        }
    }
    change(schema);
}

/// Returns the name of a value's type in JSON Schema.
pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "string",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::Null => "null",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
