//! Where the value of a variable may be.

use std::path::{Path, PathBuf};

use crate::config::{Config, EnvValue, Origin};
use crate::handle::Handle;
use crate::secrets::secret_file::read_mounted_secret;

/// Where the values of variables are looked for, the strongest first: the environment, a file that it
/// names (`<NAME>_FILE`), `.env` and the file named there, and folders in which a file has the name of
/// the variable.
#[derive(Clone, Debug)]
pub struct Sources {
    config: Config,
    folders: Vec<PathBuf>,
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The value, or why it cannot be told.
    pub text: Result<String, String>,
    pub origin: Origin,
}

impl Sources {
    /// The environment and `.env` of a running app, as far as it keeps them: see
    /// [`App::expose_env`](crate::App::expose_env).
    #[must_use]
    pub fn of(app: &Handle) -> Self {
        Self::of_config(app.config())
    }

    pub(super) fn of_config(config: &Config) -> Self {
        Self { config: config.clone(), folders: Vec::new() }
    }

    /// A folder of secrets, as Kubernetes mounts them: a file for each, with the name of its variable.
    /// The folder given first is the strongest, and one that is not there holds nothing.
    #[must_use]
    pub fn folder(mut self, path: impl Into<PathBuf>) -> Self {
        self.folders.push(path.into());
        self
    }

    /// Several of [`Sources::folder`].
    #[must_use]
    pub fn folders<P: Into<PathBuf>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.folders.extend(paths.into_iter().map(Into::into));
        self
    }

    /// Reads files, and so may wait.
    pub(super) fn find(&self, name: &str) -> Option<Found> {
        self.in_variables(name).or_else(|| self.folders.iter().find_map(|it| in_folder(it, name)))
    }

    /// As with settings: an empty variable does not count beside one that names a file.
    fn in_variables(&self, name: &str) -> Option<Found> {
        let value = self.config.exposed_env(name);
        let file = self.config.exposed_env(&of_file(name));
        let file = file.filter(|file| file.text.as_deref() != Some(""));
        match (value, file) {
            (None, file) => file.map(named),
            (Some(value), None) => Some(said(value)),
            (Some(value), Some(file)) => {
                let empty = value.text.as_deref() == Some("");
                let weaker = file.origin.outranks(&value.origin);
                let same = !value.origin.outranks(&file.origin);
                Some(if weaker || (empty && same) { named(file) } else { said(value) })
            }
        }
    }
}

/// The variable that names a file with the value of another.
pub(super) fn of_file(name: &str) -> String {
    format!("{name}_FILE")
}

fn said(value: &EnvValue) -> Found {
    let text = value.text.clone().ok_or_else(|| "the value is not UTF-8 text".to_owned());
    Found { text, origin: value.origin.clone() }
}

fn named(file: &EnvValue) -> Found {
    let Some(path) = &file.text else {
        let why = "the name of the file is not UTF-8 text".to_owned();
        return Found { text: Err(why), origin: file.origin.clone() };
    };
    let path = PathBuf::from(path);
    let text = match read_mounted_secret(&path) {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err("the file is not there".to_owned()),
        Err(error) => Err(format!("the file {error}")),
    };
    let named_by = Box::new(file.origin.clone());
    Found { text, origin: Origin::ValueFile { path, named_by } }
}

fn in_folder(folder: &Path, name: &str) -> Option<Found> {
    let path = folder.join(name);
    let text = read_mounted_secret(&path).transpose()?;
    let text = text.map_err(|error| format!("the file {error}"));
    Some(Found { text, origin: Origin::File { path, line: None } })
}
