//! The service through the doors its users use.

use piton::prelude::*;
use piton::serde_json::{Value, json};

/// What signs the tokens of both services.
const KEY: &str = "the-key-of-the-tests-32-bytes-ok!";

async fn off_piste() -> TestApp {
    TestApp::new(off_piste::app().set("log.level", "critical").set("jwt.secret_key", KEY)).await
}

fn token(app: &TestApp, email: &str) -> String {
    app.handle().tokens().access(email).sign().expect("there is a key")
}

#[piton::test]
async fn it_says_that_it_is_there_to_anybody() {
    let app = off_piste().await;
    let answer = app.get("/user/get").await;
    assert_eq!(answer.json::<Value>(), json!({ "status": "ok" }));
    assert_eq!(answer.header("authorization"), "");
}

#[piton::test]
async fn it_says_who_is_calling_and_renews_their_token() {
    let app = off_piste::app().set("log.level", "critical").set("jwt.secret_key", KEY);
    let app = TestApp::new(app.set("jwt.renew", true)).await;
    let token = token(&app, "ada@example.org");
    let answer = app.get("/user/me").header("authorization", &format!("Bearer {token}")).await;
    let expected = json!({ "email": "ada@example.org", "service": "off-piste" });
    assert_eq!(answer.json::<Value>(), expected);
    let renewed = answer.header("authorization");
    assert!(renewed.starts_with("Bearer ") && !renewed.ends_with(&token));
    assert_eq!(app.get("/user/me").header("authorization", renewed).await.status(), 200);
}

#[piton::test]
async fn a_stranger_is_refused() {
    let app = off_piste().await;
    assert_eq!(app.get("/user/me").await.status(), 401);
    let other = TestApp::new(off_piste::app().set("log.level", "critical")).await;
    let strange = format!("Bearer {}", token(&other, "ada@example.org"));
    let answer = app.get("/user/me").header("authorization", &strange).await;
    assert_eq!(answer.status(), 401, "{}", answer.text());
    assert!(answer.is_problem());
}
