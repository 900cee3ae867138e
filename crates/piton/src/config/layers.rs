//! [`Config`]: the layers of the settings, and the rule which of them wins.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, OnceLock};

use super::config_file::ConfigFile;
use super::origin::Origin;
use super::raw_value::{EnvValue, RawValue};
use super::setting::Setting;
use super::setting_problem::Problem;
use super::variable_names::{NameTemplate, VariableNames, variable};

/// All layers of the settings, each value with its origin. Cheap to clone.
#[derive(Clone)]
pub struct Config(pub(super) Arc<Layers>);

#[derive(Default)]
pub(super) struct Layers {
    pub prefix: String,
    /// Prefixes that variables may have, too; the first prefix outranks them.
    pub other_prefixes: Vec<String>,
    pub app: String,
    pub aliases: Vec<CodeAlias>,
    pub flags: BTreeMap<String, RawValue>,
    pub code: BTreeMap<String, RawValue>,
    /// Defaults that the service's code sets instead of the framework's.
    pub defaults: BTreeMap<String, RawValue>,
    /// The values of known settings that the environment and `.env` have, by key.
    pub variables: HashMap<String, RawValue>,
    /// The problems of known settings whose variables cannot be used, by key.
    pub rejected: HashMap<String, Problem>,
    /// The variables of known settings, those under the prefix, and those that a section uses, by name.
    pub environment: HashMap<String, RawValue>,
    /// The same variables of `.env`.
    pub dotenv: HashMap<String, RawValue>,
    /// Variables that are no settings and were asked for with `App::expose_env`.
    pub exposed: OnceLock<HashMap<String, EnvValue>>,
    /// The configuration files; the last is the strongest.
    pub files: Vec<ConfigFile>,
}

/// An alias that the service's code gives to a setting.
pub(super) struct CodeAlias {
    pub variable: String,
    pub key: String,
    pub origin: Origin,
}

impl Config {
    /// Returns the place where the value of a setting was written.
    #[must_use]
    pub fn origin(&self, key: &str) -> Origin {
        self.find(key).map_or(Origin::Default, |raw| raw.origin.clone())
    }

    /// Returns the prefix of environment variables, without the `_`.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// Returns all prefixes of environment variables, without the `_`: the prefix, then those of
    /// `also_prefix`.
    pub fn prefixes(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&*self.0.prefix).chain(self.0.other_prefixes.iter().map(String::as_str))
    }

    /// Returns a variable that is no setting, from the environment or else from `.env`. `None` if
    /// neither has it, or if it was not asked for with [`App::expose_env`](crate::App::expose_env).
    #[must_use]
    pub fn exposed_env(&self, name: &str) -> Option<&EnvValue> {
        self.0.exposed.get()?.get(name)
    }

    /// Returns a variable that a section uses without being a setting of it, from the environment or
    /// else from `.env`: see [`Settings::uses_variable`](super::Settings::uses_variable). Empty text
    /// counts as absent.
    #[must_use]
    pub fn used_variable(&self, name: &str) -> Option<(&str, &Origin)> {
        let layers = [&self.0.environment, &self.0.dotenv];
        layers.into_iter().find_map(|layer| {
            let raw = layer.get(name)?;
            let text = raw.value.as_str().filter(|text| !text.trim().is_empty())?;
            Some((text, &raw.origin))
        })
    }

    /// Returns the names of the variables that were read and that are no settings, in their order.
    #[must_use]
    pub fn other_variables(&self) -> BTreeSet<&str> {
        let of_settings = self.0.variables.values().filter_map(|raw| raw.origin.variable());
        let of_settings: BTreeSet<&str> = of_settings.collect();
        let names = self.0.environment.keys().chain(self.0.dotenv.keys()).map(String::as_str);
        names.filter(|name| !of_settings.contains(name)).collect()
    }

    /// Returns the variables of one setting, with the aliases of its section and of the code.
    pub(super) fn names_of(
        &self,
        key: String,
        aliases: &[&'static str],
        from_file: bool,
    ) -> VariableNames {
        let layers = &*self.0;
        let template = NameTemplate {
            prefix: &layers.prefix,
            other_prefixes: &layers.other_prefixes,
            app: &layers.app,
        };
        let code: Vec<&str> = layers
            .aliases
            .iter()
            .filter(|alias| alias.key == key)
            .map(|alias| &*alias.variable)
            .collect();
        VariableNames::new(template, key, aliases.iter().copied().chain(code), from_file)
    }

    /// Returns the strongest value of a key.
    pub(super) fn find(&self, key: &str) -> Option<&RawValue> {
        let layers = &*self.0;
        self.stronger_than_variables(key)
            .or_else(|| self.of_variables(key))
            .or_else(|| layers.files.iter().rev().find_map(|file| file.values.get(key)))
            .or_else(|| layers.defaults.get(key))
    }

    /// Returns the value of a key from the environment or `.env`.
    pub(super) fn of_variables(&self, key: &str) -> Option<&RawValue> {
        let layers = &*self.0;
        if let Some(raw) = layers.variables.get(key) {
            return Some(raw);
        }
        if layers.environment.is_empty() && layers.dotenv.is_empty() {
            return None;
        }
        // By name, because the section of the setting may not have been known when the layers were loaded.
        let variable = variable(&layers.prefix, key);
        layers.environment.get(&variable).or_else(|| layers.dotenv.get(&variable))
    }

    /// Returns the service's own default of a setting.
    pub(super) fn own_default<T: Setting>(&self, key: &str) -> Option<T> {
        T::parse(&self.0.defaults.get(key)?.value).ok()
    }

    /// Returns the problem of a setting whose variables cannot be used.
    pub(super) fn rejected(&self, key: &str) -> Option<&Problem> {
        self.0.rejected.get(key).filter(|_| self.stronger_than_variables(key).is_none())
    }

    fn stronger_than_variables(&self, key: &str) -> Option<&RawValue> {
        self.0.flags.get(key).or_else(|| self.0.code.get(key))
    }
}

/// Shows the prefix without the values, because some are secrets.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("prefix", &self.0.prefix).finish_non_exhaustive()
    }
}
