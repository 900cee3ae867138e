//! Flask-JWT-Extended's own tests, unchanged, with Piton in the place of Flask-JWT-Extended.
//!
//! `outcomes.json` of each suite lists the cases that are not equal, with the reason; any other case has
//! to pass. A case is a test function, and passes if it does with all its parameters.

#![expect(clippy::unwrap_used, reason = "a test that unwraps fails with the line")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use test_support::python::interpreter;

const PROGRAM: &str = env!("CARGO_BIN_EXE_token-service");

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// The unpacked source of a suite.
fn source(suite: &str) -> PathBuf {
    let sdists = interpreter(suite).ancestors().nth(2).unwrap().join("sdists");
    let folders = fs::read_dir(&sdists).unwrap().map(|entry| entry.unwrap().path());
    let mut folders = folders.filter(|path| path.is_dir());
    folders.next().unwrap_or_else(|| panic!("{} is empty", sdists.display()))
}

/// Runs a suite, and returns whether each of its cases has passed.
fn run(suite: &str) -> BTreeMap<String, bool> {
    let folder = tempfile::tempdir().unwrap();
    let python = workspace().join("e2e/python");
    let path = [python.join("jwtsuite"), python.join(suite)].map(|it| it.display().to_string());
    let outcomes = folder.path().join("outcomes.json");
    let done = Command::new(interpreter(suite))
        .args(["-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", "-p", "outcomes"])
        // The source has a package `flask_jwt_extended` of its own, which must not come first.
        .arg("--import-mode=append")
        .arg(source(suite).join("tests"))
        .current_dir(folder.path())
        .env_clear()
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONUTF8", "1")
        .env("PYTHONPATH", path.join(":"))
        .env("TOKEN_SERVICE", PROGRAM)
        .env("OUTCOMES", &outcomes)
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&done.stdout);
    let text = fs::read_to_string(&outcomes)
        .unwrap_or_else(|_| panic!("{printed}{}", String::from_utf8_lossy(&done.stderr)));
    // The reasons, for whoever reads a failure.
    eprintln!("{printed}");
    let outcomes: BTreeMap<String, String> = serde_json::from_str(&text).unwrap();
    let mut cases = BTreeMap::new();
    for (case, outcome) in outcomes {
        let function = case.split('[').next().unwrap().to_owned();
        *cases.entry(function).or_insert(true) &= outcome == "passed";
    }
    cases
}

/// Compares the outcomes of a suite with those that are written down, and returns how many are equal.
fn as_listed(suite: &str, cases: usize) -> usize {
    let passed = run(suite);
    assert_eq!(passed.len(), cases);
    let file = workspace().join("e2e/python").join(suite).join("outcomes.json");
    let listed: BTreeMap<String, Value> =
        serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let page = fs::read_to_string(workspace().join("docs/COMPATIBILITY.md")).unwrap();
    for (case, entry) in &listed {
        assert!(passed.contains_key(case), "{case} is listed and does not exist");
        let (verdict, reason) = (entry["verdict"].as_str().unwrap(), entry["reason"].as_str());
        let row = format!("| `{case}` | {verdict} | {} |", reason.unwrap());
        assert!(page.contains(&row), "docs/COMPATIBILITY.md does not have: {row}");
    }
    // A case that no service can be asked for may pass all the same: the stand-in does it alone.
    let fails = |case: &String| listed.get(case).is_some_and(|it| it["passes"] != true);
    let expected: BTreeSet<_> = passed.keys().filter(|case| fails(case)).collect();
    let failed: BTreeSet<_> =
        passed.iter().filter(|(_, passed)| !**passed).map(|it| it.0).collect();
    assert_eq!(failed, expected, "failed, and listed in {}", file.display());
    passed.len() - listed.len()
}

#[test]
fn the_tests_of_version_3_pass_apart_from_those_listed() {
    let equal = as_listed("jwt3suite", 115);
    assert!(equal >= 101, "{equal}");
}

#[test]
fn the_tests_of_version_4_pass_apart_from_those_listed() {
    let equal = as_listed("jwt4suite", 135);
    assert!(equal >= 116, "{equal}");
}

/// The names of settings in the sources of a suite.
fn settings_of(suite: &str) -> BTreeSet<String> {
    let package = source(suite).join("flask_jwt_extended");
    let read = |file| fs::read_to_string(package.join(file)).unwrap();
    let text = read("config.py") + &read("jwt_manager.py");
    let words = text.split(|letter: char| !letter.is_ascii_uppercase() && letter != '_');
    let names = words.filter(|word| word.starts_with("JWT_") && !word.ends_with("_LOADER"));
    // Only in the text of an error: the setting is `JWT_HEADER_NAME`.
    names.filter(|name| *name != "JWT_ACCESS_HEADER_NAME").map(ToOwned::to_owned).collect()
}

#[test]
fn the_page_lists_every_setting_as_the_service_reads_it() {
    let listed = Command::new(PROGRAM).args(["config", "jwt", "--json"]).env_clear().output();
    let listed: Vec<Value> = serde_json::from_slice(&listed.unwrap().stdout).unwrap();
    let mut aliases = BTreeMap::new();
    for setting in &listed {
        for alias in setting["aliases"].as_array().unwrap() {
            aliases.insert(alias.as_str().unwrap(), setting["key"].as_str().unwrap());
        }
    }
    let page = fs::read_to_string(workspace().join("docs/COMPATIBILITY.md")).unwrap();
    let mut rows = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with("| `JWT_")) {
        let cells: Vec<_> = line.split(" | ").map(|cell| cell.trim_matches([' ', '|'])).collect();
        assert_eq!(cells.len(), 5, "setting, version, default, here, differs: {line}");
        rows.insert(cells[0].trim_matches('`').to_owned(), cells[3].to_owned());
    }
    let all = &settings_of("jwt3suite") | &settings_of("jwt4suite");
    let missing: Vec<_> = all.iter().filter(|name| !rows.contains_key(*name)).collect();
    assert!(missing.is_empty(), "docs/COMPATIBILITY.md does not list {missing:?}");
    for (name, here) in &rows {
        assert!(all.contains(name), "{name} is no setting of Flask-JWT-Extended");
        match aliases.get(name.as_str()) {
            Some(key) => assert!(here.starts_with(&format!("`{key}`")), "{name} is {key}: {here}"),
            None => assert_eq!(here, "not supported", "{name}"),
        }
    }
}
