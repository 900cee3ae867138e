//! Variables of the environment that are no settings, and that a service looks at all the same: to
//! show them, or to hand them on.
//!
//! Of the environment nothing is remembered but what is asked for, so they are named, and taken
//! through the same door as the settings: a test gives them as it gives those.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::sync::Arc;

use super::Config;
use super::loader::EnvFile;
use super::problem::Origin;

/// Tells which variables to keep, of the settings that have been read.
pub(crate) type Names = Arc<dyn Fn(&Config) -> Vec<String> + Send + Sync>;

/// A variable that was asked for, as it was found.
#[derive(Clone)]
pub struct Kept {
    /// What it says; `None` where that is not Unicode.
    pub text: Option<String>,
    /// The environment, or the line of `.env`.
    pub origin: Origin,
}

/// Without the text: it may be a secret.
impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Config {
    /// What the environment, or else `.env`, says of a variable that is no setting. `None` where
    /// neither has it, and where nobody has asked for it with [`App::keep_variables`](crate::App::keep_variables).
    #[must_use]
    pub fn kept_variable(&self, name: &str) -> Option<&Kept> {
        self.0.kept.get()?.get(name)
    }
}

/// The variables of these names. The environment outranks `.env`, and the later the earlier.
pub(super) fn take(
    names: &HashSet<String>,
    environment: &[(OsString, OsString)],
    files: &[EnvFile<'_>],
) -> HashMap<String, Kept> {
    let mut kept = HashMap::new();
    for file in files {
        for line in file.lines.iter().filter(|line| names.contains(&line.variable)) {
            let found = Kept { text: Some(line.value.clone()), origin: file.origin(line) };
            kept.insert(line.variable.clone(), found);
        }
    }
    for (name, value) in environment {
        let Some(name) = name.to_str().filter(|name| names.contains(*name)) else { continue };
        let origin = Origin::Environment { variable: name.to_owned() };
        let text = value.to_str().map(str::to_owned);
        kept.insert(name.to_owned(), Kept { text, origin });
    }
    kept
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::super::{Problems, Section, Settings};
    use super::*;

    /// What is shown.
    #[derive(Settings, Default)]
    struct Show {
        /// Names of variables. **Default: none.**
        names: Vec<String>,
    }

    static SHOW: Section = Section::of::<Show>("show");

    fn names(config: &Config) -> Vec<String> {
        config.read::<Show>("show", &mut Problems::new()).names
    }

    fn loader(names_kept: &str) -> super::super::Loader {
        Config::loader("PITON").flag("show.names", names_kept, "--set").keep(Arc::new(names))
    }

    fn text<'a>(config: &'a Config, name: &str) -> Option<&'a str> {
        config.kept_variable(name)?.text.as_deref()
    }

    #[test]
    fn the_settings_say_which_variables_are_kept_and_no_other_is() {
        let vars = [("USER_A", "a"), ("USER_B", "b"), ("PITON_C", "c")];
        let (config, problems) = loader("USER_A,PITON_C").env(vars).load(&[&SHOW]);
        assert!(problems.is_empty());
        assert_eq!((text(&config, "USER_A"), text(&config, "USER_B")), (Some("a"), None));
        assert!(config.unknown_variables(&[&SHOW]).is_empty(), "it is known what it is for");
        assert!(!format!("{:?}", config.kept_variable("USER_A")).contains("\"a\""));
        let (config, _) = Config::loader("PITON").env(vars).load(&[&SHOW]);
        assert_eq!(text(&config, "USER_A"), None);
    }

    #[test]
    fn the_environment_outranks_the_file_and_each_says_where_it_is() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "A=file\nB=file\nB=again\n").unwrap();
        let loader = loader("A,B").env_file(file.path()).env([("A", "variable")]);
        let (config, problems) = loader.load(&[&SHOW]);
        assert!(problems.is_empty());
        assert_eq!((text(&config, "A"), text(&config, "B")), (Some("variable"), Some("again")));
        let origin = |name| config.kept_variable(name).unwrap().origin.to_string();
        assert_eq!(origin("A"), "environment variable A");
        assert_eq!(origin("B"), format!("{}:3", file.path().display()));
    }

    #[test]
    fn what_kubernetes_puts_there_and_what_is_not_unicode_are_kept_as_they_are() {
        let garbled = OsString::from_vec(vec![0xff]);
        let vars = [("REDIS_PORT", OsString::from("tcp://10.0.0.1:6379")), ("A", garbled)];
        let (config, problems) = loader("REDIS_PORT,A,B").env(vars).load(&[&SHOW]);
        assert!(problems.is_empty());
        assert_eq!(text(&config, "REDIS_PORT"), Some("tcp://10.0.0.1:6379"));
        assert!(config.kept_variable("A").is_some_and(|kept| kept.text.is_none()));
        assert!(config.kept_variable("B").is_none());
    }
}
