//! Tests of the service over HTTP.

#![expect(clippy::unwrap_used, reason = "a test that unwraps fails with the line")]

mod config;
mod explain;
mod messages;
mod openapi;
mod passwords;
mod peer;
mod users;

use piton::prelude::*;
use piton::serde_json::{Value, json};
use piton::testing::{TestApp, TestResponse};

/// The key that signs the tokens of both services.
const KEY: &str = "the-key-of-the-tests-32-bytes-ok!";

/// The service with passwords that are hashed at no cost, and with unreachable Amazon endpoints.
fn quiet() -> App {
    let mut app = piste::app()
        .set("log.level", "critical")
        .set("jwt.secret_key", KEY)
        .set("password.profile", "cheapest");
    for section in ["sqs", "ses"] {
        app = app
            .set(format!("{section}.endpoint_url"), "http://127.0.0.1:1")
            .set(format!("{section}.region_name"), "us-east-1")
            .set(format!("{section}.access_key_id"), "id")
            .set(format!("{section}.secret_access_key"), "secret");
    }
    app
}

/// Launches the service on a SQLite file of its own.
async fn on_a_file(app: App) -> TestApp {
    TestApp::new(app).await
}

/// Launches the service on a PostgreSQL database of its own.
async fn on_a_server(app: App) -> TestApp {
    TestApp::new(app.set("db.url", test_support::postgres::database())).await
}

/// Defines a test on each database for each function: the same requests, the same answers.
macro_rules! on_both {
    ($(async fn $name:ident($app:ident) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn check($app: TestApp) $body

            #[piton::test]
            async fn on_sqlite() {
                check($crate::on_a_file($crate::quiet()).await).await;
            }

            #[piton::test]
            async fn on_postgres() {
                check($crate::on_a_server($crate::quiet()).await).await;
            }
        }
    )*};
}
use on_both;

async fn signup(app: &TestApp, email: &str, password: &str) -> TestResponse {
    app.post("/user/signup").json(&json!({ "email": email, "password": password })).await
}

async fn login(app: &TestApp, email: &str, password: &str) -> TestResponse {
    app.post("/user/login").json(&json!({ "email": email, "password": password })).await
}

/// `GET` with a token.
async fn get_as(app: &TestApp, path: &str, token: &str) -> TestResponse {
    app.get(path).header("authorization", &format!("Bearer {token}")).await
}

/// What the letter to this user holds.
async fn activation_token(app: &TestApp, email: &str) -> String {
    let sql = "SELECT activation_token FROM users WHERE email = $1";
    let found: Option<(String,)> = app.handle().db().one(sql, (email,)).await.unwrap();
    found.unwrap().0
}

/// Somebody who can come in.
async fn activated(app: &TestApp, email: &str, password: &str) {
    assert_eq!(signup(app, email, password).await.status(), 200);
    let token = activation_token(app, email).await;
    assert_eq!(app.get(&format!("/user/activate/{token}")).await.status(), 200);
}

/// What lets somebody in.
async fn token_of(app: &TestApp, email: &str, password: &str) -> String {
    let answer = login(app, email, password).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer.json::<Value>()["token"].as_str().unwrap().to_owned()
}

/// The status and the words of a refusal.
#[track_caller]
fn refusal(answer: &TestResponse) -> (u16, String) {
    assert!(answer.is_problem(), "{} {}", answer.status(), answer.text());
    let problem: Value = answer.json();
    (answer.status().as_u16(), problem["detail"].as_str().unwrap_or_default().to_owned())
}
