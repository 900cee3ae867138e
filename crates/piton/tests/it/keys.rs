//! The verb `keys`, as people and their scripts use it.

use std::path::Path;
use std::process::Output;

use piton::auth::api_key::{ApiKey, ApiKeys};
use piton::http::get;
use piton::prelude::*;
use piton::serde_json::{Value, from_str};
use piton::testing::TestApp;

/// Runs `examples/api_keys.rs` with these arguments, in a folder of its own.
fn keys(folder: &Path, arguments: &[&str]) -> Output {
    std::process::Command::new(test_support::service::program("examples/api_keys"))
        .current_dir(folder)
        .env_clear()
        .arg("keys")
        .args(arguments)
        .output()
        .expect("the program starts")
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

/// Returns the standard output of a call that succeeds.
fn printed(folder: &Path, arguments: &[&str]) -> String {
    let output = keys(folder, arguments);
    assert!(output.status.success(), "{:?}", said(&output));
    said(&output).0
}

async fn caller(key: ApiKey) -> Result<String> {
    key.require_scope("greet")?;
    Ok(key.name().unwrap_or("-").to_owned())
}

async fn service(folder: &Path) -> TestApp {
    let file = folder.join("data/api_keys.db").to_string_lossy().into_owned();
    let app = App::new("api_keys").blueprints(["none"]).set("log.level", "critical");
    TestApp::new(app.enable::<ApiKeys>().set("db.path", file).route(get("/", caller))).await
}

#[piton::test]
async fn a_script_gets_the_key_and_a_person_gets_the_words() {
    let folder = tempfile::tempdir().unwrap();
    let output = keys(
        folder.path(),
        &["create", "ci", "--scope", "greet,read", "--scope", "x", "--expires", "90d"],
    );
    let (key, words) = said(&output);
    assert!(output.status.success(), "{words}");
    assert!(key.starts_with("piton_") && key.lines().count() == 1, "{key}");
    assert!(words.contains("The key `ci`") && words.contains("Scopes: greet, read, x."), "{words}");
    assert!(!words.contains(key.trim()), "{words}");

    let app = service(folder.path()).await;
    let answer = app.get("/").header("x-api-key", key.trim()).await;
    assert_eq!((answer.status().as_u16(), &*answer.text()), (200, "ci"));

    let next = printed(folder.path(), &["rotate", "ci", "--grace", "0s"]);
    assert_eq!(app.get("/").header("x-api-key", key.trim()).await.status(), 401);
    assert_eq!(app.get("/").header("x-api-key", next.trim()).await.status(), 200);

    let table = printed(folder.path(), &["list"]);
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("NAME  ID            STATE"), "{table}");
    assert!(lines[1].contains("expired") && lines[2].contains("active"), "{table}");
    let list: Value = from_str(&printed(folder.path(), &["list", "--json"])).unwrap();
    assert_eq!(list[1]["scopes"], piton::serde_json::json!(["greet", "read", "x"]));
    for text in [table, list.to_string()] {
        let secret = next.trim().splitn(3, '_').last().unwrap();
        assert!(secret.len() == 43 && !text.contains(secret), "{text}");
    }

    let id = list[1]["id"].as_str().unwrap();
    assert_eq!(printed(folder.path(), &["revoke", id]), "");
    assert_eq!(app.get("/").header("x-api-key", next.trim()).await.status(), 401);
}

#[test]
fn what_cannot_be_done_is_said_and_is_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    printed(folder.path(), &["create", "ci"]);
    for (arguments, code, word) in [
        (&["create", "ci"][..], 1, "a key named `ci` is in use: rotate or revoke it"),
        (&["create", "c i"], 1, "a name has 1 to 64 letters"),
        (&["revoke", "nobody"], 1, "there is no key `nobody` in use"),
        (&["rotate", "nobody"], 1, "there is no key `nobody` in use"),
        (&["create", "x", "--expires", "90"], 2, "`90` has no unit: write `90s`"),
        (&["create"], 2, "<NAME>"),
        (&[], 2, "create"),
    ] {
        let output = keys(folder.path(), arguments);
        let (stdout, stderr) = said(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(stderr.contains(word) && stdout.is_empty(), "{arguments:?}: {stdout}{stderr}");
    }
}
