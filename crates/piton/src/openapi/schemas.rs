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
        let mut meant = schema;
        // A chain that is longer leads back to where it began: `struct A(Box<A>)`.
        for _ in 0..16 {
            let name = meant["$ref"].as_str().and_then(|path| path.strip_prefix(INPUT_PLACE));
            match name.and_then(|name| self.input.definitions().get(&decoded(name))) {
                Some(definition) => meant = definition,
                None => break,
            }
        }
        meant.clone()
    }

    /// Returns all schemas that `document` refers to, and corrects its references. No schema gets one of the
    /// `reserved` names.
    pub fn finish(mut self, document: &mut Value, reserved: &[&str]) -> Map<String, Value> {
        let output: BTreeMap<String, Value> =
            self.output.take_definitions(true).into_iter().collect();
        let input: BTreeMap<String, Value> =
            self.input.take_definitions(true).into_iter().collect();
        let different = different(&input, &output);
        let names = SchemaNames::new(&input, &output, &different, reserved);
        let mut all = BTreeMap::new();
        for (places, schemas) in [(&names.output, output), (&names.input, input)] {
            for (name, schema) in schemas {
                all.insert(places[&name].clone(), schema);
            }
        }
        let rename = |reference: &mut String| {
            for (place, names) in [(INPUT_PLACE, &names.input), (PLACE, &names.output)] {
                let old = reference.strip_prefix(place).map(decoded);
                if let Some(name) = old.and_then(|old| names.get(&old)) {
                    *reference = format!("{PLACE}{name}");
                    return;
                }
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
                .any(|to| to.rsplit('/').next().is_some_and(|name| found.contains(&decoded(name))));
            if leads_there {
                found.insert(name.clone());
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

/// The names of the schemas in the document, by their names in schemars.
struct SchemaNames {
    input: BTreeMap<String, String>,
    output: BTreeMap<String, String>,
}

impl SchemaNames {
    fn new(
        input: &BTreeMap<String, Value>,
        output: &BTreeMap<String, Value>,
        different: &BTreeSet<String>,
        reserved: &[&str],
    ) -> Self {
        let mut taken: BTreeSet<String> = reserved.iter().map(ToString::to_string).collect();
        // Generated clients have a file per type, and some file systems ignore the case of names.
        let mut take = |name: &str| {
            let free = free_name(name, |name| taken.contains(&name.to_ascii_lowercase()));
            taken.insert(free.to_ascii_lowercase());
            free
        };
        // Types whose names are identifiers already keep them, so they come first.
        let mut outputs: Vec<&String> = output.keys().collect();
        outputs.sort_by_key(|name| identifier(name) != ***name);
        let output: BTreeMap<String, String> =
            outputs.into_iter().map(|name| (name.clone(), take(&identifier(name)))).collect();
        let mut of_input = |name: &String| match output.get(name) {
            Some(same) if !different.contains(name) => same.clone(),
            Some(_) => take(&format!("{}Input", identifier(name))),
            None => take(&identifier(name)),
        };
        let input = input.keys().map(|name| (name.clone(), of_input(name))).collect();
        Self { input, output }
    }
}

/// Returns `name`, with a number after it if it is taken.
pub(super) fn free_name(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let mut free = name.to_owned();
    let mut number = 2;
    while is_taken(&free) {
        free = format!("{name}{number}");
        number += 1;
    }
    free
}

/// Returns a name that is an identifier in every language: `PageForCompany` for `Page_for_Company`, which is the
/// derive's name of `Page<Company>`.
fn identifier(name: &str) -> String {
    let is_plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric());
    let name = if is_plain { name.to_owned() } else { capitalized(name) };
    match name.chars().next() {
        None => "Schema".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("Schema{name}"),
        Some(_) => name,
    }
}

/// Joins the words of `text`, each with a capital letter, without characters that are not ASCII.
pub(super) fn capitalized(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric());
    let capitalized = words.filter_map(|word| {
        let word: String = word.chars().filter(char::is_ascii).collect();
        let first = word.chars().next()?;
        Some(format!("{}{}", first.to_ascii_uppercase(), &word[1..]))
    });
    capitalized.collect()
}

/// Decodes a name in a reference, where schemars encodes characters that URIs do not allow.
fn decoded(name: &str) -> String {
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

/// Removes the schemas that nothing in the document leads to.
pub(super) fn forget_unused(document: &mut Value) {
    let Some(Value::Object(all)) = document.pointer_mut("/components/schemas").map(Value::take)
    else {
        return;
    };
    let used = used(all.into_iter().collect(), document);
    document["components"]["schemas"] = used.into();
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
