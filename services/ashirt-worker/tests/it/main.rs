//! The worker through the doors its users use.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod ashirt;
mod client;
mod config;
mod deferred;
mod load;
mod process;
mod program;
mod recorded;

use piton::prelude::*;
use piton::serde_json::{Value, json};
use piton::testing::TestServer;
use test_support::ashirt_backend::{ACCESS_KEY, SECRET_KEY};

/// The worker of an ASHIRT.
fn worker_of(ashirt: &TestServer) -> App {
    ashirt_worker::app()
        .set("log.level", "critical")
        .set("ashirt.backend_url", format!("http://{}", ashirt.address()))
        .set("ashirt.access_key", ACCESS_KEY)
        .set("ashirt.secret_key", SECRET_KEY)
        .set("ashirt.retries", 0)
}

/// The message that ASHIRT sends of evidence.
fn evidence(content_type: &str, uuid: &str) -> Value {
    json!({
        "type": "evidence_created", "evidenceUuid": uuid, "operationSlug": "op",
        "contentType": content_type, "globalVariables": null, "operationVariables": null,
    })
}
