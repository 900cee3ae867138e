//! Tests of the service over HTTP.

use piton::serde_json::{Value, json};
use piton::testing::TestApp;

/// The key that signs the tokens of both services.
const KEY: &str = "the-key-of-the-tests-32-bytes-ok!";

async fn off_piste() -> TestApp {
    TestApp::new(off_piste::app().set("log.level", "critical").set("jwt.secret_key", KEY)).await
}

fn token(app: &TestApp, email: &str) -> String {
    app.handle().tokens().access(email).sign().expect("there is a key")
}

#[piton::test]
async fn the_status_needs_no_token() {
    let app = off_piste().await;
    let answer = app.get("/user/get").await;
    assert_eq!(answer.json::<Value>(), json!({ "status": "ok" }));
    assert_eq!(answer.header("authorization"), "");
}

#[piton::test]
async fn a_response_identifies_the_user_and_renews_the_token() {
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
async fn an_anonymous_client_is_refused() {
    let app = off_piste().await;
    assert_eq!(app.get("/user/me").await.status(), 401);
    let other = TestApp::new(off_piste::app().set("log.level", "critical")).await;
    let strange = format!("Bearer {}", token(&other, "ada@example.org"));
    let answer = app.get("/user/me").header("authorization", &strange).await;
    assert_eq!(answer.status(), 401, "{}", answer.text());
    assert!(answer.is_problem());
}
