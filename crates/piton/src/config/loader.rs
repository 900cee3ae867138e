//! Brings the layers together: flag > code > environment > `.env` > file > default.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsString;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::names::{Names, Variable};
use super::problem::{Origin, Problem, Problems};
use super::table::is_of_service;
use super::{CodeAlias, Config, Given, Layers, Section, dotenv, file, kept, value_file};

/// Collects where settings are written, then reads it all. Made by [`Config::loader`].
///
/// The order of the calls decides only between two of a kind: the later file, `.env` file, code
/// or flag wins.
#[derive(Default)]
pub struct Loader {
    prefix: String,
    also: Vec<String>,
    app: String,
    aliases: Vec<CodeAlias>,
    files: Vec<PathBuf>,
    env_files: Vec<PathBuf>,
    environment: Vec<(OsString, OsString)>,
    code: BTreeMap<String, Given>,
    defaults: BTreeMap<String, Given>,
    flags: BTreeMap<String, Given>,
    keep: Vec<kept::Names>,
}

impl Loader {
    pub(crate) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), ..Self::default() }
    }

    /// A prefix that variables may have too, such as that of an older service. Those of the first
    /// outrank them.
    #[must_use]
    pub fn also_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.also.push(prefix.into());
        self
    }

    /// The app's name, for aliases that hold it.
    #[must_use]
    pub fn app(mut self, name: impl Into<String>) -> Self {
        self.app = name.into();
        self
    }

    /// A further variable for the setting `key`, and who says so. It may hold `{prefix}` and
    /// `{app}`, and comes after the aliases that the setting has by itself: see
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

    /// A configuration file, TOML, YAML or JSON by its extension. It must exist.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.push(path.into());
        self
    }

    /// A `.env` file; an absent one says nothing. No variable of the process is set from it.
    #[must_use]
    pub fn env_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.env_files.push(path.into());
        self
    }

    /// The environment, for example `std::env::vars_os()`. Only variables of known
    /// settings, those that begin with the prefix, those that say where services are and those that
    /// [`App::keep_variables`](crate::App::keep_variables) names are kept. Of two of a name the later
    /// counts.
    #[must_use]
    pub fn env<K: Into<OsString>, V: Into<OsString>>(
        mut self,
        vars: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let vars = vars.into_iter().map(|(name, value)| (name.into(), value.into()));
        self.environment.extend(vars);
        self
    }

    /// Keeps further variables, which are no settings, for [`Config::kept_variable`]. Which they are may
    /// stand in the settings themselves: `names` is asked when those have been read.
    #[must_use]
    pub(crate) fn keep(mut self, names: kept::Names) -> Self {
        self.keep.push(names);
        self
    }

    /// A value that the service's code gives, and who gave it, such as "App::port at src/main.rs:4".
    #[must_use]
    pub fn code(
        mut self,
        key: impl Into<String>,
        value: impl Into<Value>,
        origin: impl Into<String>,
    ) -> Self {
        let given = Given { value: value.into(), origin: Origin::Code(origin.into()) };
        self.code.insert(key.into(), given);
        self
    }

    /// A default of the service's own, and who gave it: everything else outranks it.
    #[must_use]
    pub fn default_to(
        mut self,
        key: impl Into<String>,
        value: impl Into<Value>,
        origin: impl Into<String>,
    ) -> Self {
        let given = Given { value: value.into(), origin: Origin::ServiceDefault(origin.into()) };
        self.defaults.insert(key.into(), given);
        self
    }

    /// A value from the command line, and its flag, such as `--port`.
    #[must_use]
    pub fn flag(
        mut self,
        key: impl Into<String>,
        value: impl Into<Value>,
        flag: impl Into<String>,
    ) -> Self {
        let given = Given { value: value.into(), origin: Origin::Flag(flag.into()) };
        self.flags.insert(key.into(), given);
        self
    }

    /// Reads everything. What cannot be read is a problem: a file that is absent, unreadable, of
    /// another format or with a syntax error, a key written twice, a line of `.env` that is not
    /// understood, a variable of a `known` setting that is not Unicode. The values themselves are
    /// not looked at yet: see [`Config::check`].
    #[must_use]
    pub fn load(self, known: &[&Section]) -> (Config, Problems) {
        let mut problems = Problems::new();
        let files = self.files.iter().map(|path| file::read(path, &mut problems)).collect();
        let config = Config(Arc::new(Layers {
            prefix: self.prefix,
            also: self.also,
            app: self.app,
            aliases: self.aliases,
            flags: self.flags,
            code: self.code,
            defaults: self.defaults,
            files,
            ..Layers::default()
        }));
        let names = config.names(known);
        let wanted = Wanted::new(config.prefix(), &names);
        let mut dotenv = HashMap::new();
        // `${NAME}` in `.env` may refer to any variable, so all of the environment is passed, not
        // just the variables kept here.
        let all = self.environment.iter();
        let all = all.filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?))).collect();
        let files: Vec<EnvFile> =
            self.env_files.iter().map(|path| EnvFile::read(path, &all, &mut problems)).collect();
        for file in &files {
            file.take(&wanted, &mut dotenv, &mut problems);
        }
        let (environment, garbled) = take_environment(&self.environment, &wanted);
        problems.extend(not_unicode(&names, &garbled));
        let Config(layers) = config;
        let mut layers = Arc::into_inner(layers).expect("nobody else has seen it yet");
        (layers.environment, layers.dotenv) = (environment, dotenv);
        layers.resolve(&names);
        let config = Config(Arc::new(layers));
        let names = self.keep.iter().flat_map(|names| names(&config)).collect();
        let kept = kept::take(&names, &self.environment, &files);
        config.0.kept.set(kept).expect("nobody else sets it");
        (config, problems)
    }
}

/// Which variables are kept. Of the others nothing is remembered.
struct Wanted {
    names: HashSet<String>,
    /// The prefix with its `_`; empty where there is none, and then only `names` count.
    start: String,
    /// Keeps the variables of [`FLASK_JWT`] if true.
    flask_jwt: bool,
}

/// The beginning of Flask-JWT-Extended's variables. Where some are settings, the others are kept too, so
/// that those which have no effect can be reported.
const FLASK_JWT: &str = "JWT_";

impl Wanted {
    fn new(prefix: &str, names: &[Names]) -> Self {
        let start = if prefix.is_empty() { String::new() } else { format!("{prefix}_") };
        let names: HashSet<String> = names.iter().flat_map(Names::all).collect();
        let flask_jwt = names.iter().any(|name| name.starts_with(FLASK_JWT));
        Self { names, start, flask_jwt }
    }

    fn keeps(&self, variable: &str) -> bool {
        let ours = !self.start.is_empty() && variable.starts_with(&self.start);
        let flask_s = self.flask_jwt && variable.starts_with(FLASK_JWT);
        ours || flask_s || self.names.contains(variable) || is_of_service(variable)
    }
}

impl Layers {
    /// Decides what the environment and `.env` say of each setting.
    fn resolve(&mut self, names: &[Names]) {
        for names in names {
            // A file that is not needed need not be there.
            if self.flags.contains_key(&names.key) || self.code.contains_key(&names.key) {
                continue;
            }
            let layers = [&self.environment, &self.dotenv];
            let found = layers.into_iter().find_map(|layer| {
                names.variables.iter().find_map(|variable| look(layer, names, variable))
            });
            match found {
                Some(Ok(given)) => self.variables.insert(names.key.clone(), given).is_some(),
                Some(Err(why)) => self.refused.insert(names.key.clone(), *why).is_some(),
                None => false,
            };
        }
    }
}

/// What one variable of a layer says, or the file that it names.
pub(super) fn look(
    layer: &HashMap<String, Given>,
    names: &Names,
    variable: &Variable,
) -> Option<Result<Given, Box<Problem>>> {
    let full = |given: &&Given| given.value.as_str() != Some("");
    let file = if names.from_file { layer.get(&variable.of_file()) } else { None };
    // An alias often arrives empty from a shell or a compose file that has no value for it.
    let value = layer.get(&variable.name).filter(|given| variable.canonical || full(given));
    match (value, file.filter(full)) {
        (Some(value), Some(file)) if full(&value) => {
            Some(Err(given_twice(names, value, file).into()))
        }
        (_, Some(file)) => Some(value_file::read(&names.key, &file.value, &file.origin)),
        (Some(value), None) => Some(Ok(value.clone())),
        (None, None) => None,
    }
}

fn given_twice(names: &Names, value: &Given, file: &Given) -> Problem {
    let name = |given: &Given| given.origin.variable().unwrap_or_default().to_owned();
    let (value, file_variable) = (name(value), name(file));
    let why = format!("{value} and {file_variable} are both given");
    Problem::new(&names.key, why, format!("remove {value} or {file_variable}"))
        .at(file.origin.clone())
}

/// A `.env` file, parsed.
pub(super) struct EnvFile<'a> {
    pub path: &'a Path,
    pub lines: Vec<dotenv::Line>,
}

impl<'a> EnvFile<'a> {
    fn read(path: &'a Path, environment: &HashMap<&str, &str>, problems: &mut Problems) -> Self {
        let text = match text_of(path) {
            Ok(text) => text,
            Err(problem) => {
                problems.push(*problem);
                String::new()
            }
        };
        let (lines, malformed) = dotenv::parse(&text, environment);
        for dotenv::Malformed { line, why } in malformed {
            let fix = "write `NAME=value`, or `# comment`";
            problems.push(Problem::in_file(path, Some(line), why, fix));
        }
        Self { path, lines }
    }

    pub fn origin(&self, line: &dotenv::Line) -> Origin {
        Origin::DotEnv {
            path: self.path.to_owned(),
            line: line.line,
            variable: line.variable.clone(),
        }
    }

    fn take(&self, wanted: &Wanted, into: &mut HashMap<String, Given>, problems: &mut Problems) {
        let mut here: HashMap<&str, usize> = HashMap::new();
        for line in self.lines.iter().filter(|line| wanted.keeps(&line.variable)) {
            let origin = self.origin(line);
            if let Some(before) = here.insert(&line.variable, line.line) {
                let why = format!("written twice: at {}:{before} too", self.path.display());
                let problem = Problem::new(line.variable.clone(), why, "remove one");
                problems.push(problem.at(origin.clone()));
            }
            let value = Value::from(line.value.as_str());
            into.insert(line.variable.clone(), Given { value, origin });
        }
    }
}

/// Returns the text of a `.env` file, or an empty text if it does not exist or is a folder.
fn text_of(path: &Path) -> Result<String, Box<Problem>> {
    use std::io::ErrorKind;

    let problem = |line, why: String, fix| Box::new(Problem::in_file(path, line, why, fix));
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(dotenv::MAX_BYTES as u64 + 1).read_to_end(&mut bytes));
    match read {
        // A folder of this name is a virtual environment of Python.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::IsADirectory) => {
            return Ok(String::new());
        }
        Err(error) => {
            let why = format!("cannot be read: {error}");
            return Err(problem(None, why, "make it readable, or remove it"));
        }
        Ok(length) if length > dotenv::MAX_BYTES => {
            return Err(problem(
                None,
                "larger than 4MiB".into(),
                "a `.env` has a line for each variable",
            ));
        }
        Ok(_) => {}
    }
    dotenv::decode(bytes).map_err(|(line, why, fix)| problem(Some(line), why, fix))
}

/// The variables that are wanted, and the names of those that are not Unicode.
fn take_environment(
    vars: &[(OsString, OsString)],
    wanted: &Wanted,
) -> (HashMap<String, Given>, Vec<String>) {
    let (mut taken, mut garbled) = (HashMap::new(), Vec::new());
    for (name, value) in vars {
        let Some(variable) = name.to_str().filter(|name| wanted.keeps(name)) else { continue };
        match value.to_str() {
            Some(value) if is_injected_port(variable, value) && !is_of_service(variable) => {}
            Some(value) => {
                let origin = Origin::Environment { variable: variable.to_owned() };
                taken.insert(variable.to_owned(), Given { value: Value::from(value), origin });
            }
            None => garbled.push(variable.to_owned()),
        }
    }
    (taken, garbled)
}

/// Kubernetes describes a service named `piton-http` to every pod as
/// `PITON_HTTP_PORT=tcp://10.0.0.1:80`. That is no setting of ours, though it has the name of one.
fn is_injected_port(variable: &str, value: &str) -> bool {
    variable.ends_with("_PORT")
        && ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme))
}

fn not_unicode(names: &[Names], garbled: &[String]) -> Vec<Problem> {
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
