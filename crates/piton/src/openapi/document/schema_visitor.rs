//! Visits all schemas of a document. Skips examples, defaults and extensions, whose values may look like
//! schemas.

use serde_json::Value;

/// Keywords that hold one schema.
const SINGLE_SCHEMA_KEYWORDS: [&str; 11] = [
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
const SCHEMA_LIST_KEYWORDS: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
/// Keywords that hold schemas by name.
const SCHEMA_MAP_KEYWORDS: [&str; 4] =
    ["properties", "patternProperties", "dependentSchemas", "$defs"];

/// Calls `change` with each schema of the document, inner schemas first.
pub(super) fn each_schema(document: &mut Value, change: &mut impl FnMut(&mut Value)) {
    for schema in members(document.pointer_mut("/components/schemas")) {
        visit(schema, change);
    }
    for response in members(document.pointer_mut("/components/responses")) {
        visit_holder(response, change);
    }
    let items = members(document.get_mut("paths"));
    for operation in items.flat_map(|item| members(Some(item))) {
        let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
        for parameter in parameters.into_iter().flatten() {
            visit_holder(parameter, change);
        }
        if let Some(body) = operation.get_mut("requestBody") {
            visit_holder(body, change);
        }
        for response in members(operation.get_mut("responses")) {
            visit_holder(response, change);
        }
    }
}

fn members(value: Option<&mut Value>) -> impl Iterator<Item = &mut Value> {
    value.and_then(Value::as_object_mut).into_iter().flat_map(|map| map.values_mut())
}

/// Visits the schemas of a parameter, header, body, response or media type.
fn visit_holder(value: &mut Value, change: &mut impl FnMut(&mut Value)) {
    let Value::Object(map) = value else { return };
    if let Some(schema) = map.get_mut("schema") {
        visit(schema, change);
    }
    for key in ["content", "headers"] {
        if let Some(Value::Object(inner)) = map.get_mut(key) {
            inner.values_mut().for_each(|value| visit_holder(value, change));
        }
    }
}

fn visit(schema: &mut Value, change: &mut impl FnMut(&mut Value)) {
    let Value::Object(map) = schema else { return change(schema) };
    for (key, value) in map.iter_mut() {
        let key = &&**key;
        match value {
            // Not `true` and `false` of other keywords, because all generators understand those of
            // `additionalProperties`.
            Value::Object(_) if SINGLE_SCHEMA_KEYWORDS.contains(key) => visit(value, change),
            Value::Bool(true) if *key == "items" => visit(value, change),
            Value::Array(list) if SCHEMA_LIST_KEYWORDS.contains(key) => {
                list.iter_mut().for_each(|schema| visit(schema, change));
            }
            Value::Object(named) if SCHEMA_MAP_KEYWORDS.contains(key) => {
                named.values_mut().for_each(|schema| visit(schema, change));
            }
            _ => {}
        }
    }
    change(schema);
}

/// Returns the name of a value's type in JSON Schema.
pub(in crate::openapi) fn type_of(value: &Value) -> &'static str {
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
