//! The settings as the operator meets them.

use std::path::Path;

use piton::serde_json::{self, Value, json};
use piton::testing::{assert_generated, assert_generated_json};
use test_support::ashirt_backend::{ACCESS_KEY, SECRET_KEY};
use test_support::cli::{CommandOutput, output};

#[test]
fn the_example_file_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.toml");
    assert_generated(path, &ashirt_worker::app().config_example(), "cargo xtask generate");
}

#[test]
fn the_schema_file_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config.schema.json");
    assert_generated_json(path, &ashirt_worker::app().config_schema(), "cargo xtask generate");
}

/// The program in a folder of its own, with nothing of the environment.
pub fn program(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> CommandOutput {
    // What should be refused and is served would be served for ever.
    let limited = [&["30", env!("CARGO_BIN_EXE_ashirt-worker")], arguments].concat();
    let mut command = test_support::cli::command("/usr/bin/timeout", folder, &limited);
    output(command.envs(variables.iter().copied()))
}

/// Returns the problems with these variables. Nothing is served.
fn refused(variables: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let answer = program(folder.path(), &["serve"], variables);
    assert_eq!(answer.code, Some(2), "{}{}", answer.out, answer.err);
    answer.err
}

const RIGHT: [(&str, &str); 3] = [
    ("ASHIRT_BACKEND_URL", "http://backend:3000"),
    ("ASHIRT_ACCESS_KEY", ACCESS_KEY),
    ("ASHIRT_SECRET_KEY", SECRET_KEY),
];

/// The right variables but one.
fn but(name: &'static str, value: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut variables = RIGHT.to_vec();
    variables.retain(|(other, _)| *other != name);
    variables.push((name, value));
    variables
}

#[test]
fn everything_that_is_missing_is_told_at_once() {
    let told = refused(&[]);
    assert!(told.contains("3 settings are wrong"), "{told}");
    for variable in
        ["ASHIRT_BACKEND_URL=http://backend:3000", "set ASHIRT_ACCESS_KEY", "set ASHIRT_SECRET_KEY"]
    {
        assert!(told.contains(variable), "{told}");
    }
    // As `.env.example` of the Python worker ships it.
    let empty = refused(&[
        ("ASHIRT_BACKEND_URL", "http://google.com"),
        ("ASHIRT_ACCESS_KEY", ""),
        ("ASHIRT_SECRET_KEY", ""),
    ]);
    assert!(empty.contains("2 settings are wrong"), "{empty}");
}

#[test]
fn a_wrong_variable_is_named_with_what_is_wrong_and_the_fix() {
    for (name, value, words) in [
        (
            "ASHIRT_BACKEND_URL",
            "http://backend:3000/",
            &["ends with `/`", "fix: ASHIRT_BACKEND_URL=http://backend:3000\n"][..],
        ),
        ("ASHIRT_BACKEND_URL", "backend:3000", &["ashirt.backend_url"]),
        ("ASHIRT_BACKEND_URL", "http://u:hunter2@backend", &["ashirt.backend_url"]),
        ("ASHIRT_ACCESS_KEY", "with:colon", &["ashirt.access_key"]),
        ("ASHIRT_SECRET_KEY", "hunter2", &["base64"]),
        ("ASHIRT_SECRET_KEY", "WvtvxFaJS0mPs82n-zqamI==", &["ashirt.secret_key"]),
        ("ASHIRT_SECRET_KEY", "WvtvxFaJS0mP s82n", &["ashirt.secret_key"]),
        ("ENABLE_DEV", "1", &["worker.enable_dev", "fix: ENABLE_DEV=true\n"]),
        ("ENABLE_DEV", "maybe", &["`true` or `false`"]),
        ("PORT", "eighty", &["http.port"]),
        ("PITON_WORKER_SHARED_SECRET", "short", &["worker.shared_secret"]),
        ("PITON_WORKER_SHARED_SECRET", "", &["worker.shared_secret"]),
        (
            "PITON_WORKER_SHARED_SECRET_HEADER",
            "Transfer-Encoding",
            &["worker.shared_secret_header"],
        ),
        ("PITON_ASHIRT_TIMEOUT", "0s", &["ashirt.timeout"]),
        ("PITON_ASHIRT_MEDIA_LIMIT", "0B", &["ashirt.media_limit"]),
        ("PITON_WORKER_URL", "http://w/?a=b", &["worker.url"]),
        ("PITON_WORKER_SHARED_SECRET_HEADER", "Content-Type", &["worker.shared_secret_header"]),
        ("PITON_WORKER_URL", "worker:5000", &["worker.url"]),
        ("PITON_WORKER_AT_ONCE", "0", &["worker.at_once"]),
        ("PITON_WORKER_DEFER", "sometimes", &["worker.defer", "`off`, `always`, or a duration"]),
        ("PITON_WORKER_DEFER", "0s", &["worker.defer", "write `always`"]),
        ("PITON_WORKER_DEFER", "always", &["worker.source", "Admin, Service Workers"]),
        ("PITON_WORKER_SOURCE", "ocr 🐍", &["worker.source", "1 to 255"]),
        ("PITON_WORKER_REPORT_DELAY", "2h", &["worker.report_delay"]),
    ] {
        let told = refused(&but(name, value));
        assert!(told.contains("1 setting is wrong"), "{name}={value}: {told}");
        assert!(words.iter().all(|word| told.contains(word)), "{name}={value}: {told}");
        assert!(!told.contains("hunter2") && !told.contains(SECRET_KEY), "{told}");
    }
}

#[test]
fn routes_for_development_are_refused_in_production() {
    let mut variables = but("ASHIRT_SECRET_KEY", "");
    variables.push(("ENABLE_DEV", "true"));
    variables.push(("ENVIRONMENT", "production"));
    let told = refused(&variables);
    assert!(told.contains("ENABLE_DEV") && told.contains("2 settings are wrong"), "{told}");
}

#[test]
fn config_json_is_what_an_administrator_pastes() {
    let folder = tempfile::tempdir().unwrap();
    let print = |arguments: &[&str], variables: &[(&str, &str)]| {
        let answer = program(folder.path(), &[&["config-json"], arguments].concat(), variables);
        assert_eq!(answer.code, Some(0), "{}", answer.err);
        (serde_json::from_str::<Value>(&answer.out).unwrap(), answer.err)
    };
    // Without keys: it needs none.
    let (config, note) = print(&[], &[("PORT", "8080")]);
    let url = "http://ashirt-worker:8080/ashirt/process";
    assert_eq!(config, json!({ "type": "web", "version": 1, "url": url }));
    assert!(note.contains("--url"), "{note}");
    let (config, note) = print(&["--url", "http://testapp"], &[]);
    assert_eq!(config["url"], "http://testapp/ashirt/process");
    assert_eq!(note, "");
    let secret = [
        ("PITON_WORKER_SHARED_SECRET", "s3cr3t-of-ours"),
        ("PITON_WORKER_URL", "https://w.example"),
    ];
    let (config, _) = print(&[], &secret);
    assert_eq!(config["headers"], json!({ "X-Shared-Secret": "s3cr3t-of-ours" }));
    assert_eq!(config["url"], "https://w.example/ashirt/process");
    let wrong = program(folder.path(), &["config-json", "--url", "testapp"], &[]);
    assert_eq!((wrong.code, &*wrong.out), (Some(2), ""));
}
