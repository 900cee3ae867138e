//! Environment variables that are no settings and that a service uses all the same: to show them, or to pass
//! them on.
//!
//! Nothing of the environment is remembered but what is asked for, so the variables are named, and reach the
//! service the same way as the settings: a test sets them as it sets those.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::sync::Arc;

use super::dotenv_file::DotenvFile;
use super::layers::Config;
use super::origin::Origin;
use super::raw_value::EnvValue;

/// A function that returns the variables to expose, of the settings that have been read.
pub(crate) type ExposedNames = Arc<dyn Fn(&Config) -> Vec<String> + Send + Sync>;

/// Returns the variables of these names. The environment outranks `.env`, and a later file an earlier one.
pub(super) fn select(
    names: &HashSet<String>,
    environment: &[(OsString, OsString)],
    files: &[DotenvFile<'_>],
) -> HashMap<String, EnvValue> {
    let mut exposed = HashMap::new();
    for file in files {
        for line in file.lines.iter().filter(|line| names.contains(&line.variable)) {
            let found = EnvValue { text: Some(line.value.clone()), origin: file.origin(line) };
            exposed.insert(line.variable.clone(), found);
        }
    }
    for (name, value) in environment {
        let Some(name) = name.to_str().filter(|name| names.contains(*name)) else { continue };
        let origin = Origin::Environment { variable: name.to_owned() };
        let text = value.to_str().map(str::to_owned);
        exposed.insert(name.to_owned(), EnvValue { text, origin });
    }
    exposed
}

#[cfg(test)]
mod tests {
    use super::super::{Loader, Problems, Section, Settings};
    use super::*;

    /// The variables that are shown.
    #[derive(Settings, Default)]
    struct Show {
        /// Names of variables. **Default: none.**
        names: Vec<String>,
    }

    static SHOW: Section = Section::of::<Show>("show");

    fn names(config: &Config) -> Vec<String> {
        config.read::<Show>("show", &mut Problems::new()).names
    }

    fn loader(exposed: &str) -> Loader {
        Config::loader("PITON").flag("show.names", exposed, "--set").expose_env(Arc::new(names))
    }

    fn text<'a>(config: &'a Config, name: &str) -> Option<&'a str> {
        config.exposed_env(name)?.text.as_deref()
    }

    #[test]
    fn the_settings_name_the_variables_that_are_exposed_and_no_other_is() {
        let vars = [("USER_A", "a"), ("USER_B", "b"), ("PITON_C", "c")];
        let (config, problems) = loader("USER_A,PITON_C").env(vars).load(&[&SHOW]);
        assert!(problems.is_empty());
        assert_eq!((text(&config, "USER_A"), text(&config, "USER_B")), (Some("a"), None));
        assert!(config.unknown_variables(&[&SHOW]).is_empty(), "it is known what it is for");
        assert!(!format!("{:?}", config.exposed_env("USER_A")).contains("\"a\""));
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
        let origin = |name| config.exposed_env(name).unwrap().origin.to_string();
        assert_eq!(origin("A"), "environment variable A");
        assert_eq!(origin("B"), format!("{}:3", file.path().display()));
    }

    #[cfg(unix)]
    #[test]
    fn variables_of_kubernetes_and_those_that_are_not_unicode_are_exposed_unchanged() {
        use std::os::unix::ffi::OsStringExt;

        let garbled = OsString::from_vec(vec![0xff]);
        let vars = [("REDIS_PORT", OsString::from("tcp://10.0.0.1:6379")), ("A", garbled)];
        let (config, problems) = loader("REDIS_PORT,A,B").env(vars).load(&[&SHOW]);
        assert!(problems.is_empty());
        assert_eq!(text(&config, "REDIS_PORT"), Some("tcp://10.0.0.1:6379"));
        assert!(config.exposed_env("A").is_some_and(|kept| kept.text.is_none()));
        assert!(config.exposed_env("B").is_none());
    }
}
