//! Tests of keys, and of the settings that each environment requires.

use piton::LaunchError;
use piton::prelude::*;
use piton::secrecy::ExposeSecret;
use piton::testing::TestApp;

use super::{ONE, company};

const KEY: &str = "0123456789abcdef0123456789abcdef";

async fn registry(key: &str) -> TestApp {
    TestApp::new(registry::app().set("log.level", "critical").set("api_key.key", key)).await
}

#[piton::test]
async fn without_a_key_the_api_is_401_and_the_probes_respond() {
    let app = registry(KEY).await;
    for path in ["/api/companies", "/api/companies/11222333000181", "/api/register/11222333000181"]
    {
        let stranger = app.get(path).await;
        assert_eq!((stranger.status().as_u16(), stranger.is_problem()), (401, true), "{path}");
    }
    let write = app.post("/api/companies").json(&company(ONE, "One", "SP")).await;
    assert_eq!(write.status(), 401);
    assert_eq!(app.get("/livez").await.status(), 200);
    for (name, value) in [("x-api-key", KEY.to_owned()), ("authorization", format!("Bearer {KEY}"))]
    {
        assert_eq!(app.get("/api/companies").header(name, &value).await.status(), 200, "{name}");
    }
    assert_eq!(app.get("/api/companies").header("x-api-key", "other").await.status(), 401);
}

#[piton::test]
async fn a_named_key_is_limited_to_its_scopes() {
    let app = registry(KEY).await;
    let scopes = ["companies:read".to_owned()];
    let keys = app.handle().api_keys();
    let reader = keys.create("reader", &scopes, None).await.expect("it is made");
    let reader = reader.key.expose_secret();
    assert_eq!(app.get("/api/companies").header("x-api-key", reader).await.status(), 200);
    let new = company(ONE, "One", "SP");
    let write = app.post("/api/companies").json(&new).header("x-api-key", reader).await;
    assert_eq!(write.status(), 403);
    assert!(write.text().contains("companies:write"), "{}", write.text());
}

async fn refusal(app: App) -> String {
    let refused: Result<_, LaunchError> = app.set("log.level", "critical").into_router().await;
    refused.expect_err("something is missing").report("registry")
}

#[piton::test]
async fn outside_of_local_all_missing_settings_are_named_at_once() {
    let report = refusal(registry::app().set("environment", "PRODUCTION")).await;
    for said in ["3 settings are wrong", "POSTGRESQL_HOST", "REDIS_HOST", "API_KEY", "`PRODUCTION`"]
    {
        assert!(report.contains(said), "{said}: {report}");
    }
    let server = "postgres://me:secret@127.0.0.1:1/registry";
    let report = refusal(registry::app().set("environment", "staging").set("db.url", server)).await;
    assert!(report.contains("2 settings are wrong") && !report.contains("POSTGRESQL_"), "{report}");
    assert!(!report.contains("secret@"), "{report}");
}

#[piton::test]
async fn production_requires_a_key_even_on_a_developers_machine() {
    let report = refusal(registry::app().production(true)).await;
    assert!(report.contains("API_KEY"), "{report}");
}

#[piton::test]
async fn a_weak_key_is_named_with_all_missing_settings() {
    let app = registry::app().set("environment", "staging").set("api_key.key", "short");
    let report = refusal(app).await;
    assert!(
        report.contains("3 settings are wrong") && report.contains("16 characters"),
        "{report}"
    );
    assert!(!report.contains("short"), "{report}");
}
