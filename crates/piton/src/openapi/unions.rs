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

/// Maximum number of variants written out for one struct. Four enums of ten variants each, flattened into
/// one struct, would make ten thousand.
const MAX_VARIANTS: usize = 64;

/// Writes out a struct with enums flattened into it: its own members, which many do not read beside
/// alternatives, go into each of them. Of several enums each variant of one is written with each of the
/// others; an enum that may be missing has one variant more, without its members. Returns false if the
/// schema is no such struct.
fn spread(name: &str, schemas: &mut Map<String, Value>) -> bool {
    let Some((common, choices)) = flattened(&schemas[name], schemas) else { return false };
    let is_exclusive = choices.iter().all(|choice| choice.is_exclusive);
    let count = choices.iter().try_fold(1_usize, |all, one| all.checked_mul(one.variants.len()));
    if count.is_none_or(|count| count > MAX_VARIANTS) {
        return false;
    }
    let mut variants = vec![(String::new(), json!({}))];
    for choice in &choices {
        let with = |(label, whole): &(String, Value), (more, part): &(String, Value)| {
            let mut both = whole.clone();
            let parts = part.as_object().into_iter().flatten();
            parts.filter(|(key, _)| !MERGED.contains(&&***key)).for_each(|(key, value)| {
                both[key] = value.clone();
            });
            merge(&mut both, part);
            (format!("{label}{more}"), both)
        };
        variants = variants
            .iter()
            .flat_map(|one| choice.variants.iter().map(move |part| with(one, part)))
            .collect();
    }
    let mut references = Vec::with_capacity(variants.len());
    for (label, mut variant) in variants {
        variant["type"] = "object".into();
        merge(&mut variant, &Value::Object(common.clone()));
        let label = if label.is_empty() { "Base" } else { &label };
        let own = free_name(&format!("{name}{label}"), |name| schemas.contains_key(name));
        references.push(json!({ "$ref": format!("{PLACE}{own}") }));
        schemas.insert(own, variant);
    }
    let mut union = common;
    union.retain(|key, _| ["description", "title", "examples"].contains(&&**key));
    // Without an enum that may be missing the others' members are further members, which are allowed: more
    // than one alternative matches.
    let key = if is_exclusive { "oneOf" } else { "anyOf" };
    union.insert(key.into(), references.into());
    schemas.insert(name.to_owned(), union.into());
    true
}

/// One flattened enum.
struct Choice {
    /// Whether no value is of two variants.
    is_exclusive: bool,
    /// What to call each variant, and its members; no name and no members where the enum is missing.
    variants: Vec<(String, Value)>,
}

/// The own members of a struct, and the enums that are flattened into it.
fn flattened(
    schema: &Value,
    schemas: &Map<String, Value>,
) -> Option<(Map<String, Value>, Vec<Choice>)> {
    let mut common = schema.as_object()?.clone();
    let mut unions = Vec::new();
    for key in ["oneOf", "anyOf"] {
        unions.extend(common.remove(key).map(|parts| json!({ key: parts })));
    }
    let conditions = common.remove("allOf");
    unions.extend(conditions.iter().filter_map(Value::as_array).flatten().cloned());
    let is_struct = common.get("properties").is_some_and(Value::is_object)
        || common.get("type").is_some_and(|kind| kind == "object");
    if unions.is_empty() || !is_struct || !common.keys().all(is_spread) {
        return None;
    }
    let choices: Option<Vec<Choice>> = unions.iter().map(|one| Choice::of(one, schemas)).collect();
    Some((common, choices?))
}

impl Choice {
    /// The alternatives of `union`, which says nothing else.
    fn of(union: &Value, schemas: &Map<String, Value>) -> Option<Self> {
        let (key, parts) = only_alternatives(union)?;
        let mut is_exclusive = key == "oneOf";
        let mut flat: Vec<&Value> = Vec::with_capacity(parts.len());
        for part in parts {
            match only_alternatives(part) {
                Some((_, inner)) => flat.extend(inner),
                None => flat.push(part),
            }
        }
        let is_missing = |part: &&&Value| part.as_object().is_some_and(Map::is_empty);
        let empty = flat.iter().filter(is_missing).count();
        is_exclusive &= empty == 0;
        flat.retain(|part| !is_missing(&part));
        let members = flat.iter().map(|part| members_of(part, schemas));
        let members = members.collect::<Option<Vec<Value>>>()?;
        let mut variants: Vec<(String, Value)> =
            labels(&flat, &members)?.into_iter().zip(members).collect();
        if empty > 0 {
            variants.push((String::new(), json!({})));
        }
        Some(Self { is_exclusive, variants })
    }
}

/// The alternatives of a schema that says nothing else.
fn only_alternatives(schema: &Value) -> Option<(&'static str, &Vec<Value>)> {
    let key = ["oneOf", "anyOf"].into_iter().find(|key| schema.get(*key).is_some())?;
    let is_only = schema.as_object().is_some_and(|schema| schema.len() == 1);
    Some((key, schema[key].as_array().filter(|_| is_only)?))
}

/// Returns whether a keyword beside alternatives can go into each of them, or is said of all of them.
fn is_spread(key: &String) -> bool {
    matches!(
        &**key,
        "type" | "properties" | "required" | "additionalProperties" | "unevaluatedProperties"
    ) || matches!(&**key, "description" | "title" | "examples")
}

/// The members of an alternative: those of the schema that it refers to, and its own.
fn members_of(part: &Value, schemas: &Map<String, Value>) -> Option<Value> {
    let Some(reference) = part["$ref"].as_str() else {
        return is_plain_object(part).then(|| part.clone());
    };
    let mut whole = schemas.get(reference.strip_prefix(PLACE)?)?.clone();
    if !is_plain_object(&whole) {
        return None;
    }
    let mut own = part.clone();
    own.as_object_mut()?.remove("$ref");
    merge(&mut whole, &own);
    Some(whole)
}

/// What to call alternatives: as the value of their tag, as the schema that they refer to, or as the first
/// member that they must have.
fn labels(parts: &[&Value], members: &[Value]) -> Option<Vec<String>> {
    let candidates = members.first()?["properties"].as_object();
    let tagged = candidates.into_iter().flatten().find_map(|(tag, _)| values(members, tag));
    if let Some(values) = tagged.filter(|values| values.len() > 1) {
        return Some(values.iter().map(|value| capitalized(value)).collect());
    }
    let of = |(part, members): (&&Value, &Value)| {
        let reference = part["$ref"].as_str().and_then(|path| path.strip_prefix(PLACE));
        Some(capitalized(reference.or_else(|| members["required"][0].as_str())?))
    };
    parts.iter().zip(members).map(of).collect()
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
                        let further =
                            own.as_object_mut().and_then(|own| own.remove("additionalProperties"));
                        let mut whole = json!({ "allOf": [{ "$ref": reference }, own] });
                        // Beside `own` alone it would be said of the members of the other part, too.
                        if let Some(further) = further {
                            whole["unevaluatedProperties"] = further;
                        }
                        return whole;
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
    // All members stand in one schema now: what is said of the members that no part knows, such as those of
    // a flattened map, is said of those that it does not know.
    if let Some(further) = more.get("unevaluatedProperties").filter(|it| **it != Value::Bool(true))
    {
        whole["additionalProperties"] = further.clone();
    }
    if let Value::Object(whole) = whole {
        whole.remove("unevaluatedProperties");
    }
}
