//! How callers show who they are: the schemes that operations name, and the ways that rooms know.

use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::http::{Operation, SecurityWays};

/// The ways that operations use, gathered as they are met.
pub(super) struct Securities<'a> {
    config: &'a Config,
    used: Map<String, Value>,
}

impl<'a> Securities<'a> {
    pub fn new(config: &'a Config) -> Self {
        Self { config, used: Map::new() }
    }

    /// The requirements of an operation: each entry is enough.
    pub fn of(&mut self, operation: &Operation) -> Value {
        let mut enough: Vec<Map<String, Value>> = vec![Map::new()];
        for scheme in operation.securities() {
            enough = product(&enough, &self.ways(scheme), false);
        }
        for scheme in operation.optional_securities() {
            enough = product(&enough, &self.ways(scheme), true);
        }
        let nothing = enough.len() == 1 && enough[0].is_empty();
        if nothing { json!([]) } else { json!(enough) }
    }

    /// `components.securitySchemes`.
    pub fn finish(self) -> Map<String, Value> {
        self.used
    }

    fn ways(&mut self, scheme: &str) -> Vec<String> {
        let known = inventory::iter::<SecurityWays>().find(|known| known.scheme == scheme);
        let ways = match known {
            Some(known) => (known.ways)(self.config),
            None => Vec::new(),
        };
        let mut names: Vec<String> = ways.iter().map(|(name, _)| (*name).to_owned()).collect();
        self.used.extend(ways.into_iter().map(|(name, way)| (name.to_owned(), way)));
        if names.is_empty() {
            // A guard of the service's own that says no more than a name.
            let way = json!({ "type": "http", "scheme": scheme });
            self.used.insert(scheme.to_owned(), way);
            names.push(scheme.to_owned());
        }
        names
    }
}

fn product(
    before: &[Map<String, Value>],
    ways: &[String],
    optional: bool,
) -> Vec<Map<String, Value>> {
    let with = |requirement: &Map<String, Value>, way: &String| {
        let mut requirement = requirement.clone();
        requirement.insert(way.clone(), json!([]));
        requirement
    };
    let mut all = if optional { before.to_vec() } else { Vec::new() };
    for requirement in before {
        all.extend(ways.iter().map(|way| with(requirement, way)));
    }
    all
}
