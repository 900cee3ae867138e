//! The documents of the services as users' tools read them: linters, generated clients that call every
//! operation of the live services, httpyac, a validating proxy.
//!
//! The ignored ones are long; `cargo xtask chaos --only clients` installs what they need and runs them.

use serde_json::Value;
use test_support::generated_clients::{self, API_KEY, FormsService, Prism, ServicesUnderTest};
use test_support::node::{self, ProcessOutput, newman};
use test_support::programs;

/// Fails unless the script ended well, having called as many operations as there are.
fn called_every_operation(ran: &ProcessOutput) {
    called(ran, &[("registry", 8), ("piste", 7)]);
}

/// Fails unless the script ended well, having called this many operations of each service at least.
fn called(ran: &ProcessOutput, least: &[(&str, u64)]) {
    assert!(ran.succeeded, "{}", ran.output);
    let seen: Value = serde_json::from_str(&ran.last_line).unwrap();
    for &(name, operations) in least {
        let (called, calls) = (&seen[name]["operations"], &seen[name]["calls"]);
        assert!(called.as_u64() >= Some(operations), "{name}: {}", ran.last_line);
        assert!(calls.as_u64() > called.as_u64(), "{name}: {}", ran.last_line);
    }
}

#[tokio::test]
async fn redocly_and_spectral_find_no_fault_in_the_documents() {
    let folder = tempfile::tempdir().unwrap();
    let documents = ["registry", "piste"].map(|name| folder.path().join(name));
    for (name, out) in ["registry", "piste"].into_iter().zip(&documents) {
        let written =
            test_support::service::run(name, &["openapi", "--out", out.to_str().unwrap()], &[])
                .await;
        assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
    }
    let documents = documents.map(|out| out.join("openapi.json").to_str().unwrap().to_owned());
    let linted = node::script("linters", "lint.mjs", &documents.each_ref().map(|it| &**it)).await;
    assert!(linted.succeeded, "{}", linted.output);
}

#[tokio::test]
async fn a_client_of_openapi_python_client_calls_every_operation() {
    let services = ServicesUnderTest::start().await;
    let ran = programs::python("openapi_python_client", "call.py", &[&services.file()]).await;
    called_every_operation(&ran);
}

#[tokio::test]
async fn a_client_of_openapi_fetch_compiles_and_calls_every_operation() {
    let services = ServicesUnderTest::start().await;
    let ran = node::script("openapi-fetch", "run.mjs", &[&services.file()]).await;
    called_every_operation(&ran);
}

#[tokio::test]
async fn what_generated_clients_send_is_read_as_meant() {
    let forms = FormsService::start().await;
    let linted = node::script("linters", "lint.mjs", &["--errors-only", &forms.document()]).await;
    assert!(linted.succeeded, "{}", linted.output);
    let ran = programs::python("openapi_python_client", "call.py", &[&forms.file()]).await;
    called(&ran, &[("forms", 7)]);
    let ran = node::script("openapi-fetch", "run.mjs", &[&forms.file()]).await;
    called(&ran, &[("forms", 7)]);
}

#[tokio::test]
#[ignore = "long: cargo xtask chaos --only clients"]
async fn what_openapi_generators_client_sends_is_read_as_meant() {
    let forms = FormsService::start().await;
    let ran = programs::python("openapi_generator", "call.py", &[&forms.file()]).await;
    called(&ran, &[("forms", 7)]);
    let ran = programs::python("openapi_generator", "integers.py", &[&forms.document()]).await;
    assert!(ran.succeeded, "{}", ran.output);
}

#[tokio::test]
async fn httpyac_sends_every_request_of_the_http_files() {
    let services = ServicesUnderTest::start().await;
    let token = format!("token={}", services.token("ada@example.com").await);
    let key = format!("apiKey={API_KEY}");
    // The token that activates the account of the example is in a letter.
    let piste = [&*token, "user_login:403", "user_activate:404"];
    // No task has the made-up id.
    let registry = [&*key, "status_route_task_status:404"];
    for (name, options) in [("registry", &registry[..]), ("piste", &piste)] {
        let folder = services.documents(name);
        let file = |file: &str| folder.join(file).to_str().unwrap().to_owned();
        let (requests, document) = (file(&format!("{name}.http")), file("openapi.json"));
        let base_url = format!("baseUrl={}", services.url(name));
        let arguments = [&[&*requests, &*document, &*base_url], options].concat();
        let sent = node::script("httpyac", "send.mjs", &arguments).await;
        assert!(sent.succeeded, "{name}: {}", sent.output);
    }
}

#[tokio::test]
async fn no_answer_and_no_request_that_is_accepted_violates_the_document_for_prism() {
    let services = ServicesUnderTest::start().await;
    let _proxies = services.with_proxies().await;
    let arguments = [&*services.file(), "--through-prism"];
    let ran = node::script("openapi-fetch", "run.mjs", &arguments).await;
    called_every_operation(&ran);
}

#[tokio::test]
#[ignore = "long: cargo xtask chaos --only clients"]
async fn an_answer_that_violates_the_document_is_seen_by_prism() {
    let services = ServicesUnderTest::start().await;
    let [registry, piste] =
        ["registry", "piste"].map(|name| services.documents(name).join("openapi.json"));
    let text = std::fs::read_to_string(&piste).unwrap();
    let mut document: Value = serde_json::from_str(&text).unwrap();
    document["components"]["schemas"]["Me"]["properties"]["active"]["type"] = "string".into();
    let other = services.documents("piste").join("other.json");
    std::fs::write(&other, document.to_string()).unwrap();
    let _proxies = services.with_proxies_of([&registry, &other]).await;
    let arguments = [&*services.file(), "--through-prism"];
    let ran = node::script("openapi-fetch", "run.mjs", &arguments).await;
    assert!(
        !ran.succeeded && ran.output.contains("user_me 200 response.body.active"),
        "{}",
        ran.output
    );
}

#[tokio::test]
#[ignore = "long: cargo xtask chaos --only clients"]
async fn the_postman_collection_passes_a_prism_that_refuses_violations() {
    let services = ServicesUnderTest::start().await;
    let folder = services.documents("registry");
    let document = folder.join("openapi.json");
    let proxy = Prism::spawn(&document, &services.url("registry"), &["--errors"]);
    proxy.ready().await;
    let collection = folder.join("postman_collection.json");
    let (base_url, key) = (format!("baseUrl={}", proxy.url()), format!("apiKey={API_KEY}"));
    let arguments = [collection.to_str().unwrap(), "--env-var", &base_url, "--env-var", &key];
    let ran = newman(&arguments).await;
    assert!(ran.succeeded, "{}", ran.output);
}

#[tokio::test]
#[ignore = "long: cargo xtask chaos --only clients"]
async fn a_client_of_openapi_generator_in_python_calls_every_operation() {
    let services = ServicesUnderTest::start().await;
    let ran = programs::python("openapi_generator", "call.py", &[&services.file()]).await;
    called_every_operation(&ran);
}

#[tokio::test]
#[ignore = "long: cargo xtask chaos --only clients"]
async fn a_client_of_openapi_generator_in_java_compiles_and_calls_every_operation() {
    let services = ServicesUnderTest::start().await;
    called_every_operation(&generated_clients::java(&services).await);
}

#[tokio::test]
#[ignore = "long: cargo xtask chaos --only clients"]
async fn other_languages_have_integers_wide_enough() {
    let services = ServicesUnderTest::start().await;
    for name in ["registry", "piste"] {
        let document = services.documents(name).join("openapi.json");
        let arguments = [document.to_str().unwrap()];
        let ran = programs::python("openapi_generator", "integers.py", &arguments).await;
        assert!(ran.succeeded, "{}", ran.output);
    }
}
