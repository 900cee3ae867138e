//! Tests of the settings: the checked-in files, the command `config`, refusals.

use std::path::Path;
use std::process::Command;

use piton::testing::{assert_generated, assert_generated_json};
use serde::Deserialize;
use test_support::cli::{output, temporary_folder, uncomment_settings};

const SCHEMA: &str = include_str!("../../config.schema.json");
const EXAMPLE: &str = include_str!("../../config.example.toml");

#[test]
fn the_example_file_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.toml");
    assert_generated(path, &registry::app().config_example(), "cargo xtask generate");
}

#[test]
fn the_schema_file_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config.schema.json");
    assert_generated_json(path, &registry::app().config_schema(), "cargo xtask generate");
}

fn json(text: &str) -> piton::serde_json::Value {
    piton::serde_json::from_str(text).expect("the output is JSON")
}

/// The program in a folder of its own, with nothing of the environment.
fn registry(folder: &Path, arguments: &[&str]) -> Command {
    test_support::cli::command(env!("CARGO_BIN_EXE_registry"), folder, arguments)
}

#[test]
fn neither_file_depends_on_the_environment() {
    let folder = temporary_folder();
    let example = output(registry(folder.path(), &["config", "--example"]).env("PORT", "1"));
    assert_eq!((example.code, &*example.out), (Some(0), EXAMPLE));
    let schema = output(registry(folder.path(), &["config", "--schema"]).env("PORT", "1"));
    assert_eq!((schema.code, json(&schema.out)), (Some(0), json(SCHEMA)));
}

#[test]
fn the_example_file_is_accepted_with_every_setting_uncommented() {
    let folder = temporary_folder();
    std::fs::write(folder.path().join("config.toml"), uncomment_settings(EXAMPLE)).expect("ours");
    let list = output(&mut registry(folder.path(), &["config"]));
    assert_eq!((list.code, &*list.err), (Some(0), ""));
    assert!(list.out.contains("http.port = 5000  (from config.toml:"), "{}", list.out);
}

#[test]
fn the_list_is_filtered_and_names_the_variable_that_was_used() {
    let folder = temporary_folder();
    let list = output(registry(folder.path(), &["config", "http.port"]).env("PORT", "77"));
    assert_eq!(list.code, Some(0));
    assert!(list.out.contains("  http.port = 77  (from environment variable PORT)\n"));
    assert!(!list.out.contains("http.host"), "{}", list.out);
    assert!(list.out.lines().all(|line| line.len() <= 80), "{}", list.out);
    assert!(!list.out.contains('\u{1b}'), "no colours outside a terminal");
    let unknown = output(&mut registry(folder.path(), &["config", "htp"]));
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.err.contains("did you mean `http`?"), "{}", unknown.err);
}

#[derive(Deserialize)]
struct Setting {
    key: String,
    value: piton::serde_json::Value,
    origin: String,
}

#[test]
fn wrong_settings_are_listed_with_exit_code_2() {
    let folder = temporary_folder();
    std::fs::write(folder.path().join("config.yaml"), "http:\n  timeout: 30\n").expect("ours");
    let list = output(&mut registry(folder.path(), &["config", "--json", "--set", "log.level=x"]));
    assert_eq!(list.code, Some(2));
    let settings: Vec<Setting> = piton::serde_json::from_str(&list.out).expect("JSON");
    let timeout = settings.iter().find(|setting| setting.key == "http.timeout").expect("listed");
    assert_eq!((&timeout.value, &*timeout.origin), (&30.into(), "config.yaml:2"));
    assert!(list.err.contains("2 settings are wrong"), "{}", list.err);
    assert!(list.err.contains("timeout: \"30s\"") && list.err.contains("--set log.level="));
}

#[test]
fn two_files_at_once_are_refused() {
    let folder = temporary_folder();
    std::fs::write(folder.path().join("config.yaml"), "").expect("ours");
    std::fs::write(folder.path().join("config.toml"), "").expect("ours");
    let refused = output(&mut registry(folder.path(), &["config"]));
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("config.yaml is there too"), "{}", refused.err);
    let named = output(registry(folder.path(), &["config"]).env("PITON_CONFIG", "config.yaml"));
    assert_eq!((named.code, &*named.err), (Some(0), ""));
}

#[test]
fn a_variable_that_is_not_unicode_is_refused() {
    use std::os::unix::ffi::OsStringExt;
    let garbled = std::ffi::OsString::from_vec(vec![0xff]);
    let folder = temporary_folder();
    let refused = output(registry(folder.path(), &["config"]).env("PITON_HTTP_PORT", garbled));
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("http.port") && refused.err.contains("not Unicode"));
}

#[test]
fn a_secret_on_the_command_line_is_not_repeated() {
    let folder = temporary_folder();
    for wrong in
        ["db.nothing=hunter2", "nothing.password=hunter2", "hunter2", "http.port=x://u:hunter2@h"]
    {
        let refused = output(&mut registry(folder.path(), &["config", "--set", wrong]));
        assert_eq!(refused.code, Some(2), "{wrong}");
        let all = format!("{}{}", refused.out, refused.err);
        assert!(!all.contains("hunter2"), "{wrong}: {all}");
    }
}
