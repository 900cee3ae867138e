//! [`Loader`]: reads the layers of the settings: flag > code > environment > `.env` > file > default.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use super::config_file;
use super::dotenv_file::DotenvFile;
use super::exposed_env::{self, ExposedNames};
use super::kubernetes_variables::is_injected_port;
use super::layers::{CodeAlias, Config, Layers};
use super::origin::Origin;
use super::raw_value::RawValue;
use super::section::Section;
use super::setting_problem::{Problem, Problems};
use super::variable_filter::VariableFilter;
use super::variable_names::VariableNames;
use super::variable_value::value_of_variable;

/// Collects the places where settings are written, then reads them. Created by [`Config::loader`].
///
/// The order of the calls matters only between two of the same kind: the later file, `.env` file, code
/// or flag wins.
#[derive(Default)]
pub struct Loader {
    prefix: String,
    other_prefixes: Vec<String>,
    app: String,
    aliases: Vec<CodeAlias>,
    files: Vec<PathBuf>,
    env_files: Vec<PathBuf>,
    environment: Vec<(OsString, OsString)>,
    code: BTreeMap<String, RawValue>,
    defaults: BTreeMap<String, RawValue>,
    flags: BTreeMap<String, RawValue>,
    exposed: Vec<ExposedNames>,
}

impl Config {
    /// Starts to load settings whose environment variables begin with `env_prefix` and `_`.
    #[must_use]
    pub fn loader(env_prefix: &str) -> Loader {
        Loader::new(env_prefix)
    }
}

impl Loader {
    fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), ..Self::default() }
    }

    /// Adds a prefix that variables may have, too, such as that of an older service. The first prefix
    /// outranks it.
    #[must_use]
    pub fn also_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.other_prefixes.push(prefix.into());
        self
    }

    /// Sets the app's name, for aliases that contain it.
    #[must_use]
    pub fn app(mut self, name: impl Into<String>) -> Self {
        self.app = name.into();
        self
    }

    /// Adds a variable for the setting `key`, and the place in the code that adds it. The name may contain
    /// `{prefix}` and `{app}`. It comes after the aliases that the setting has by itself: see
    /// [`SettingOptions::aliases`](super::SettingOptions::aliases).
    #[must_use]
    pub fn alias(
        mut self,
        variable: impl Into<String>,
        key: impl Into<String>,
        origin: impl Into<String>,
    ) -> Self {
        let (variable, key) = (variable.into(), key.into());
        self.aliases.push(CodeAlias { variable, key, origin: Origin::Code(origin.into()) });
        self
    }

    /// Adds a configuration file, in TOML, YAML or JSON by its extension. It must exist.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.push(path.into());
        self
    }

    /// Adds a `.env` file, which need not exist. No variable of the process is set from it.
    #[must_use]
    pub fn env_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.env_files.push(path.into());
        self
    }

    /// Adds the environment, for example `std::env::vars_os()`. The variables of known settings, those
    /// that begin with the prefix, those that a section uses and those of
    /// [`App::expose_env`](crate::App::expose_env) are remembered, and no others. The later of two with
    /// the same name wins.
    #[must_use]
    pub fn env<K: Into<OsString>, V: Into<OsString>>(
        mut self,
        vars: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let vars = vars.into_iter().map(|(name, value)| (name.into(), value.into()));
        self.environment.extend(vars);
        self
    }

    /// Exposes variables that are no settings through [`Config::exposed_env`]. `names` is called after the
    /// settings have been read, because they may list the names.
    #[must_use]
    pub(crate) fn expose_env(mut self, names: ExposedNames) -> Self {
        self.exposed.push(names);
        self
    }

    /// Adds a value that the service's code sets, and its place, such as "App::port at src/main.rs:4".
    #[must_use]
    pub fn code(
        mut self,
        key: impl Into<String>,
        value: impl Into<Value>,
        origin: impl Into<String>,
    ) -> Self {
        let raw = RawValue { value: value.into(), origin: Origin::Code(origin.into()) };
        self.code.insert(key.into(), raw);
        self
    }

    /// Adds a default of the service's own, and its place. All other layers outrank it.
    #[must_use]
    pub fn default_to(
        mut self,
        key: impl Into<String>,
        value: impl Into<Value>,
        origin: impl Into<String>,
    ) -> Self {
        let raw = RawValue { value: value.into(), origin: Origin::ServiceDefault(origin.into()) };
        self.defaults.insert(key.into(), raw);
        self
    }

    /// Adds a value of the command line, and its flag, such as `--port`.
    #[must_use]
    pub fn flag(
        mut self,
        key: impl Into<String>,
        value: impl Into<Value>,
        flag: impl Into<String>,
    ) -> Self {
        let raw = RawValue { value: value.into(), origin: Origin::Flag(flag.into()) };
        self.flags.insert(key.into(), raw);
        self
    }

    /// Reads all layers. Problems are: a file that is absent, unreadable, in an unknown format or with a
    /// syntax error, a duplicate key, a line of `.env` that does not parse, a variable of a `known` setting
    /// that is not Unicode. The values themselves are not parsed yet: see [`Config::check`].
    #[must_use]
    pub fn load(self, known: &[&Section]) -> (Config, Problems) {
        let mut problems = Problems::new();
        let files = self.files.iter().map(|path| config_file::read(path, &mut problems)).collect();
        let config = Config(Arc::new(Layers {
            prefix: self.prefix,
            other_prefixes: self.other_prefixes,
            app: self.app,
            aliases: self.aliases,
            flags: self.flags,
            code: self.code,
            defaults: self.defaults,
            files,
            ..Layers::default()
        }));
        let names = config.variable_names(known);
        let filter = VariableFilter::new(config.prefix(), &names, known);
        let mut dotenv = HashMap::new();
        // The whole environment, because `${NAME}` in `.env` may refer to any variable.
        let all = self.environment.iter();
        let all = all.filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?))).collect();
        let read = |path| DotenvFile::read(path, &all, &mut problems);
        let files: Vec<DotenvFile> = self.env_files.iter().map(|it| &**it).map(read).collect();
        for file in &files {
            select_dotenv(file, &filter, &mut dotenv, &mut problems);
        }
        let (environment, garbled) = select_environment(&self.environment, &filter);
        problems.extend(not_unicode(&names, &garbled));
        let Config(layers) = config;
        let mut layers = Arc::into_inner(layers).expect("it was created above and not cloned");
        (layers.environment, layers.dotenv) = (environment, dotenv);
        layers.resolve(&names);
        let config = Config(Arc::new(layers));
        let names = self.exposed.iter().flat_map(|names| names(&config)).collect();
        let exposed = exposed_env::select(&names, &self.environment, &files);
        config.0.exposed.set(exposed).expect("it is set here alone");
        (config, problems)
    }
}

impl Layers {
    /// Finds the value of each setting in the environment and `.env`.
    fn resolve(&mut self, names: &[VariableNames]) {
        for names in names {
            // Skipped, because a secret's file that is not needed need not exist.
            if self.flags.contains_key(&names.key) || self.code.contains_key(&names.key) {
                continue;
            }
            let layers = [&self.environment, &self.dotenv];
            let found = layers.into_iter().find_map(|layer| {
                names
                    .variables
                    .iter()
                    .find_map(|variable| value_of_variable(layer, names, variable))
            });
            match found {
                Some(Ok(raw)) => self.variables.insert(names.key.clone(), raw).is_some(),
                Some(Err(why)) => self.rejected.insert(names.key.clone(), *why).is_some(),
                None => false,
            };
        }
    }
}

/// Adds the variables of a `.env` file that the filter includes. A variable that is in the file twice is a
/// problem.
fn select_dotenv(
    file: &DotenvFile<'_>,
    filter: &VariableFilter<'_>,
    selected: &mut HashMap<String, RawValue>,
    problems: &mut Problems,
) {
    let mut lines: HashMap<&str, usize> = HashMap::new();
    for line in file.lines.iter().filter(|line| filter.includes(&line.variable)) {
        let origin = file.origin(line);
        if let Some(before) = lines.insert(&line.variable, line.line) {
            let why = format!("written twice: at {}:{before} too", file.path.display());
            let problem = Problem::new(line.variable.clone(), why, "remove one");
            problems.push(problem.at(origin.clone()));
        }
        let value = Value::from(line.value.as_str());
        selected.insert(line.variable.clone(), RawValue { value, origin });
    }
}

/// Returns the variables that the filter includes, and the names of those that are not Unicode.
fn select_environment(
    vars: &[(OsString, OsString)],
    filter: &VariableFilter<'_>,
) -> (HashMap<String, RawValue>, Vec<String>) {
    let (mut selected, mut garbled) = (HashMap::new(), Vec::new());
    for (name, value) in vars {
        let Some(variable) = name.to_str().filter(|name| filter.includes(name)) else { continue };
        match value.to_str() {
            // Skipped, because the address of a service that Kubernetes adds may have the name of a setting.
            Some(value) if is_injected_port(variable, value) && !filter.is_used(variable) => {}
            Some(value) => {
                let origin = Origin::Environment { variable: variable.to_owned() };
                selected
                    .insert(variable.to_owned(), RawValue { value: Value::from(value), origin });
            }
            None => garbled.push(variable.to_owned()),
        }
    }
    (selected, garbled)
}

/// Returns the problems of settings whose variables are not Unicode.
fn not_unicode(names: &[VariableNames], garbled: &[String]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for variable in garbled {
        let Some(names) = names.iter().find(|names| names.all().any(|name| name == *variable))
        else {
            continue;
        };
        let origin = Origin::Environment { variable: variable.clone() };
        let problem =
            Problem::new(&names.key, "the value is not Unicode text", "write it in UTF-8");
        problems.push(problem.at(origin));
    }
    problems
}
