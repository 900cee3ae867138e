//! References between the schemas of a document (`$ref`).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The prefix of references to schemas.
pub(in crate::openapi) const SCHEMA_PREFIX: &str = "#/components/schemas/";
/// Decodes a name in a reference, where schemars encodes characters that URIs do not allow.
pub(super) fn decoded(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| *byte == b'%');
        let encoded = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match encoded.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &after[2..];
            }
            None => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).replace("~1", "/").replace("~0", "~")
}

/// Removes the schemas that the document does not refer to, directly or indirectly.
pub(super) fn remove_unused(document: &mut Value) {
    let Some(Value::Object(all)) = document.pointer_mut("/components/schemas").map(Value::take)
    else {
        return;
    };
    let used = used(all.into_iter().collect(), document);
    document["components"]["schemas"] = used.into();
}

/// Returns the schemas that the document refers to, directly or indirectly.
pub(super) fn used(mut all: BTreeMap<String, Value>, document: &Value) -> Map<String, Value> {
    let mut pending = references(document);
    let mut used = BTreeMap::new();
    while let Some(reference) = pending.pop() {
        let Some(name) = reference.strip_prefix(SCHEMA_PREFIX) else { continue };
        if let Some(schema) = all.remove(name) {
            pending.extend(references(&schema));
            used.insert(name.to_owned(), schema);
        }
    }
    used.into_iter().collect()
}

/// Returns the references in `value`.
pub(in crate::openapi) fn references(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(value, &mut found);
    found
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| collect(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        _ => {}
    }
}

/// Calls `change` with each reference in `value`.
pub(super) fn each_reference(value: &mut Value, change: &impl Fn(&mut String)) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get_mut("$ref") {
                change(reference);
            }
            map.values_mut().for_each(|value| each_reference(value, change));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each_reference(item, change)),
        _ => {}
    }
}
