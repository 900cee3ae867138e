//! Collects the schemas of types. Requests and responses may differ: a member with a default may be absent in a
//! request and is always present in a response. So each type has two schemas, and only where the two differ
//! the document has both, `Company` and `CompanyInput`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::names::{free_name, identifier};
use super::references::{SCHEMA_PREFIX, decoded, each_reference, references, used};
use crate::http::MakeSchema;

/// The prefix of references to schemas of requests, until it is known which of them differ.
const INPUT_PREFIX: &str = "#/components/inputs/";

/// The schemas of all types of a document.
pub(super) struct SchemaCollector {
    input: SchemaGenerator,
    output: SchemaGenerator,
}

impl SchemaCollector {
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
            input: generator(INPUT_PREFIX, settings().for_deserialize()),
            output: generator(SCHEMA_PREFIX, settings().for_serialize()),
        }
    }

    /// Returns the schema of a type in requests.
    pub fn input(&mut self, make: MakeSchema) -> Value {
        make(&mut self.input).to_value()
    }

    /// Returns the schema of a type in responses.
    pub fn output(&mut self, make: MakeSchema) -> Value {
        make(&mut self.output).to_value()
    }

    /// Returns the request schema behind a reference, or `schema` itself.
    pub fn resolved(&self, schema: &Value) -> Value {
        let mut resolved = schema;
        // Bounded, because a longer chain leads back to its start: `struct A(Box<A>)`.
        for _ in 0..16 {
            let name = resolved["$ref"].as_str().and_then(|path| path.strip_prefix(INPUT_PREFIX));
            match name.and_then(|name| self.input.definitions().get(&decoded(name))) {
                Some(definition) => resolved = definition,
                None => break,
            }
        }
        resolved.clone()
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
            for (place, names) in [(INPUT_PREFIX, &names.input), (SCHEMA_PREFIX, &names.output)] {
                let old = reference.strip_prefix(place).map(decoded);
                if let Some(name) = old.and_then(|old| names.get(&old)) {
                    *reference = format!("{SCHEMA_PREFIX}{name}");
                    return;
                }
            }
        };
        all.values_mut().for_each(|schema| each_reference(schema, &rename));
        each_reference(document, &rename);
        used(all, document)
    }
}

/// Returns the names whose two schemas differ, or refer to one that does.
fn different(
    input: &BTreeMap<String, Value>,
    output: &BTreeMap<String, Value>,
) -> BTreeSet<String> {
    let as_output = |schema: &Value| {
        let mut schema = schema.clone();
        each_reference(&mut schema, &|reference| {
            *reference = reference.replace(INPUT_PREFIX, SCHEMA_PREFIX);
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

/// The names of schemas in the document, by their names in schemars.
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
        // Compared without case, because generated clients have a file per type, and some file systems ignore case.
        let mut take = |name: &str| {
            let free = free_name(name, |name| taken.contains(&name.to_ascii_lowercase()));
            taken.insert(free.to_ascii_lowercase());
            free
        };
        // First those whose names are identifiers already, so that they keep them.
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
