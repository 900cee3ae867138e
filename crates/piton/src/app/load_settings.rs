//! Loads an app's settings from all sources, and finds everything that is wrong with them.

use std::path::{Path, PathBuf};

use super::declared_settings::refused_sections;
use super::settings_sections::{all_sections, core_sections};
use super::settings_sources::LaunchSources;
use super::{App, require_settings};
use crate::config::{self, Config, Loader, Problem, Problems, Section};
use crate::part::PartDescriptor;

/// Returns the settings of an app with these parts, and all problems of them.
pub(crate) fn load_settings(
    app: &App,
    sources: &LaunchSources,
    parts: &[&'static PartDescriptor],
) -> (Config, Problems) {
    let known = all_sections(&app.own);
    let known: Vec<&Section> = known.iter().collect();
    let mut loader = app.loader();
    let mut ambiguous_files = None;
    if sources.reads_process_env {
        let named = sources.file.clone().or_else(|| named_file(&app.env_prefix));
        let found = if named.is_none() { found_files(Path::new("")) } else { Vec::new() };
        ambiguous_files = several_files_problem(&found, &app.env_prefix);
        loader = named.into_iter().chain(found).take(1).fold(loader, Loader::file);
        loader = loader.env_file(".env").env(std::env::vars_os());
    }
    loader = loader.env(app.env.given.iter().cloned());
    loader = app.env.keep.iter().cloned().fold(loader, Loader::expose_env);
    for setting in &app.code {
        loader = loader.code(&*setting.key, setting.value.clone(), &*setting.origin);
    }
    for flag in &sources.flags {
        loader = loader.flag(&*flag.key, flag.value.clone(), &*flag.flag);
    }
    let (config, mut problems) = loader.load(&known);
    problems.extend(ambiguous_files);
    let refused = refused_sections(app);
    // Not both, because a section with the name of another shares every variable with it.
    problems.extend(if refused.is_empty() { config.collisions(&known) } else { refused });
    let core = core_sections();
    let parts = parts.iter().map(|entry| &entry.section);
    let own = app.own.iter().map(|own| &own.section);
    let read: Vec<&Section> = core.iter().chain(parts).chain(own).collect();
    problems.extend(config.check(&known, &read));
    problems.extend(require_settings::problems(app, &config, &read));
    (config, problems)
}

/// Returns the file that `<PREFIX>_CONFIG` names.
fn named_file(prefix: &str) -> Option<PathBuf> {
    let name = std::env::var_os(config::variable(prefix, "config"))?;
    (!name.is_empty()).then(|| name.into())
}

/// Returns the configuration files in the usual places.
fn found_files(folder: &Path) -> Vec<PathBuf> {
    let names = ["config.toml", "config.yaml", "config.yml", "config.json"];
    let folders = [folder.to_owned(), folder.join("config")];
    let paths = folders.iter().flat_map(|folder| names.map(|name| folder.join(name)));
    paths.filter(|path| path.is_file()).collect()
}

/// Returns a problem if there are several files: choosing one would be a guess.
fn several_files_problem(found: &[PathBuf], prefix: &str) -> Option<Problem> {
    let [first, others @ ..] = found else { return None };
    let others: Vec<_> = others.iter().map(|path| path.display().to_string()).collect();
    if others.is_empty() {
        return None;
    }
    let why = format!("{} is there too, and only one file is read", others.join(", "));
    let variable = config::variable(prefix, "config");
    let fix = format!(
        "keep one of them, or name the right one: `--config {}` or {variable}",
        first.display()
    );
    Some(Problem::new(first.display().to_string(), why, fix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_files_at_once_are_refused_with_both_names_and_the_fix() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let inner = folder.path().join("config");
        std::fs::create_dir(&inner).expect("the folder is ours");
        assert_eq!(several_files_problem(&found_files(folder.path()), "X"), None);
        std::fs::write(inner.join("config.yml"), "").expect("the folder is ours");
        assert_eq!(found_files(folder.path()), [inner.join("config.yml")]);
        assert_eq!(several_files_problem(&found_files(folder.path()), "X"), None);
        std::fs::write(folder.path().join("config.toml"), "").expect("the folder is ours");
        let found = found_files(folder.path());
        let problem = several_files_problem(&found, "X").expect("two files");
        assert_eq!(found[0], folder.path().join("config.toml"));
        assert!(problem.why.contains("config/config.yml is there too"), "{problem}");
        assert!(problem.key.ends_with("/config.toml") && problem.fix.contains("X_CONFIG"));
    }
}
