//! The Python peers are what the repository says of them.

use serde_json::{Value, json};
use test_support::gnar::{self, Gnar, Mode};
use test_support::http_client::Connection;
use test_support::postgres::database;
use test_support::python::{Dialogue, PythonServer, interpreter, script};

const SECRET: &str = "a secret of the tests, 32 bytes..";

fn answers_as_recorded(mode: Mode) {
    let database = database();
    let app = Gnar::start(&database, mode);
    let now = gnar::record_text(app.piste.port, &database);
    let file = gnar::recording_path(mode);
    let recorded = std::fs::read_to_string(&file).unwrap();
    if now != recorded {
        let new = std::env::temp_dir().join(file.file_name().unwrap());
        std::fs::write(&new, &now).unwrap();
        let first = now.lines().zip(recorded.lines()).find(|(now, recorded)| now != recorded);
        panic!("{first:#?}\nif that is right: cp {} {}", new.display(), file.display());
    }
}

#[test]
fn a_gnar_app_in_production_answers_as_recorded() {
    answers_as_recorded(Mode::Production);
}

#[test]
fn a_gnar_app_in_development_answers_as_recorded() {
    answers_as_recorded(Mode::Development);
}

fn ask(peer: &mut Dialogue, mut question: Value) -> Value {
    question["secret"] = json!(SECRET);
    serde_json::from_str(&peer.ask(&question.to_string())).unwrap()
}

#[test]
fn both_versions_of_the_extension_make_and_read_tokens() {
    for (name, identity) in [("jwt3", "identity"), ("jwt4", "sub")] {
        let mut peer = Dialogue::start(name, "tokens.py", &[], &[]);
        let made = ask(&mut peer, json!({"op": "create", "identity": "ada", "fresh": true}));
        assert_eq!(made["claims"][identity], "ada", "{made}");
        let question = json!({"op": "verify", "token": made["token"], "fresh": true});
        assert_eq!(ask(&mut peer, question)["identity"], "ada");
        let question = json!({"op": "verify", "token": made["token"], "type": "refresh"});
        let refused =
            json!({"ok": false, "status": 422, "error": "Only refresh tokens are allowed"});
        assert_eq!(ask(&mut peer, question), refused);
    }
}

#[test]
fn version_4_refuses_what_the_table_says_it_refuses() {
    let mut peer = Dialogue::start("jwt4", "tokens.py", &[], &[]);
    let recipes = &gnar::requests()["tokens"];
    for (name, text) in [
        ("alg_missing", "Algorithm not specified"),
        ("future_iat", "The token is not yet valid (iat)"),
        ("sub_number", "Subject must be a string"),
        ("signature_strange_characters", "Invalid crypto padding"),
    ] {
        let made = ask(&mut peer, json!({"op": "make", "recipe": recipes[name]}));
        let question =
            json!({"op": "verify", "token": made["token"], "secret": gnar::JWT_SECRET_KEY})
                .to_string();
        let said: Value = serde_json::from_str(&peer.ask(&question)).unwrap();
        assert_eq!(said, json!({"ok": false, "status": 422, "error": text}), "{name}");
    }
}

#[test]
fn a_question_that_raises_does_not_end_the_dialogue() {
    let mut peer = Dialogue::start("jwt4", "tokens.py", &[], &[]);
    assert!(peer.ask("no JSON").contains("exception"));
    assert!(peer.ask(r#"{"op":"create","identity":"a","secret":"s"}"#).contains("token"));
}

#[tokio::test]
async fn the_app_before_a_migration_lets_its_users_in() {
    let folder = tempfile::tempdir().unwrap();
    let users = folder.path().join("users.db").to_string_lossy().into_owned();
    let variables = [("FLASK_DATABASE", users.as_str()), ("FLASK_JWT_SECRET_KEY", SECRET)];
    let added = std::process::Command::new(interpreter("jwt4"))
        .arg(script("jwt4", "add_user.py"))
        .args(["ada@example.org", "correct horse", "Ada"])
        .envs(variables)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .status();
    assert!(added.unwrap().success());
    let app = PythonServer::start("jwt4", "serve.py", &[], &variables);
    let mut connection = Connection::open(app.port).await.unwrap();
    let login = r#"{"email":"ada@example.org","password":"correct horse"}"#;
    let answer = connection.request("POST", "/user/login", login).await.unwrap();
    let tokens: Value = serde_json::from_slice(&answer.body).unwrap();
    let token = tokens["access_token"].as_str().unwrap();
    let head = format!("GET /user/me HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    let mut connection = Connection::open(app.port).await.unwrap();
    connection.send(head.as_bytes()).await.unwrap();
    let me = connection.read_response().await.unwrap().body;
    assert_eq!(String::from_utf8_lossy(&me), "{\"email\":\"ada@example.org\",\"name\":\"Ada\"}\n");
}
