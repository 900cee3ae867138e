//! Brings the layers together: flag > code > environment > `.env` > file > default.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::problem::{Origin, Problem, Problems};
use super::{Config, Given, Layers, Section, dotenv, file};

/// Collects where settings are written, then reads it all. Made by [`Config::loader`].
///
/// The order of the calls decides only between two of a kind: the later file, `.env` file, code
/// or flag wins.
#[derive(Default)]
pub struct Loader {
    prefix: String,
    files: Vec<PathBuf>,
    env_files: Vec<PathBuf>,
    environment: Vec<(OsString, OsString)>,
    code: BTreeMap<String, Given>,
    flags: BTreeMap<String, Given>,
}

impl Loader {
    pub(crate) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), ..Self::default() }
    }

    /// A configuration file, TOML or JSON by its extension. It must exist.
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

    /// The environment, for example `std::env::vars_os()`. Variables without the prefix are ignored.
    #[must_use]
    pub fn env<K: Into<OsString>, V: Into<OsString>>(
        mut self,
        vars: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let vars = vars.into_iter().map(|(name, value)| (name.into(), value.into()));
        self.environment.extend(vars);
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
        let start =
            if self.prefix.is_empty() { String::new() } else { format!("{}_", self.prefix) };
        let mut dotenv = HashMap::new();
        for path in &self.env_files {
            read_dotenv(path, &start, &mut dotenv, &mut problems);
        }
        let (environment, garbled) = take_environment(self.environment, &start);
        let layers = Layers {
            prefix: self.prefix,
            flags: self.flags,
            code: self.code,
            environment,
            dotenv,
            files,
        };
        let config = Config(Arc::new(layers));
        if !garbled.is_empty() {
            problems.extend(not_unicode(&config, known, &garbled));
        }
        (config, problems)
    }
}

fn read_dotenv(
    path: &Path,
    start: &str,
    into: &mut HashMap<String, Given>,
    problems: &mut Problems,
) {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        Err(error) => {
            let why = format!("cannot be read: {error}");
            problems.push(Problem::in_file(path, None, why, "make it readable, or remove it"));
            return;
        }
    };
    let (lines, malformed) = dotenv::parse(&text);
    for dotenv::Malformed { line, why } in malformed {
        problems.push(Problem::in_file(
            path,
            Some(line),
            why,
            "write `NAME=value`, or `# comment`",
        ));
    }
    let mut here: HashMap<String, usize> = HashMap::new();
    for dotenv::Line { variable, value, line } in lines {
        if !variable.starts_with(start) {
            continue;
        }
        let origin = Origin::DotEnv { path: path.to_owned(), line, variable: variable.clone() };
        if let Some(before) = here.insert(variable.clone(), line) {
            let why = format!("written twice: at {}:{before} too", path.display());
            problems.push(Problem::new(variable.clone(), why, "remove one").at(origin.clone()));
        }
        into.insert(variable, Given { value: Value::from(value), origin });
    }
}

/// The variables under the prefix, and the names of those that are not Unicode.
fn take_environment(
    vars: Vec<(OsString, OsString)>,
    start: &str,
) -> (HashMap<String, Given>, Vec<String>) {
    let (mut taken, mut garbled) = (HashMap::new(), Vec::new());
    for (name, value) in vars {
        let Ok(variable) = name.into_string() else { continue };
        if !variable.starts_with(start) {
            continue;
        }
        match value.into_string() {
            Ok(value) if is_injected_port(&variable, &value) => {}
            Ok(value) => {
                let origin = Origin::Environment { variable: variable.clone() };
                taken.insert(variable, Given { value: Value::from(value), origin });
            }
            Err(_) => garbled.push(variable),
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

fn not_unicode(config: &Config, known: &[&Section], garbled: &[String]) -> Vec<Problem> {
    let described = config.describe(known);
    let wrong = described.into_iter().filter(|setting| garbled.contains(&setting.variable));
    wrong
        .map(|setting| {
            let origin = Origin::Environment { variable: setting.variable };
            let fix = format!("set it to {}", setting.expects);
            Problem::new(setting.key, "the value is not Unicode text", fix).at(origin)
        })
        .collect()
}
