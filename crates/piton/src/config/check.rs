//! Checks of all settings together: wrong values, keys and variables that nobody reads, two
//! settings with one variable.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::names::Names;
use super::nearest::{nearest, nearest_key};
use super::problem::{Origin, Problem, Problems};
use super::{Config, Section, variable};

impl Config {
    /// Everything that is wrong: values of the sections that are `read`, and keys in files, code
    /// and flags that no `known` section has.
    #[must_use]
    pub fn check(&self, known: &[&Section], read: &[&Section]) -> Problems {
        let mut problems = Problems::new();
        for section in read {
            section.visit(&mut self.reader(section.name(), &mut problems));
        }
        let names = self.names(known);
        let keys = Keys::new(&names, self.prefix());
        let flags = self.0.flags.iter().chain(&self.0.code).chain(&self.0.defaults);
        let in_files = self
            .0
            .files
            .iter()
            .flat_map(|file| file.leaves.iter().map(|key| (key, &file.values[key])));
        for (key, given) in flags.chain(in_files) {
            problems.extend(keys.refuse(key, &given.value, &given.origin));
        }
        for alias in self.0.aliases.iter().filter(|alias| !keys.set.contains(&*alias.key)) {
            let why = format!("the variable {} is given to an unknown setting", alias.variable);
            let problem = Problem::new(&alias.key, why, keys.propose(&alias.key));
            problems.push(problem.at(alias.origin.clone()));
        }
        problems
    }

    /// Two settings that would be read from one environment variable, and settings declared twice:
    /// a bug in the sections, whatever the configuration.
    #[must_use]
    pub fn collisions(&self, known: &[&Section]) -> Problems {
        let mut first: HashMap<String, String> = HashMap::new();
        let mut problems = Problems::new();
        for names in self.names(known) {
            for variable in names.all() {
                let key = &names.key;
                let why = match first.get(&variable) {
                    Some(other) if other == key && variable == names.canonical() => {
                        "declared by two sections".to_owned()
                    }
                    // Said of the canonical variable already, or an alias written twice.
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

    /// Warnings of the variables under the prefix that no `known` section has. They are no
    /// problems: Kubernetes puts variables of its own into every pod, and those are not even
    /// mentioned.
    #[must_use]
    pub fn unknown_variables(&self, known: &[&Section]) -> Vec<String> {
        let prefix = self.prefix();
        if prefix.is_empty() {
            return Vec::new();
        }
        let layers = &*self.0;
        let known: Vec<String> = self.names(known).iter().flat_map(Names::all).collect();
        let names: HashSet<&str> = known.iter().map(String::as_str).collect();
        // It names the file of settings, see `named_file` of the app.
        let file = variable(prefix, "config");
        let mut unknown: Vec<_> = layers
            .environment
            .iter()
            .chain(layers.dotenv.iter().filter(|(name, _)| !layers.environment.contains_key(*name)))
            .filter(|(name, given)| {
                !names.contains(name.as_str())
                    && **name != file
                    && self.kept_variable(name).is_none()
                    && name.starts_with(prefix)
                    && !is_kubernetes(&name[prefix.len()..], &given.value)
            })
            .collect();
        unknown.sort_by_key(|(name, _)| *name);
        let short = |name: &'_ str| name.len().min(prefix.len() + 1);
        unknown
            .into_iter()
            .map(|(name, given)| {
                let place = match &given.origin {
                    origin @ Origin::DotEnv { .. } => format!("`{name}` at {origin}"),
                    _ => format!("environment variable `{name}`"),
                };
                // The prefix, which is always right, must not make names look alike.
                let candidates =
                    known.iter().filter_map(|name| name.strip_prefix(prefix)?.strip_prefix('_'));
                match nearest(&name[short(name)..], candidates) {
                    Some(near) => format!("{place} is no setting: did you mean `{prefix}_{near}`?"),
                    None => format!("{place} is no setting"),
                }
            })
            .collect()
    }
}

/// The keys that are known.
struct Keys<'a> {
    list: Vec<&'a str>,
    set: HashSet<&'a str>,
    names: &'a [Names],
    prefix: &'a str,
}

impl<'a> Keys<'a> {
    fn new(names: &'a [Names], prefix: &'a str) -> Self {
        let list: Vec<&str> = names.iter().map(|names| names.key.as_str()).collect();
        Self { set: list.iter().copied().collect(), list, names, prefix }
    }

    /// Returns the setting whose former name this is: a setting that gets another name keeps the
    /// variable of its former one as an alias.
    fn renamed(&self, key: &str) -> Option<&'a str> {
        let former = variable(self.prefix, key);
        let has_it = |names: &&Names| names.variables.iter().any(|it| it.name == former);
        self.names.iter().find(has_it).map(|names| names.key.as_str())
    }

    fn refuse(&self, key: &str, value: &Value, origin: &Origin) -> Option<Problem> {
        if self.knows(key) {
            return None;
        }
        let mut within =
            self.list.iter().filter_map(|known| known.strip_prefix(key)?.strip_prefix('.'));
        let (why, fix) = match within.next() {
            // `[http]` with nothing in it.
            Some(_) if value.as_object().is_some_and(serde_json::Map::is_empty) => return None,
            Some(name) => {
                let fix = format!("write a setting of it, such as `{key}.{name}`");
                ("a section, not a setting".to_owned(), fix)
            }
            None => ("unknown setting".to_owned(), self.propose(key)),
        };
        Some(Problem::new(key, why, fix).at(origin.clone()))
    }

    /// The key itself, or a setting that is a whole table and holds the key.
    fn knows(&self, key: &str) -> bool {
        let dots = key.match_indices('.').map(|(at, _)| &key[..at]);
        self.set.contains(key) || dots.into_iter().any(|table| self.set.contains(table))
    }

    fn propose(&self, key: &str) -> String {
        if let Some(renamed) = self.renamed(key) {
            return format!("it is called `{renamed}` now");
        }
        if let Some(near) = nearest_key(key, &self.list) {
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
            "remove it; the verb `config` lists every setting".to_owned()
        } else {
            format!("remove it; `{section}` has {}", names.join(", "))
        }
    }
}

/// What Kubernetes tells every pod of each service: `X_SERVICE_HOST`, `X_SERVICE_PORT`,
/// `X_SERVICE_PORT_NAME`, `X_PORT=tcp://..`, `X_PORT_80_TCP`, `X_PORT_80_TCP_ADDR`.
pub(super) fn is_kubernetes(name: &str, value: &Value) -> bool {
    let numbered = name.match_indices("_PORT_").any(|(at, found)| {
        let rest = name[at + found.len()..].trim_start_matches(|c: char| c.is_ascii_digit());
        ["_TCP", "_UDP", "_SCTP"].iter().any(|protocol| rest.starts_with(protocol))
    });
    let address = value
        .as_str()
        .is_some_and(|value| value.starts_with("tcp://") || value.starts_with("udp://"));
    numbered
        || address
        || name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
}
