//! Layered typed settings: every room has a typed section, every value knows where it was written.
//!
//! The layers, from the weakest to the strongest: the default in the code, a file (TOML or JSON),
//! `.env`, the environment, a value that the service's code gives, a flag. Nothing is guessed: a
//! value without its unit, a key that no section knows, a key written twice are refused, all at
//! once, each with its place and its correction.

mod check;
mod choice;
mod dotenv;
mod file;
mod loader;
pub(crate) mod mask;
mod nearest;
mod problem;
pub(crate) mod redact;
pub(crate) mod secrets;
mod section;
mod setting;
mod table;
#[cfg(test)]
mod tests;
mod units;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

pub use piton_macros::Settings;
pub use serde_json::Value;

pub use self::check::collisions;
#[doc(hidden)]
pub use self::choice::{choice_schema, list_choices, refuse_choice};
pub use self::loader::Loader;
pub(crate) use self::nearest::nearest;
pub use self::problem::{Origin, Problem, Problems};
pub use self::section::{Described, Reader, Section, Settings};
pub use self::setting::Setting;
pub use self::units::ByteSize;

/// All layers of the settings, each value with its origin. Cheap to clone.
#[derive(Clone)]
pub struct Config(Arc<Layers>);

#[derive(Default)]
struct Layers {
    prefix: String,
    flags: BTreeMap<String, Given>,
    code: BTreeMap<String, Given>,
    /// By variable, as the next.
    environment: HashMap<String, Given>,
    dotenv: HashMap<String, Given>,
    /// The last is the strongest.
    files: Vec<file::File>,
}

/// A value that somebody wrote.
struct Given {
    value: Value,
    origin: Origin,
}

impl Config {
    /// Begins to load settings whose environment variables begin with `env_prefix` and `_`.
    #[must_use]
    pub fn loader(env_prefix: &str) -> Loader {
        Loader::new(env_prefix)
    }

    /// Nothing but defaults.
    fn empty(env_prefix: &str) -> Self {
        Self(Arc::new(Layers { prefix: env_prefix.to_owned(), ..Layers::default() }))
    }

    /// Reads a section. Wrong values become `problems`, and have their default in the result.
    pub fn read<S: Settings>(&self, section: &str, problems: &mut Problems) -> S {
        S::read(&mut self.reader(section, problems))
    }

    /// A reader of a section, for whoever knows the section's type.
    pub fn reader<'a>(&'a self, section: &'a str, problems: &'a mut Problems) -> Reader<'a> {
        Reader::new(self, section, problems)
    }

    /// Where the value of a setting was written.
    #[must_use]
    pub fn origin(&self, key: &str) -> Origin {
        self.find(key).map_or(Origin::Default, |given| given.origin.clone())
    }

    /// What environment variables begin with, without the `_`.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// Every setting of the `known` sections, in their order. A section that is listed twice
    /// counts once.
    #[must_use]
    pub fn describe(&self, known: &[&Section]) -> Vec<Described> {
        let (mut described, mut problems) = (Vec::new(), Problems::new());
        for (index, section) in known.iter().enumerate() {
            if known[..index].iter().any(|before| before.is(section)) {
                continue;
            }
            let reader = self.reader(section.name(), &mut problems);
            section.visit(&mut reader.describing(section.doc(), &mut described));
        }
        described
    }

    /// The settings as a table for people: value, origin and variable of each.
    #[must_use]
    pub fn table(described: &[Described]) -> String {
        table::table(described)
    }

    /// The strongest value of a key.
    fn find(&self, key: &str) -> Option<&Given> {
        let layers = &*self.0;
        layers
            .flags
            .get(key)
            .or_else(|| layers.code.get(key))
            .or_else(|| self.find_variable(key))
            .or_else(|| layers.files.iter().rev().find_map(|file| file.values.get(key)))
    }

    fn find_variable(&self, key: &str) -> Option<&Given> {
        let layers = &*self.0;
        if layers.environment.is_empty() && layers.dotenv.is_empty() {
            return None;
        }
        let variable = variable(&layers.prefix, key);
        layers.environment.get(&variable).or_else(|| layers.dotenv.get(&variable))
    }
}

/// Without the values: some are secrets.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("prefix", &self.0.prefix).finish_non_exhaustive()
    }
}

/// The environment variable of a setting: `PITON_HTTP_PORT` for `http.port`.
#[must_use]
pub fn variable(prefix: &str, key: &str) -> String {
    let mut variable = String::with_capacity(prefix.len() + 1 + key.len());
    variable.push_str(prefix);
    if !prefix.is_empty() {
        variable.push('_');
    }
    variable.extend(key.chars().map(|c| match c {
        '.' | '-' => '_',
        c => c.to_ascii_uppercase(),
    }));
    variable
}

/// The key of a setting in a section; "" is the top level.
fn join(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") }
}
