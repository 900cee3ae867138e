//! Requests with a `Content-Encoding` that is not decoded.

use std::sync::atomic::{AtomicUsize, Ordering};

use piton::bytes::Bytes;
use piton::http::{Json, post};
use piton::prelude::*;
use piton::serde_json::{Value, json};
use piton::testing::TestApp;

static CALLS: AtomicUsize = AtomicUsize::new(0);

async fn count(Json(value): Json<Value>) -> Json<Value> {
    CALLS.fetch_add(1, Ordering::Relaxed);
    Json(value)
}

async fn raw(body: Bytes) -> Bytes {
    body
}

fn app() -> App {
    App::new("coded").no_scan().route(post("/json", count)).route(post("/raw", raw))
}

#[piton::test]
async fn an_encoded_body_is_refused_before_the_handler_with_what_is_supported() {
    let app = TestApp::new(app()).await;
    let send = |coding: &str| {
        let request = app.post("/json").header("content-encoding", coding);
        request.json(&json!({ "a": 1 }))
    };
    for coding in ["gzip", "GZIP", "br", "zstd", "deflate", "compress", "identity, gzip", "\u{e9}"]
    {
        let answer = send(coding).await;
        assert_eq!((answer.status().as_u16(), answer.is_problem()), (415, true), "{coding}");
        assert_eq!(answer.header("accept-encoding"), "identity", "{coding}");
        assert!(answer.text().contains("content-encoding"), "{}", answer.text());
    }
    assert_eq!(CALLS.load(Ordering::Relaxed), 0);
    for coding in ["identity", "Identity", "", " , "] {
        assert_eq!(send(coding).await.text(), r#"{"a":1}"#, "{coding}");
    }
    let without_body = app.post("/raw").header("content-encoding", "gzip").await;
    assert_eq!(without_body.status(), 200);
}

#[piton::test]
async fn a_handler_may_take_encoded_bodies_as_they_are() {
    let app = TestApp::new(app().set("http.encoded_requests", "forward")).await;
    let send = |path: &str| app.post(path).header("content-encoding", "gzip").body("\u{1f}x");
    assert_eq!(send("/raw").await.text(), "\u{1f}x");
    assert_ne!(send("/json").await.status(), 200);
}

#[cfg(not(feature = "compression"))]
#[piton::test]
async fn decoding_needs_the_feature() {
    let start = app().set("http.encoded_requests", "decode").into_router().await;
    let report = start.expect_err("it cannot decode").report("coded");
    assert!(report.contains("http.encoded_requests") && report.contains("compression"), "{report}");
}
