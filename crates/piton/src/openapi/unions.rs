//! Enums with a tag (`#[serde(tag = "kind")]`) as generators of clients read them: a schema with a name for
//! each variant, and a discriminator that says which is which.

use serde_json::{Map, Value, json};

use super::schemas::{PLACE, capitalized, forget_unused, free_name};

/// Makes a component of each variant of the tagged enums among the components.
pub(super) fn name_variants(document: &mut Value) {
    let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut)
    else {
        return;
    };
    let names: Vec<String> = schemas.keys().cloned().collect();
    for name in names {
        if let Some(union) = schemas.get(&name).and_then(Union::of) {
            union.put(&name, schemas);
        }
    }
    // What only variants referred to stands in them now.
    forget_unused(document);
}

/// An enum of which each variant is told by the value of one member.
struct Union {
    tag: String,
    /// What the enum is beside its variants: members of the struct that it is flattened into.
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
        // Whatever else narrows the enum would have to be repeated in each variant.
        let is_plain = |key: &String| {
            ["type", "properties", "required", "additionalProperties", "unevaluatedProperties"]
                .contains(&&**key)
                || ["description", "title", "examples"].contains(&&**key)
        };
        common.keys().all(is_plain).then(|| Self {
            tag,
            common,
            variants: values.into_iter().zip(parts.iter().cloned()).collect(),
        })
    }

    /// Writes the variants, and the enum as the choice between them.
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

    /// The variant with all its members in one schema: those of the struct that it holds (which the derive
    /// refers to), its own, and those that all variants have.
    fn variant(&self, part: &Value, schemas: &Map<String, Value>) -> Value {
        let mut own = part.clone();
        let held = own.as_object_mut().and_then(|own| own.remove("$ref"));
        let mut whole = match held.as_ref().and_then(Value::as_str) {
            None => json!({ "type": "object" }),
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
        merge(&mut whole, &own);
        merge(&mut whole, &Value::Object(self.common.clone()));
        if self.common.get("unevaluatedProperties") == Some(&Value::Bool(false)) {
            whole["additionalProperties"] = false.into();
        }
        whole
    }
}

/// The values of the tag in each part, if it is one: always there, a single text, in no two the same.
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
}
