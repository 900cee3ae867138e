//! Layered typed settings: every room has a typed section, every value knows where it was written.
//!
//! The layers, from the weakest to the strongest: the default in the code, a file (TOML, YAML or JSON),
//! `.env`, the environment, a value that the service's code gives, a flag. Nothing is guessed: a
//! value without its unit, a key that no section knows, a key written twice are refused, all at
//! once, each with its place and its correction.

pub(crate) mod address;
mod check;
mod choice;
mod doc;
mod dotenv;
mod environment;
mod example;
mod file;
mod kept;
pub(crate) mod list;
mod loader;
mod look_alikes;
pub(crate) mod mask;
mod names;
mod nearest;
mod problem;
pub(crate) mod redact;
mod requirement;
mod schema;
mod secret_patterns;
pub(crate) mod secrets;
mod section;
mod setting;
mod table;
#[cfg(test)]
mod tests;
mod units;
#[cfg(feature = "jwt")]
mod unread;
mod url_secrets;
pub(crate) mod value_file;
mod yaml;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, OnceLock};

pub use piton_macros::Settings;
pub use serde_json::Value;

pub use self::address::{AddressError, HostPort, HttpUrl};
#[doc(hidden)]
pub use self::choice::{choice_schema, list_choices, refuse_choice};
pub use self::environment::Environment;
pub use self::kept::Kept;
pub(crate) use self::kept::Names as KeptNames;
pub use self::loader::Loader;
pub(crate) use self::nearest::{nearest, nearest_key};
pub use self::problem::{Origin, Problem, Problems};
pub use self::requirement::Requirement;
#[cfg(feature = "panel")]
pub(crate) use self::secret_patterns::has_look;
pub use self::secret_patterns::{holds_secret, holds_token, names_secret};
pub use self::section::{Described, Reader, Section, SettingOptions, Settings};
pub(crate) use self::setting::json_array;
pub use self::setting::{Bounds, Setting};
pub use self::units::ByteSize;
pub use self::url_secrets::url_without_secrets;

use self::names::{Names, Spelling};

/// All layers of the settings, each value with its origin. Cheap to clone.
#[derive(Clone)]
pub struct Config(Arc<Layers>);

#[derive(Default)]
struct Layers {
    prefix: String,
    /// Prefixes that are read too, after the first.
    also: Vec<String>,
    app: String,
    aliases: Vec<CodeAlias>,
    flags: BTreeMap<String, Given>,
    code: BTreeMap<String, Given>,
    /// Defaults that the service's code gives in the place of the framework's.
    defaults: BTreeMap<String, Given>,
    /// What the environment and `.env` say of the known settings, by key.
    variables: HashMap<String, Given>,
    /// By key: why what the environment says of a setting cannot be taken.
    refused: HashMap<String, Problem>,
    /// By variable, as the next: those of known settings, those under the prefix, and those that say
    /// where services are.
    environment: HashMap<String, Given>,
    dotenv: HashMap<String, Given>,
    /// Variables that are no settings and were asked for all the same.
    kept: OnceLock<HashMap<String, Kept>>,
    /// The last is the strongest.
    files: Vec<file::File>,
}

/// A value that somebody wrote.
#[derive(Clone)]
struct Given {
    value: Value,
    origin: Origin,
}

/// An alias that the service's code gives to a setting.
struct CodeAlias {
    variable: String,
    key: String,
    origin: Origin,
}

impl Config {
    /// Begins to load settings whose environment variables begin with `env_prefix` and `_`.
    #[must_use]
    pub fn loader(env_prefix: &str) -> Loader {
        Loader::new(env_prefix)
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
        for section in once(known) {
            let reader = self.reader(section.name(), &mut problems);
            section.visit(&mut reader.describing(section.doc(), &mut described));
        }
        described
    }

    /// The settings as a list for people: value, origin, what it does and variables of each.
    #[must_use]
    pub fn list(described: &[Described]) -> String {
        list::list(described, list::Style::default())
    }

    /// A TOML file for an app of that name: every setting of the `known` sections with what it
    /// does, commented out at its default.
    #[must_use]
    pub fn example(&self, known: &[&Section]) -> String {
        example::toml(&self.0.app, &self.describe(known))
    }

    /// The JSON Schema of a file with the settings of the `known` sections.
    #[must_use]
    pub fn schema(&self, known: &[&Section]) -> Value {
        schema::schema(&self.0.app, &self.describe(known))
    }

    /// The variables of every setting, as [`Config::describe`] without the values.
    fn names(&self, known: &[&Section]) -> Vec<Names> {
        let (mut names, mut problems) = (Vec::new(), Problems::new());
        for section in once(known) {
            section.visit(&mut self.reader(section.name(), &mut problems).naming(&mut names));
        }
        names
    }

    /// The variables of one setting, with the aliases that its section and the code give it.
    fn names_of(&self, key: String, aliases: &[&'static str], from_file: bool) -> Names {
        let layers = &*self.0;
        let spelling = Spelling { prefix: &layers.prefix, also: &layers.also, app: &layers.app };
        let code: Vec<&str> = layers
            .aliases
            .iter()
            .filter(|alias| alias.key == key)
            .map(|alias| &*alias.variable)
            .collect();
        Names::new(spelling, key, aliases.iter().copied().chain(code), from_file)
    }

    /// The strongest value of a key.
    fn find(&self, key: &str) -> Option<&Given> {
        let layers = &*self.0;
        self.stronger_than_variables(key)
            .or_else(|| layers.variables.get(key))
            .or_else(|| self.find_variable(key))
            .or_else(|| layers.files.iter().rev().find_map(|file| file.values.get(key)))
            .or_else(|| layers.defaults.get(key))
    }

    /// The service's own default of a setting.
    fn own_default<T: Setting>(&self, key: &str) -> Option<T> {
        T::parse(&self.0.defaults.get(key)?.value).ok()
    }

    fn stronger_than_variables(&self, key: &str) -> Option<&Given> {
        self.0.flags.get(key).or_else(|| self.0.code.get(key))
    }

    /// For settings of sections that were not known when the layers were loaded.
    fn find_variable(&self, key: &str) -> Option<&Given> {
        let layers = &*self.0;
        if layers.environment.is_empty() && layers.dotenv.is_empty() {
            return None;
        }
        let variable = variable(&layers.prefix, key);
        layers.environment.get(&variable).or_else(|| layers.dotenv.get(&variable))
    }

    /// Why what the environment says of a setting cannot be taken.
    fn refused(&self, key: &str) -> Option<&Problem> {
        self.0.refused.get(key).filter(|_| self.stronger_than_variables(key).is_none())
    }
}

/// Each section once, however often it is listed.
fn once<'a>(known: &[&'a Section]) -> impl Iterator<Item = &'a Section> {
    let is_new = |(index, section): &(usize, &&Section)| {
        !known[..*index].iter().any(|before| before.is(section))
    };
    known.iter().enumerate().filter(is_new).map(|(_, section)| *section)
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
