//! Rewrites enums with data for generators of clients: a named schema for each variant, and for tagged enums
//! (`#[serde(tag = "kind")]`) a discriminator.

use serde_json::{Map, Value, json};

use super::schemas::{PLACE, capitalized, forget_unused, free_name};

/// Makes a component of each variant of the enums among the components.
pub(super) fn name_variants(document: &mut Value) {
    let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut)
    else {
        return;
    };
    let names: Vec<String> = schemas.keys().cloned().collect();
    for name in names {
        if let Some(union) = schemas.get(&name).and_then(Union::of) {
            union.put(&name, schemas);
        } else if !spread(&name, schemas) {
            name_external_variants(&name, schemas);
        }
    }
    // Schemas that only variants referred to are part of them now.
    forget_unused(document);
}

/// Copies the members of a struct with a flattened enum into each variant, because many generators ignore members
/// next to alternatives. Returns false if the schema is not such a struct.
fn spread(name: &str, schemas: &mut Map<String, Value>) -> bool {
    let schema = &schemas[name];
    let Some(key) = ["oneOf", "anyOf"].into_iter().find(|key| schema.get(*key).is_some()) else {
        return false;
    };
    let mut common = schema.as_object().cloned().unwrap_or_default();
    let Some(Value::Array(parts)) = common.remove(key) else { return false };
    if !common.get("properties").is_some_and(Value::is_object) || !common.keys().all(is_spread) {
        return false;
    }
    let mut variants = Vec::with_capacity(parts.len());
    for part in &parts {
        let Some((label, mut variant)) = labelled(part, schemas) else { return false };
        merge(&mut variant, &Value::Object(common.clone()));
        variants.push((label, variant));
    }
    let mut choice = Vec::with_capacity(parts.len());
    for (label, variant) in variants {
        let own = free_name(&format!("{name}{label}"), |name| schemas.contains_key(name));
        choice.push(json!({ "$ref": format!("{PLACE}{own}") }));
        schemas.insert(own, variant);
    }
    common.retain(|key, _| ["description", "title", "examples"].contains(&&**key));
    common.insert(key.into(), choice.into());
    schemas.insert(name.to_owned(), common.into());
    true
}

/// Returns whether a keyword next to alternatives can be copied into each, or describes the whole.
fn is_spread(key: &String) -> bool {
    matches!(
        &**key,
        "type" | "properties" | "required" | "additionalProperties" | "unevaluatedProperties"
    ) || matches!(&**key, "description" | "title" | "examples")
}

/// Returns the name and the schema of an alternative. It is named after the schema that it refers to, or its first
/// required member.
fn labelled(part: &Value, schemas: &Map<String, Value>) -> Option<(String, Value)> {
    let reference = part["$ref"].as_str().and_then(|path| path.strip_prefix(PLACE));
    let schema = match reference {
        Some(name) if part.as_object().is_some_and(|part| part.len() == 1) => schemas.get(name)?,
        Some(_) => return None,
        None => part,
    };
    let member = || schema["required"][0].as_str();
    let label = capitalized(reference.or_else(member)?);
    is_plain_object(schema).then(|| (label, schema.clone()))
}

/// Names the variants of externally tagged enums, serde's default: `{ "Circle": { .. } }`.
fn name_external_variants(name: &str, schemas: &mut Map<String, Value>) {
    let parts = schemas.get_mut(name).and_then(|schema| schema.get_mut("oneOf"));
    let Some(Value::Array(mut parts)) = parts.map(Value::take) else { return };
    for part in &mut parts {
        let Some(variant) =
            only_member(part).map(|member| format!("{name}{}", capitalized(member)))
        else {
            continue;
        };
        let own = free_name(&variant, |name| schemas.contains_key(name));
        let reference = json!({ "$ref": format!("{PLACE}{own}") });
        schemas.insert(own, std::mem::replace(part, reference));
    }
    schemas[name]["oneOf"] = parts.into();
}

/// Returns the member of an object that requires and allows exactly one.
fn only_member(schema: &Value) -> Option<&str> {
    let mut members = schema["properties"].as_object()?.keys();
    let (Some(member), None) = (members.next(), members.next()) else { return None };
    let is_external =
        schema["required"] == json!([member]) && schema["additionalProperties"] == false;
    is_external.then_some(&**member)
}

/// An enum whose variants are distinguished by the value of one member.
struct Union {
    tag: String,
    /// The schema without its variants: members of the struct that the enum is flattened into.
    common: Map<String, Value>,
    variants: Vec<(String, Value)>,
}

impl Union {
    fn of(schema: &Value) -> Option<Self> {
        let parts = schema["oneOf"].as_array().filter(|parts| parts.len() > 1)?;
        let candidates = parts[0]["properties"].as_object()?.keys();
        let mut tags = candidates.filter_map(|tag| Some((tag.clone(), values(parts, tag)?)));
        let (tag, values) = tags.next()?;
        let mut common = schema.as_object()?.clone();
        common.remove("oneOf");
        common.keys().all(is_spread).then(|| Self {
            tag,
            common,
            variants: values.into_iter().zip(parts.iter().cloned()).collect(),
        })
    }

    /// Replaces the schema by a choice between named variants.
    fn put(self, name: &str, schemas: &mut Map<String, Value>) {
        let (mut choice, mut mapping) = (Vec::new(), Map::new());
        for (value, part) in &self.variants {
            let variant = self.variant(part, schemas);
            let own = free_name(&format!("{name}{}", capitalized(value)), |name| {
                schemas.contains_key(name)
            });
            let reference = format!("{PLACE}{own}");
            choice.push(json!({ "$ref": reference }));
            mapping.insert(value.clone(), reference.into());
            schemas.insert(own, variant);
        }
        let mut union = json!({
            "oneOf": choice,
            "discriminator": { "propertyName": self.tag, "mapping": mapping },
        });
        for key in ["description", "title", "examples"] {
            if let Some(value) = self.common.get(key) {
                union[key] = value.clone();
            }
        }
        schemas.insert(name.to_owned(), union);
    }

    /// Returns a variant with all its members in one schema: those of the struct that it holds (which the derive
    /// refers to), its own, and the common ones.
    fn variant(&self, part: &Value, schemas: &Map<String, Value>) -> Value {
        let mut own = part.clone();
        let held = own.as_object_mut().and_then(|own| own.remove("$ref"));
        let mut whole = match held.as_ref().and_then(Value::as_str) {
            None => std::mem::take(&mut own),
            Some(reference) => {
                let held = reference.strip_prefix(PLACE).and_then(|name| schemas.get(name));
                match held.filter(|held| is_plain_object(held)) {
                    Some(held) => held.clone(),
                    None => {
                        merge(&mut own, &Value::Object(self.common.clone()));
                        return json!({ "allOf": [{ "$ref": reference }, own] });
                    }
                }
            }
        };
        for (key, value) in own.as_object().into_iter().flatten() {
            // Keywords of the variant itself, such as `deprecated`.
            if !MERGED.contains(&&**key) {
                whole[key] = value.clone();
            }
        }
        merge(&mut whole, &own);
        merge(&mut whole, &Value::Object(self.common.clone()));
        whole
    }
}

/// Returns the value of `tag` in each part, if it is a tag: always required, a single text, different in each part.
fn values(parts: &[Value], tag: &str) -> Option<Vec<String>> {
    let mut values: Vec<String> = Vec::with_capacity(parts.len());
    for part in parts {
        let required = part["required"].as_array()?.iter().any(|name| name == tag);
        let [value] = part["properties"][tag]["enum"].as_array().map(Vec::as_slice)? else {
            return None;
        };
        let value = value.as_str().filter(|_| required)?.to_owned();
        if values.contains(&value) {
            return None;
        }
        values.push(value);
    }
    Some(values)
}

fn is_plain_object(schema: &Value) -> bool {
    schema["type"] == "object"
        && ["$ref", "allOf", "anyOf", "oneOf", "patternProperties"]
            .iter()
            .all(|key| schema.get(*key).is_none())
}

/// The keywords that [`merge`] combines.
const MERGED: [&str; 5] =
    ["description", "properties", "required", "additionalProperties", "unevaluatedProperties"];

/// Adds the members of the object `more` to those of the object `whole`.
pub(super) fn merge(whole: &mut Value, more: &Value) {
    if let Some(description) =
        more.get("description").filter(|_| whole.get("description").is_none())
    {
        whole["description"] = description.clone();
    }
    for (name, property) in more["properties"].as_object().into_iter().flatten() {
        whole["properties"][name] = property.clone();
    }
    let mut required = whole["required"].as_array().cloned().unwrap_or_default();
    for name in more["required"].as_array().into_iter().flatten() {
        if !required.contains(name) {
            required.push(name.clone());
        }
    }
    if !required.is_empty() {
        whole["required"] = required.into();
    }
    if let Some(closed) = more.get("additionalProperties") {
        whole["additionalProperties"] = closed.clone();
    }
    // All members are in one schema now, so that is the same as `additionalProperties`.
    if more.get("unevaluatedProperties") == Some(&Value::Bool(false)) {
        whole["additionalProperties"] = false.into();
    }
    if let Value::Object(whole) = whole {
        whole.remove("unevaluatedProperties");
    }
}
