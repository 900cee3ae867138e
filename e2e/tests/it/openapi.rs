//! Descriptions of services, checked by foreign programs: the validator of OpenAPI documents,
//! Postman's Newman, Swagger UI in Chromium, Schemathesis.

use std::process::Command;

use serde_json::{Value, json};
use test_support::node::{self, newman};
use test_support::python::{interpreter, script};
use test_support::schemathesis::fuzz;
use test_support::service::{self, Service};

/// In the header that the registry looks at, where it asks for a key.
const KEY: &str = "the key of the end-to-end tests";

/// A fresh registry on SQLite.
async fn registry() -> Service {
    registry_with(&[]).await
}

/// A fresh registry with these variables.
async fn registry_with(variables: &[(&str, &str)]) -> Service {
    let port = test_support::free_port();
    let key = KEY.replace(' ', "-");
    let arguments = ["--host", "127.0.0.1", "--port", &port.to_string()];
    let variables = [&[("API_KEY", key.as_str())], variables].concat();
    let service = Service::spawn("registry", port, &arguments, &variables, None);
    service.ready().await;
    service
}

/// The files that `openapi --out` writes.
async fn files(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let written = service::run(name, &["openapi", "--out", out], &[]).await;
    assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
    folder
}

#[tokio::test]
async fn the_documents_are_valid() {
    for name in ["registry", "piste"] {
        let folder = files(name).await;
        let validated = Command::new(interpreter("openapi"))
            .arg(script("openapi", "validate.py"))
            .arg(folder.path().join("openapi.json"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&validated.stdout);
        assert!(validated.status.success(), "{name}: {said}");
    }
}

#[tokio::test]
async fn the_postman_collection_works_against_a_fresh_service() {
    let (service, folder) = (registry().await, files("registry").await);
    let collection = folder.path().join("postman_collection.json");
    let base_url = format!("baseUrl=http://127.0.0.1:{}", service.port);
    let key = format!("apiKey={}", KEY.replace(' ', "-"));
    let arguments = [collection.to_str().unwrap(), "--env-var", &base_url, "--env-var", &key];
    let ran = newman(&arguments).await;
    assert!(ran.succeeded, "{}", ran.output);
    assert!(ran.output.contains("It matches the documented schema"), "{}", ran.output);
    // The second time the company is there already: a collection that could not fail would not see it.
    let again = newman(&arguments).await;
    assert!(!again.succeeded && again.output.contains("expected 409"), "{}", again.output);
}

#[tokio::test]
async fn swagger_ui_works_with_no_network() {
    let service = registry().await;
    let folder = tempfile::tempdir().unwrap();
    let page = format!("http://127.0.0.1:{}/api/doc", service.port);
    let key = KEY.replace(' ', "-");
    let arguments = [&*page, folder.path().to_str().unwrap(), &key, "companies/companies_list"];
    let used = node::script("browser", "swagger-ui.js", &arguments).await;
    assert!(used.succeeded, "{}", used.output);
    let seen: Value = serde_json::from_str(&used.last_line).unwrap();
    assert_eq!(seen["strangers"], json!([]), "the page asks nobody else");
    assert_eq!(seen["complaints"], json!([]), "the page keeps to its own policy");
    assert_eq!((&seen["title"], &seen["status"]), (&json!("Company registry"), &json!(200)));
    assert_ne!(seen["light"], seen["dark"], "the page follows the browser's colours");
    let document =
        test_support::http_client::get(service.port, "/api/openapi.json").await.unwrap().body;
    let document: Value = serde_json::from_slice(&document).unwrap();
    let asks = document["components"]["securitySchemes"].is_object();
    assert_eq!(seen["authorised"], asks, "there is a way in where one is needed");
    assert_eq!(seen["sent"].as_str().unwrap().contains(&key), asks, "{}", seen["sent"]);
    for name in ["swagger-ui-light.png", "swagger-ui-dark.png"] {
        assert!(folder.path().join(name).metadata().unwrap().len() > 10_000);
    }
}

/// Schemathesis finds nothing, whatever it checks.
async fn check(service: Service) {
    let base_url = format!("http://127.0.0.1:{}", service.port);
    let key = KEY.replace(' ', "-");
    let ran = tokio::task::spawn_blocking(move || fuzz(&base_url, ("X-API-Key", &key), 10, &[]));
    let ran = ran.await.unwrap();
    assert!(ran.clean, "{}", ran.report);
    assert!(ran.report.contains("Tested: "), "{}", ran.report);
}

#[tokio::test]
async fn what_the_document_allows_is_taken_and_nothing_else_on_sqlite() {
    check(registry().await).await;
}

#[tokio::test]
async fn what_the_document_allows_is_taken_and_nothing_else_on_postgres_with_redis() {
    let (database, redis) =
        (test_support::postgres::database(), test_support::redis::Redis::start());
    let variables = [("DATABASE_URL", database.as_str()), ("REDIS_URL", &redis.url())];
    check(registry_with(&variables).await).await;
}
