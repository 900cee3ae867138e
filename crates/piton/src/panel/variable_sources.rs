//! [`VariableSources`]: the places where the value of a variable is looked for.

use std::path::{Path, PathBuf};

use crate::config::{Config, EnvValue, Origin};
use crate::handle::Handle;
use crate::secrets::mounted_secret::read_mounted_secret;

/// The places where the values of variables are looked for, the strongest first: the environment, a file
/// that it names (`<NAME>_FILE`), `.env`, a file named there, and folders in which a file has the name of
/// the variable.
#[derive(Clone, Debug)]
pub struct VariableSources {
    config: Config,
    folders: Vec<PathBuf>,
}

/// A variable that was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FoundVariable {
    /// The value, or the reason why it cannot be read.
    pub text: Result<String, String>,
    pub origin: Origin,
}

impl VariableSources {
    /// Creates the sources of a running app: the variables that it exposes, see
    /// [`App::expose_env`](crate::App::expose_env).
    #[must_use]
    pub fn of(app: &Handle) -> Self {
        Self::of_config(app.config())
    }

    pub(super) fn of_config(config: &Config) -> Self {
        Self { config: config.clone(), folders: Vec::new() }
    }

    /// Adds a folder of secrets, as Kubernetes mounts them: one file for each, with the name of its variable.
    /// An earlier folder is stronger than a later one. A folder need not exist.
    #[must_use]
    pub fn folder(mut self, path: impl Into<PathBuf>) -> Self {
        self.folders.push(path.into());
        self
    }

    /// Adds several folders: see [`VariableSources::folder`].
    #[must_use]
    pub fn folders<P: Into<PathBuf>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.folders.extend(paths.into_iter().map(Into::into));
        self
    }

    /// Finds a variable. Blocks, because it may read files.
    pub(super) fn find(&self, name: &str) -> Option<FoundVariable> {
        self.in_variables(name).or_else(|| self.folders.iter().find_map(|it| in_folder(it, name)))
    }

    /// Finds a variable in the environment and `.env`. As with settings, an empty variable does not count if
    /// another one names a file.
    fn in_variables(&self, name: &str) -> Option<FoundVariable> {
        let value = self.config.exposed_env(name);
        let file = self.config.exposed_env(&file_variable(name));
        let file = file.filter(|file| file.text.as_deref() != Some(""));
        match (value, file) {
            (None, file) => file.map(of_named_file),
            (Some(value), None) => Some(of_text(value)),
            (Some(value), Some(file)) => {
                let empty = value.text.as_deref() == Some("");
                let weaker = file.origin.outranks(&value.origin);
                let same = !value.origin.outranks(&file.origin);
                Some(if weaker || (empty && same) { of_named_file(file) } else { of_text(value) })
            }
        }
    }
}

/// Returns the variable that names a file with the value of another.
pub(super) fn file_variable(name: &str) -> String {
    format!("{name}_FILE")
}

fn of_text(value: &EnvValue) -> FoundVariable {
    let text = value.text.clone().ok_or_else(|| "the value is not UTF-8 text".to_owned());
    FoundVariable { text, origin: value.origin.clone() }
}

fn of_named_file(file: &EnvValue) -> FoundVariable {
    let Some(path) = &file.text else {
        let why = "the name of the file is not UTF-8 text".to_owned();
        return FoundVariable { text: Err(why), origin: file.origin.clone() };
    };
    let path = PathBuf::from(path);
    let text = match read_mounted_secret(&path) {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err("the file does not exist".to_owned()),
        Err(error) => Err(format!("the file {error}")),
    };
    let named_by = Box::new(file.origin.clone());
    FoundVariable { text, origin: Origin::ValueFile { path, named_by } }
}

fn in_folder(folder: &Path, name: &str) -> Option<FoundVariable> {
    let path = folder.join(name);
    let text = read_mounted_secret(&path).transpose()?;
    let text = text.map_err(|error| format!("the file {error}"));
    Some(FoundVariable { text, origin: Origin::File { path, line: None } })
}
