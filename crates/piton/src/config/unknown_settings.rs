//! Checks of all settings together: invalid values, unknown keys and variables, two settings with the same
//! variable.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::kubernetes_variables::is_kubernetes;
use super::layers::Config;
use super::origin::Origin;
use super::section::Section;
use super::setting_problem::{Problem, Problems};
use super::similar_names::{suggest, suggest_key};
use super::variable_names::{VariableNames, variable};

impl Config {
    /// Returns all problems: invalid values of the sections in `read`, and keys in files, code and flags
    /// that no section in `known` has.
    #[must_use]
    pub fn check(&self, known: &[&Section], read: &[&Section]) -> Problems {
        let mut problems = Problems::new();
        for section in read {
            section.visit(&mut self.reader(section.name(), &mut problems));
        }
        let names = self.variable_names(known);
        let keys = KnownKeys::new(&names, self.prefix());
        let flags = self.0.flags.iter().chain(&self.0.code).chain(&self.0.defaults);
        let in_files = self
            .0
            .files
            .iter()
            .flat_map(|file| file.leaves.iter().map(|key| (key, &file.values[key])));
        for (key, raw) in flags.chain(in_files) {
            problems.extend(keys.refuse(key, &raw.value, &raw.origin));
        }
        for alias in self.0.aliases.iter().filter(|alias| !keys.set.contains(&*alias.key)) {
            let why = format!("the variable {} is an alias of an unknown setting", alias.variable);
            let problem = Problem::new(&alias.key, why, keys.propose(&alias.key));
            problems.push(problem.at(alias.origin.clone()));
        }
        problems
    }

    /// Returns settings that would be read from the same environment variable, and settings declared
    /// twice: a bug in the sections, independent of the values.
    #[must_use]
    pub fn collisions(&self, known: &[&Section]) -> Problems {
        let mut first: HashMap<String, String> = HashMap::new();
        let mut problems = Problems::new();
        for names in self.variable_names(known) {
            for variable in names.all() {
                let key = &names.key;
                let why = match first.get(&variable) {
                    Some(other) if other == key && variable == names.canonical() => {
                        "declared by two sections".to_owned()
                    }
                    // Skipped, because it was reported for the canonical variable, or is an alias written
                    // twice.
                    Some(other) if other == key => continue,
                    Some(other) => format!("`{other}` is read from the variable {variable} too"),
                    None => {
                        first.insert(variable, key.clone());
                        continue;
                    }
                };
                let fix = "rename one of the two in the code";
                problems.push(Problem::new(key, why, fix));
            }
        }
        problems
    }

    /// Returns warnings of the variables under the prefix that no section in `known` has. They are no
    /// problems, because Kubernetes adds variables of its own to every pod; those are left out.
    #[must_use]
    pub fn unknown_variables(&self, known: &[&Section]) -> Vec<String> {
        let prefix = self.prefix();
        if prefix.is_empty() {
            return Vec::new();
        }
        let layers = &*self.0;
        let known: Vec<String> =
            self.variable_names(known).iter().flat_map(VariableNames::all).collect();
        let names: HashSet<&str> = known.iter().map(String::as_str).collect();
        // Not unknown although no setting, because it names the configuration file (`app/load_settings.rs`).
        let file = variable(prefix, "config");
        let mut unknown: Vec<_> = layers
            .environment
            .iter()
            .chain(layers.dotenv.iter().filter(|(name, _)| !layers.environment.contains_key(*name)))
            .filter(|(name, raw)| {
                !names.contains(name.as_str())
                    && **name != file
                    && self.exposed_env(name).is_none()
                    && name.starts_with(prefix)
                    && !is_kubernetes(&name[prefix.len()..], &raw.value)
            })
            .collect();
        unknown.sort_by_key(|(name, _)| *name);
        let short = |name: &'_ str| name.len().min(prefix.len() + 1);
        unknown
            .into_iter()
            .map(|(name, raw)| {
                let place = match &raw.origin {
                    origin @ Origin::DotEnv { .. } => format!("`{name}` at {origin}"),
                    _ => format!("environment variable `{name}`"),
                };
                // Without the prefix, because it is the same in all and would make short names similar.
                let candidates =
                    known.iter().filter_map(|name| name.strip_prefix(prefix)?.strip_prefix('_'));
                match suggest(&name[short(name)..], candidates) {
                    Some(near) => format!("{place} is no setting: did you mean `{prefix}_{near}`?"),
                    None => format!("{place} is no setting"),
                }
            })
            .collect()
    }
}

/// The keys of all known settings.
struct KnownKeys<'a> {
    list: Vec<&'a str>,
    set: HashSet<&'a str>,
    names: &'a [VariableNames],
    prefix: &'a str,
}

impl<'a> KnownKeys<'a> {
    fn new(names: &'a [VariableNames], prefix: &'a str) -> Self {
        let list: Vec<&str> = names.iter().map(|names| names.key.as_str()).collect();
        Self { set: list.iter().copied().collect(), list, names, prefix }
    }

    /// Returns the setting that had this key before: a renamed setting keeps the variable of its former key
    /// as an alias.
    fn renamed(&self, key: &str) -> Option<&'a str> {
        let former = variable(self.prefix, key);
        let has_it = |names: &&VariableNames| names.variables.iter().any(|it| it.name == former);
        self.names.iter().find(has_it).map(|names| names.key.as_str())
    }

    fn refuse(&self, key: &str, value: &Value, origin: &Origin) -> Option<Problem> {
        if self.knows(key) {
            return None;
        }
        let mut within =
            self.list.iter().filter_map(|known| known.strip_prefix(key)?.strip_prefix('.'));
        let (why, fix) = match within.next() {
            // No problem, because an empty `[http]` sets nothing.
            Some(_) if value.as_object().is_some_and(serde_json::Map::is_empty) => return None,
            Some(name) => {
                let fix = format!("write a setting of it, such as `{key}.{name}`");
                ("a section, not a setting".to_owned(), fix)
            }
            None => ("unknown setting".to_owned(), self.propose(key)),
        };
        Some(Problem::new(key, why, fix).at(origin.clone()))
    }

    /// Returns whether the key is a setting, or an entry of a setting that is a table.
    fn knows(&self, key: &str) -> bool {
        let dots = key.match_indices('.').map(|(at, _)| &key[..at]);
        self.set.contains(key) || dots.into_iter().any(|table| self.set.contains(table))
    }

    fn propose(&self, key: &str) -> String {
        if let Some(renamed) = self.renamed(key) {
            return format!("it is called `{renamed}` now");
        }
        if let Some(near) = suggest_key(key, &self.list) {
            return format!("did you mean `{near}`?");
        }
        let section = key.rsplit_once('.').map_or("", |(section, _)| section);
        let names: Vec<&str> = self
            .list
            .iter()
            .filter_map(|known| known.strip_prefix(section)?.strip_prefix('.'))
            .filter(|_| !section.is_empty())
            .collect();
        if names.is_empty() {
            "remove it; the command `config` lists every setting".to_owned()
        } else {
            format!("remove it; `{section}` has {}", names.join(", "))
        }
    }
}
