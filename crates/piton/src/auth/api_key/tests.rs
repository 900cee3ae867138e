//! The key of the settings, which needs no database.

use std::sync::Arc;

use secrecy::ExposeSecret;
use serde_json::json;

use super::key::KeyGrant;
use crate::auth::api_key::*;
use crate::config::{Config, Section};
use crate::http::get;
use crate::prelude::App;
use crate::testing::TestApp;

const KEY: &str = "a-key-of-24-characters!!";

async fn strict(key: ApiKey) -> String {
    format!("{:?} {}", key.name(), key.has_scope("anything"))
}

async fn lenient(key: Option<ApiKey>) -> &'static str {
    if key.is_some() { "known" } else { "stranger" }
}

fn app() -> App {
    let app = App::new("keys").blueprints(["none"]).set("log.level", "critical");
    app.route(get("/", strict)).route(get("/lenient", lenient))
}

#[piton::test]
async fn the_single_key_has_every_scope() {
    let app = TestApp::new(app().set("api_key.key", KEY)).await;
    let answer = app.get("/").header("x-api-key", KEY).await;
    assert_eq!((answer.status().as_u16(), &*answer.text()), (200, "None true"));
    assert_eq!(app.get("/lenient").header("x-api-key", KEY).await.text(), "known");
}

#[piton::test]
async fn a_request_without_a_valid_key_gets_401_with_the_header_name_only() {
    let app = TestApp::new(app().set("api_key.key", KEY)).await;
    let missing = app.get("/").await;
    assert_eq!((missing.status().as_u16(), missing.is_problem()), (401, true));
    assert!(missing.text().contains("missing API key"), "{}", missing.text());
    let wrong = app.get("/").header("x-api-key", "a-key-of-24-characters!?").await;
    assert_eq!(wrong.status(), 401);
    assert!(wrong.text().contains("invalid API key"), "{}", wrong.text());
    for answer in [&missing, &wrong] {
        assert_eq!(answer.header("www-authenticate"), "ApiKey header=\"X-API-Key\"");
        assert!(!answer.text().contains("24-char"));
    }
    let twice = app.get("/").header("x-api-key", KEY).header("x-api-key", KEY).await;
    assert_eq!(twice.status(), 401);
    let bearer = app.get("/").header("authorization", "Bearer a-key-of-24-characters!?").await;
    assert_eq!(bearer.status(), 401);
    let text = app.handle().metrics().text();
    assert!(text.contains("api_key_checks_total{outcome=\"missing\"} 1"), "{text}");
    assert!(text.contains("api_key_checks_total{outcome=\"refused\"} 3"), "{text}");
}

#[piton::test]
async fn an_optional_key_must_still_be_valid() {
    let app = TestApp::new(app().set("api_key.key", KEY)).await;
    assert_eq!(app.get("/lenient").await.text(), "stranger");
    assert_eq!(app.get("/lenient").header("authorization", "Bearer eyJ").await.text(), "stranger");
    assert_eq!(app.get("/lenient").header("x-api-key", "wrong").await.status(), 401);
    assert_eq!(app.get("/lenient").header("x-api-key", "").await.text(), "stranger");
}

#[piton::test]
async fn a_key_may_be_a_bearer_token_but_a_jwt_is_not_a_key() {
    let app = TestApp::new(app().set("api_key.key", KEY)).await;
    let bearer = |value: String| app.get("/").header("authorization", &value);
    assert_eq!(bearer(format!("Bearer {KEY}")).await.status(), 200);
    assert_eq!(bearer(format!("ApiKey {KEY}")).await.status(), 200);
    let token = bearer("Bearer eyJhbGciOiJIUzI1NiJ9.e30.x".into()).await;
    assert_eq!(token.status(), 401);
    assert!(token.text().contains("missing API key"), "{}", token.text());
}

#[piton::test]
async fn anonymous_access_is_possible_only_on_a_developers_machine() {
    let empty = TestApp::new(app().allow_anonymous_locally()).await;
    assert_eq!(empty.get("/").header("x-api-key", "").await.status(), 200, "nobody filled it in");
    let closed = TestApp::new(app()).await;
    assert_eq!(closed.get("/").await.status(), 401, "it has to be said in code");
    let open = TestApp::new(app().allow_anonymous_locally()).await;
    let answer = open.get("/").await;
    assert_eq!((answer.status().as_u16(), &*answer.text()), (200, "None true"));
    assert_eq!(open.get("/").header("x-api-key", "wrong").await.status(), 401);
    let with_key = TestApp::new(app().allow_anonymous_locally().set("api_key.key", KEY)).await;
    assert_eq!(with_key.get("/").await.status(), 401);
    for (setting, value) in [("environment", json!("staging")), ("production", json!(true))] {
        let start = app().allow_anonymous_locally().set(setting, value).into_router();
        let report = start.await.expect_err("nobody could call").report("keys");
        assert!(report.contains("api_key.key") && report.contains("API_KEY"), "{report}");
    }
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
#[piton::test]
async fn a_stored_key_ends_anonymous_access() {
    let app = TestApp::new(app().allow_anonymous_locally().enable::<ApiKeys>()).await;
    assert!(app.handle().api_keys().is_open());
    assert_eq!(app.get("/").await.status(), 200);
    let key = app.handle().api_keys().create("billing", &[], None).await.expect("it is made");
    assert_eq!(app.get("/").await.status(), 401);
    let answer = app.get("/").header("x-api-key", key.key.expose_secret()).await;
    assert_eq!(answer.status(), 200);
    assert!(!app.handle().api_keys().is_open(), "the document says so too");
    app.handle().api_keys().revoke("billing").await.expect("it is there");
    assert_eq!(app.get("/").await.status(), 401, "whoever makes keys does not go back to none");
}

#[piton::test]
async fn the_header_can_have_another_name() {
    let app = app().set("api_key.key", KEY).set("api_key.header", "X-Gateway-Key");
    let app = TestApp::new(app).await;
    assert_eq!(app.get("/").header("x-gateway-key", KEY).await.status(), 200);
    let answer = app.get("/").header("x-api-key", KEY).await;
    assert_eq!(answer.header("www-authenticate"), "ApiKey header=\"X-Gateway-Key\"");
}

#[piton::test]
async fn production_refuses_a_short_key() {
    let start = |key: &'static str| app().set("api_key.key", key).production(true).into_router();
    let error = start("test-key").await.expect_err("it is short");
    let report = error.report("keys");
    assert!(report.contains("api_key.key") && report.contains("at least 16"), "{report}");
    assert!(!report.contains("test-key"), "{report}");
    assert!(start(KEY).await.is_ok());
}

#[test]
fn a_key_is_read_from_each_of_its_variables_and_hidden_in_problems() {
    static SECTION: Section = Section::of::<ApiKeySettings>("api_key");
    for (variable, value, good) in [
        ("API_KEY", KEY, true),
        ("GNAR_API_KEY", KEY, true),
        ("GNAR_API_KEY_KEY", KEY, true),
        ("API_KEY", "two words of mine", false),
        ("API_KEY", "eyJhbGciOiJIUzI1NiJ9-of mine", false),
        ("GNAR_API_KEY_HEADER", "not a header", false),
        ("GNAR_API_KEY_HEADER", "Authorization", false),
    ] {
        let loader = Config::loader("GNAR").app("x").env([(variable, value)]);
        let (config, mut problems) = loader.load(&[&SECTION]);
        let settings: ApiKeySettings = config.read("api_key", &mut problems);
        assert_eq!(problems.is_empty(), good, "{problems}");
        assert!(!problems.to_string().contains("of mine"), "{problems}");
        assert!(!good || settings.key.is_some());
        let shown = format!("{:?}", config.describe(&[&SECTION]));
        assert!(!shown.contains(KEY), "{shown}");
    }
}

#[test]
fn a_scope_is_that_scope_and_no_other() {
    let key = |scopes: &[&str]| {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        ApiKey(Arc::new(KeyGrant { stored: Some(("id".into(), "name".into())), scopes }))
    };
    let reader = key(&["companies:read", "people:read"]);
    assert!(reader.has_scope("companies:read") && reader.require_scope("people:read").is_ok());
    for other in ["companies:write", "companies", "companies:rea", "*", ""] {
        let error = reader.require_scope(other).expect_err(other);
        assert_eq!(error.status(), 403);
    }
    assert!(!key(&[]).has_scope("*") && key(&["*"]).has_scope("x"));
    assert_eq!(ApiKey::single().id(), None);
}
