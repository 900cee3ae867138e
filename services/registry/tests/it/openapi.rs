//! Tests of the checked-in OpenAPI document and collections, and of the command that writes them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use piton::serde_json::{Value, from_str};
use piton::testing::assert_generated;

/// Where they are checked in.
const DIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/dist");

#[test]
fn the_checked_in_files_are_up_to_date() {
    for file in registry::app().openapi_files().unwrap() {
        let fix = "cargo xtask generate\nand to see what would break clients:\n\
                   cargo run -p registry -- openapi --check --out services/registry/dist";
        assert_generated(Path::new(DIST).join(&file.name), &file.text, fix);
    }
}

/// The program, with nothing of the environment.
fn registry(folder: &Path, arguments: &[&str]) -> (bool, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_registry"));
    let Output { status, stdout, stderr } =
        command.current_dir(folder).args(arguments).env_clear().output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.success(), text(stdout), text(stderr))
}

#[test]
fn the_command_needs_no_database_and_writes_what_it_prints() {
    let folder = tempfile::tempdir().unwrap();
    let away = ["openapi", "--production", "--set", "db.url=postgres://127.0.0.1:1/x"];
    let (well, printed, _) = registry(folder.path(), &away);
    assert!(well);
    assert!(registry(folder.path(), &["openapi", "--out", "made"]).0);
    let written = fs::read_to_string(folder.path().join("made/openapi.json")).unwrap();
    assert_eq!(printed, written);
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "nothing else was made: {names:?}");
}

#[test]
fn a_check_fails_for_outdated_files_and_names_breaking_changes() {
    let folder = tempfile::tempdir().unwrap();
    let check = || registry(folder.path(), &["openapi", "--check"]);
    let (well, _, why) = check();
    assert!(!well && why.contains("registry openapi --out dist"), "{why}");
    assert!(registry(folder.path(), &["openapi", "--out", "dist"]).0);
    let (well, said, _) = check();
    assert!(well && said.contains("dist is up to date"), "{said}");

    let path = folder.path().join("dist/openapi.json");
    let mut older: Value = from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    older["paths"]["/api/gone"] = older["paths"]["/api/companies"].clone();
    older["paths"]["/api/companies"].as_object_mut().unwrap().remove("get");
    fs::write(&path, older.to_string()).unwrap();
    let (well, said, why) = check();
    assert!(!well && why.contains("dist/openapi.json"), "{why}");
    let (breaking, others) = said.split_once("Changes that break no clients:").unwrap();
    assert!(breaking.contains("GET /api/gone: removed"), "{said}");
    assert!(others.contains("GET /api/companies: added"), "{said}");
}

#[test]
fn an_unreadable_document_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    assert!(registry(folder.path(), &["openapi", "--out", out]).0);
    for (wrong, why) in
        [("{", "EOF"), ("<<<<<<< HEAD", "expected value"), ("[]", "not an OpenAPI document")]
    {
        fs::write(folder.path().join("openapi.json"), wrong).unwrap();
        let (well, said, _) = registry(folder.path(), &["openapi", "--check", "--out", out]);
        assert!(!well && said.contains("cannot be read") && said.contains(why), "{wrong}: {said}");
        assert!(!said.contains("break no clients"), "{said}");
    }
}

#[test]
fn another_header_for_the_key_is_a_breaking_change() {
    let folder = tempfile::tempdir().unwrap();
    let header = ["openapi", "--check", "--out", DIST, "--set", "api_key.header=X-Other"];
    let (well, said, _) = registry(folder.path(), &header);
    let named = said.contains("Changes that break clients") && said.contains("`api_key`");
    assert!(!well && named, "{said}");
}
