//! The schemas of types. What a type takes and what it gives are two things: a member with a default
//! may be left out of a request and is always in an answer. So each type is asked twice, and only
//! where the two differ has the document two schemas, `Company` and `CompanyInput`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::http::MakeSchema;

/// Where the document keeps schemas.
pub(super) const PLACE: &str = "#/components/schemas/";
/// Where those of what is taken are, until it is known which of them are different.
const INPUT_PLACE: &str = "#/components/inputs/";

pub(super) struct Schemas {
    input: SchemaGenerator,
    output: SchemaGenerator,
}

impl Schemas {
    pub fn new() -> Self {
        let generator = |place: &str, settings: SchemaSettings| {
            let path = place.trim_start_matches('#').trim_end_matches('/').to_owned();
            settings
                .with(|settings| {
                    settings.definitions_path = path.into();
                    settings.meta_schema = None;
                })
                .into_generator()
        };
        let settings = SchemaSettings::draft2020_12;
        Self {
            input: generator(INPUT_PLACE, settings().for_deserialize()),
            output: generator(PLACE, settings().for_serialize()),
        }
    }

    /// The schema of what is taken.
    pub fn input(&mut self, make: MakeSchema) -> Value {
        make(&mut self.input).to_value()
    }

    /// The schema of what is given.
    pub fn output(&mut self, make: MakeSchema) -> Value {
        make(&mut self.output).to_value()
    }

    /// What a reference among those taken refers to, or the schema itself.
    pub fn resolved(&self, schema: &Value) -> Value {
        let name = schema["$ref"].as_str().and_then(|path| path.strip_prefix(INPUT_PLACE));
        match name.and_then(|name| self.input.definitions().get(name)) {
            Some(definition) => self.resolved(definition),
            None => schema.clone(),
        }
    }

    /// All that `document` refers to, with its references set right.
    pub fn finish(mut self, document: &mut Value) -> Map<String, Value> {
        let output: BTreeMap<String, Value> =
            self.output.take_definitions(true).into_iter().collect();
        let input: BTreeMap<String, Value> =
            self.input.take_definitions(true).into_iter().collect();
        let different = different(&input, &output);
        let name = |name: &str| match different.contains(name) {
            true => free(&format!("{name}Input"), &input, &output),
            false => name.to_owned(),
        };
        let mut all = output.clone();
        for (key, schema) in &input {
            all.insert(name(key), schema.clone());
        }
        let rename = |reference: &mut String| {
            if let Some(old) = reference.strip_prefix(INPUT_PLACE) {
                *reference = format!("{PLACE}{}", name(old));
            }
        };
        all.values_mut().for_each(|schema| each_reference(schema, &rename));
        each_reference(document, &rename);
        used(all, document)
    }
}

/// The names whose two schemas differ, or lead to one that does.
fn different(
    input: &BTreeMap<String, Value>,
    output: &BTreeMap<String, Value>,
) -> BTreeSet<String> {
    let as_output = |schema: &Value| {
        let mut schema = schema.clone();
        each_reference(&mut schema, &|reference| {
            *reference = reference.replace(INPUT_PLACE, PLACE);
        });
        schema
    };
    let both = || input.iter().filter_map(|(name, schema)| Some((name, schema, output.get(name)?)));
    let mut found: BTreeSet<String> = both()
        .filter(|(_, input, output)| as_output(input) != **output)
        .map(|(name, ..)| name.clone())
        .collect();
    loop {
        let before = found.len();
        for (name, schema, _) in both() {
            let leads_there = references(schema)
                .iter()
                .any(|to| to.rsplit('/').next().is_some_and(|name| found.contains(name)));
            if leads_there {
                found.insert(name.clone());
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

/// A name that no other schema has.
fn free(name: &str, input: &BTreeMap<String, Value>, output: &BTreeMap<String, Value>) -> String {
    let taken = |name: &str| input.contains_key(name) || output.contains_key(name);
    let mut free = name.to_owned();
    while taken(&free) {
        free.push('_');
    }
    free
}

/// The schemas that the document leads to, however indirectly.
fn used(mut all: BTreeMap<String, Value>, document: &Value) -> Map<String, Value> {
    let mut waiting = references(document);
    let mut used = BTreeMap::new();
    while let Some(reference) = waiting.pop() {
        let Some(name) = reference.strip_prefix(PLACE) else { continue };
        if let Some(schema) = all.remove(name) {
            waiting.extend(references(&schema));
            used.insert(name.to_owned(), schema);
        }
    }
    used.into_iter().collect()
}

/// The references in `value`.
pub(super) fn references(value: &Value) -> Vec<String> {
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

fn each_reference(value: &mut Value, change: &impl Fn(&mut String)) {
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
