//! Security requirements of operations, and the security schemes that modules describe.

use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::handle::Handle;
use crate::http::{Operation, SecuritySchemes};

/// The security schemes that operations use, collected while the document is built.
pub(super) struct SecuritySchemeCollector<'a> {
    config: &'a Config,
    running: Option<&'a Handle>,
    used: Map<String, Value>,
}

impl<'a> SecuritySchemeCollector<'a> {
    pub fn new(config: &'a Config, running: Option<&'a Handle>) -> Self {
        Self { config, running, used: Map::new() }
    }

    /// Returns the requirements of an operation; each entry suffices.
    pub fn requirements_of(&mut self, operation: &Operation) -> Value {
        let mut requirements: Vec<Map<String, Value>> = vec![Map::new()];
        for scheme in operation.security_schemes() {
            requirements =
                product(&requirements, &self.ways(scheme), self.allows_anonymous(scheme));
        }
        for scheme in operation.optional_security_schemes() {
            requirements = product(&requirements, &self.ways(scheme), true);
        }
        let nothing = requirements.len() == 1 && requirements[0].is_empty();
        if nothing { json!([]) } else { json!(requirements) }
    }

    /// Returns `components.securitySchemes`.
    pub fn finish(self) -> Map<String, Value> {
        self.used
    }

    /// Returns whether the running app allows anonymous callers.
    fn allows_anonymous(&self, scheme: &str) -> bool {
        let known = known(scheme);
        known.zip(self.running).is_some_and(|(known, app)| (known.open)(app))
    }

    fn ways(&mut self, scheme: &str) -> Vec<String> {
        let ways = match known(scheme) {
            Some(known) => (known.ways)(self.config),
            None => Vec::new(),
        };
        let mut names: Vec<String> = ways.iter().map(|(name, _)| (*name).to_owned()).collect();
        self.used.extend(ways.into_iter().map(|(name, way)| (name.to_owned(), way)));
        if names.is_empty() {
            // An HTTP scheme of that name, because a guard of the service's own gives no more than a name.
            let way = json!({ "type": "http", "scheme": scheme });
            self.used.insert(scheme.to_owned(), way);
            names.push(scheme.to_owned());
        }
        names
    }
}

fn known(scheme: &str) -> Option<&'static SecuritySchemes> {
    inventory::iter::<SecuritySchemes>().find(|known| known.scheme == scheme)
}

/// Combines each requirement with each scheme; if `optional`, the requirements also suffice without.
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
