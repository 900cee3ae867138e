//! Rewrites enums with data for generators of clients: a named schema for each variant, and a discriminator for
//! tagged enums (`#[serde(tag = "kind")]`).

use serde_json::{Map, Value, json};

use super::names::{capitalized, free_name};
use super::references::{SCHEMA_PREFIX, remove_unused};

/// Turns each variant of the enums among the components into a component.
pub(super) fn name_variants(document: &mut Value) {
    let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut)
    else {
        return;
    };
    let names: Vec<String> = schemas.keys().cloned().collect();
    for name in names {
        if let Some(tagged) = schemas.get(&name).and_then(TaggedEnum::of) {
            tagged.replace(&name, schemas);
        } else if !expand_flattened(&name, schemas) {
            name_external_variants(&name, schemas);
        }
    }
    // Their members were merged into the variants, so that those alone referred to them.
    remove_unused(document);
}

/// Maximum number of variants written for one struct. Four enums of ten variants each, flattened into one
/// struct, would make ten thousand.
const MAX_VARIANTS: usize = 64;

/// Expands a struct with flattened enums to a union: its own members, which many generators ignore next to
/// alternatives, go into each alternative. Several enums are combined, each variant of one with each of the
/// others; an optional enum has one more variant, without members. Returns false if the schema is not such a
/// struct.
fn expand_flattened(name: &str, schemas: &mut Map<String, Value>) -> bool {
    let Some((common, choices)) = flattened_enums(&schemas[name], schemas) else { return false };
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
            merge_members(&mut both, part);
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
        merge_members(&mut variant, &Value::Object(common.clone()));
        let label = if label.is_empty() { "Base" } else { &label };
        let own = free_name(&format!("{name}{label}"), |name| schemas.contains_key(name));
        references.push(json!({ "$ref": format!("{SCHEMA_PREFIX}{own}") }));
        schemas.insert(own, variant);
    }
    let mut union = common;
    union.retain(|key, _| ["description", "title", "examples"].contains(&&**key));
    // `anyOf` with an optional enum, because the members of its variants are allowed as additional members
    // where it is absent: more than one alternative matches.
    let key = if is_exclusive { "oneOf" } else { "anyOf" };
    union.insert(key.into(), references.into());
    schemas.insert(name.to_owned(), union.into());
    true
}

/// A flattened enum.
struct FlattenedEnum {
    /// True if no value matches two variants.
    is_exclusive: bool,
    /// Name and members of each variant; both are empty for an absent enum.
    variants: Vec<(String, Value)>,
}

/// Returns a struct's own members, and the enums that are flattened into it.
fn flattened_enums(
    schema: &Value,
    schemas: &Map<String, Value>,
) -> Option<(Map<String, Value>, Vec<FlattenedEnum>)> {
    let mut common = schema.as_object()?.clone();
    let mut unions = Vec::new();
    for key in ["oneOf", "anyOf"] {
        unions.extend(common.remove(key).map(|parts| json!({ key: parts })));
    }
    let conditions = common.remove("allOf");
    unions.extend(conditions.iter().filter_map(Value::as_array).flatten().cloned());
    let is_struct = common.get("properties").is_some_and(Value::is_object)
        || common.get("type").is_some_and(|kind| kind == "object");
    if unions.is_empty() || !is_struct || !common.keys().all(can_be_merged) {
        return None;
    }
    let choices: Option<Vec<FlattenedEnum>> =
        unions.iter().map(|one| FlattenedEnum::of(one, schemas)).collect();
    Some((common, choices?))
}

impl FlattenedEnum {
    /// Reads the alternatives of `union`; `None` if it has other keywords.
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

/// Returns the alternatives of a schema without other keywords.
fn only_alternatives(schema: &Value) -> Option<(&'static str, &Vec<Value>)> {
    let key = ["oneOf", "anyOf"].into_iter().find(|key| schema.get(*key).is_some())?;
    let is_only = schema.as_object().is_some_and(|schema| schema.len() == 1);
    Some((key, schema[key].as_array().filter(|_| is_only)?))
}

/// Returns whether a keyword next to alternatives can be merged into each of them, or describes all of them.
fn can_be_merged(key: &String) -> bool {
    matches!(
        &**key,
        "type" | "properties" | "required" | "additionalProperties" | "unevaluatedProperties"
    ) || matches!(&**key, "description" | "title" | "examples")
}

/// Returns the members of an alternative: those of the schema that it refers to, and its own.
fn members_of(part: &Value, schemas: &Map<String, Value>) -> Option<Value> {
    let Some(reference) = part["$ref"].as_str() else {
        return is_plain_object(part).then(|| part.clone());
    };
    let mut whole = schemas.get(reference.strip_prefix(SCHEMA_PREFIX)?)?.clone();
    if !is_plain_object(&whole) {
        return None;
    }
    let mut own = part.clone();
    own.as_object_mut()?.remove("$ref");
    merge_members(&mut whole, &own);
    Some(whole)
}

/// Returns names for alternatives: the value of their tag, the schema that they refer to, or the first required
/// member.
fn labels(parts: &[&Value], members: &[Value]) -> Option<Vec<String>> {
    let candidates = members.first()?["properties"].as_object();
    let tagged = candidates.into_iter().flatten().find_map(|(tag, _)| values(members, tag));
    if let Some(values) = tagged.filter(|values| values.len() > 1) {
        return Some(values.iter().map(|value| capitalized(value)).collect());
    }
    let of = |(part, members): (&&Value, &Value)| {
        let reference = part["$ref"].as_str().and_then(|path| path.strip_prefix(SCHEMA_PREFIX));
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
        let reference = json!({ "$ref": format!("{SCHEMA_PREFIX}{own}") });
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

/// An enum whose variants are distinguished by the value of one member, the tag.
struct TaggedEnum {
    tag: String,
    /// The schema without its variants: members of the struct that the enum is flattened into.
    common: Map<String, Value>,
    variants: Vec<(String, Value)>,
}

impl TaggedEnum {
    fn of(schema: &Value) -> Option<Self> {
        let parts = schema["oneOf"].as_array().filter(|parts| parts.len() > 1)?;
        let candidates = parts[0]["properties"].as_object()?.keys();
        let mut tags = candidates.filter_map(|tag| Some((tag.clone(), values(parts, tag)?)));
        let (tag, values) = tags.next()?;
        let mut common = schema.as_object()?.clone();
        common.remove("oneOf");
        common.keys().all(can_be_merged).then(|| Self {
            tag,
            common,
            variants: values.into_iter().zip(parts.iter().cloned()).collect(),
        })
    }

    /// Replaces the schema by a choice between named variants.
    fn replace(self, name: &str, schemas: &mut Map<String, Value>) {
        let (mut choice, mut mapping) = (Vec::new(), Map::new());
        for (value, part) in &self.variants {
            let variant = self.variant(part, schemas);
            let own = free_name(&format!("{name}{}", capitalized(value)), |name| {
                schemas.contains_key(name)
            });
            let reference = format!("{SCHEMA_PREFIX}{own}");
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
        let inner = own.as_object_mut().and_then(|own| own.remove("$ref"));
        let mut whole = match inner.as_ref().and_then(Value::as_str) {
            None => std::mem::take(&mut own),
            Some(reference) => {
                let inner =
                    reference.strip_prefix(SCHEMA_PREFIX).and_then(|name| schemas.get(name));
                match inner.filter(|inner| is_plain_object(inner)) {
                    Some(inner) => inner.clone(),
                    None => {
                        merge_members(&mut own, &Value::Object(self.common.clone()));
                        let additional =
                            own.as_object_mut().and_then(|own| own.remove("additionalProperties"));
                        let mut whole = json!({ "allOf": [{ "$ref": reference }, own] });
                        // On the whole instead of `own`, because there it would apply to the members of the
                        // other part as well.
                        if let Some(additional) = additional {
                            whole["unevaluatedProperties"] = additional;
                        }
                        return whole;
                    }
                }
            }
        };
        for (key, value) in own.as_object().into_iter().flatten() {
            // Not merged, because they are keywords of the variant itself, such as `deprecated`.
            if !MERGED.contains(&&**key) {
                whole[key] = value.clone();
            }
        }
        merge_members(&mut whole, &own);
        merge_members(&mut whole, &Value::Object(self.common.clone()));
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

/// The keywords that [`merge_members`] combines.
const MERGED: [&str; 5] =
    ["description", "properties", "required", "additionalProperties", "unevaluatedProperties"];

/// Adds the members of the object `more` to those of the object `whole`.
pub(in crate::openapi) fn merge_members(whole: &mut Value, more: &Value) {
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
    // `additionalProperties` instead, because all members are in one schema now: what applied to members that no
    // part knows, such as those of a flattened map, applies to members that this schema does not know.
    if let Some(additional) =
        more.get("unevaluatedProperties").filter(|it| **it != Value::Bool(true))
    {
        whole["additionalProperties"] = additional.clone();
    }
    if let Value::Object(whole) = whole {
        whole.remove("unevaluatedProperties");
    }
}
