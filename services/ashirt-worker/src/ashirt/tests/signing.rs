//! Tests that the sent request is the signed one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue};
use serde_json::Value;

use super::super::api_call::ApiCall;
use super::super::{Client, NewOperation, Settings, signature};
use super::server::{Seen, Server, Then, answer};
use super::{ACCESS, SECRET, client, metadata, settings};

/// Returns whether the request carries the signature of `target`, its date and its body.
fn is_signed_as(request: &Seen, target: &str) -> bool {
    let date = httpdate::parse_http_date(&request.headers["date"]).unwrap();
    let (access, secret) = (ACCESS.parse().unwrap(), SECRET.parse().unwrap());
    let method = request.method.parse().unwrap();
    let signature = signature::sign(&access, &secret, &method, target, &request.body, date);
    request.headers["authorization"] == signature.authorization
}

#[test]
fn requests_are_signed_as_in_all_seven_recorded_vectors() {
    let vectors: Vec<Value> =
        serde_json::from_str(include_str!("../../../testdata/test_vectors.json")).unwrap();
    assert_eq!(vectors.len(), 7);
    for vector in vectors {
        let text = |name: &str| vector[name].as_str().unwrap().to_owned();
        let now = httpdate::parse_http_date(&text("date")).unwrap();
        let (access, secret) = (text("access_key"), text("secret_key_b64"));
        let url = "http://backend:3000".parse().unwrap();
        let settings = Settings::new(url, access.parse().unwrap(), secret.parse().unwrap());
        let client = Client::new(settings).unwrap().with_clock(move || now);
        let mut call = ApiCall::get("vector", &["x"]).unwrap();
        call.method = text("method").parse().unwrap();
        call.target = text("path");
        call.body = STANDARD.decode(text("body_b64")).unwrap().into();
        let request = client.request(&call).unwrap();
        assert_eq!(request.headers()["date"], text("date"));
        assert_eq!(request.headers()["authorization"], text("authorization"), "{}", text("name"));
        assert_eq!(request.uri().path_and_query().unwrap().as_str(), text("path"));
    }
}

#[tokio::test]
async fn a_slug_arrives_as_it_was_signed() {
    let server = Server::always(answer("200 OK", "", "null"), Then::ReadOn).await;
    let client = client(&server);
    let slugs = ["op", "two words", "100%", "%2d", "a#b", "a?b=c", "a/b", ".", "..", "é", "\"\\"];
    for slug in slugs {
        client.upsert_evidence_metadata(slug, "..", &metadata()).await.unwrap();
        client.search_evidence(slug, "tag:\"a b\"&x=1#").await.unwrap();
    }
    let seen = server.seen();
    assert_eq!(seen.len(), 2 * slugs.len());
    assert!(seen.iter().all(|request| is_signed_as(request, &request.target)), "{seen:?}");
    assert_eq!(seen[16].target, "/api/operations/%2E%2E/evidence/%2E%2E/metadata");
    assert_eq!(
        seen[3].target,
        "/api/operations/two%20words/evidence?query=tag%3A%22a%20b%22%26x%3D1%23"
    );
}

#[tokio::test]
async fn a_path_before_the_api_is_signed_unless_a_proxy_takes_it_away() {
    let server = Server::always(answer("200 OK", "", "[]"), Then::ReadOn).await;
    let mut settings = settings(&format!("{}/ashirt", server.url()));
    Client::new(settings.clone()).unwrap().operations().await.unwrap();
    settings.sign_prefix = false;
    Client::new(settings).unwrap().operations().await.unwrap();
    let seen = server.seen();
    assert!(seen.iter().all(|request| request.target == "/ashirt/api/operations"), "{seen:?}");
    assert!(is_signed_as(&seen[0], "/ashirt/api/operations"));
    assert!(is_signed_as(&seen[1], "/api/operations"));
}

#[tokio::test]
async fn each_attempt_has_a_date_and_a_signature_of_its_own() {
    let server = Server::always(answer("503 Service Unavailable", "", ""), Then::ReadOn).await;
    let seconds = AtomicU64::new(1_700_000_000);
    let clock = move || {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.fetch_add(7, Ordering::Relaxed))
    };
    client(&server).with_clock(clock).operations().await.unwrap_err();
    let seen = server.seen();
    assert!(seen.iter().all(|request| is_signed_as(request, "/api/operations")));
    let mut dates: Vec<_> = seen.iter().map(|request| &request.headers["date"]).collect();
    dates.dedup();
    assert_eq!(dates.len(), 3, "{dates:?}");
}

#[tokio::test]
async fn more_headers_go_along_but_do_not_replace_ours() {
    let server = Server::always(answer("201 Created", "", "{}"), Then::ReadOn).await;
    let headers = || {
        let mut headers = HeaderMap::new();
        for name in
            ["traceparent", "authorization", "date", "host", "content-length", "content-type"]
        {
            headers.insert(name, HeaderValue::from_static("7"));
        }
        headers
    };
    let operation = NewOperation { slug: "op".to_owned(), name: "Op".to_owned() };
    client(&server).with_headers(headers).create_operation(&operation).await.unwrap();
    let request = &server.seen()[0];
    assert_eq!(request.headers["traceparent"], "7");
    assert!(is_signed_as(request, "/api/operations"));
    assert_eq!(request.headers["content-type"], "application/json");
    assert_eq!(request.headers["content-length"], request.body.len().to_string());
    assert_eq!(format!("http://{}", request.headers["host"]), server.url());
    assert!(!request.headers.contains_key("accept-encoding"));
}

#[tokio::test]
async fn what_would_be_another_route_or_another_search_is_not_sent() {
    let server = Server::always(answer("200 OK", "", "[]"), Then::ReadOn).await;
    let client = client(&server);
    assert!(client.operation_tags("").await.is_err());
    assert!(client.upsert_evidence_metadata("op", "", &metadata()).await.is_err());
    for uuid in ["", "u sort:asc", "u\"", "\"u", "a:b", "a,b", "*", "é"] {
        assert!(client.evidence("op", uuid).await.is_err(), "{uuid}");
    }
    let mut nameless = metadata();
    nameless.source.clear();
    assert!(client.upsert_evidence_metadata("op", "u", &nameless).await.is_err());
    assert!(server.seen().is_empty());
    assert_eq!(client.evidence("op", "seed_har").await.unwrap(), None);
}

#[tokio::test]
async fn of_what_a_search_finds_only_the_uuid_itself_is_taken() {
    let found = r#"[{"uuid":"other"},{"uuid":"u-1","contentType":"image","tags":[{"id":7}]}]"#;
    let server = Server::always(answer("200 OK", "", found), Then::ReadOn).await;
    let evidence = client(&server).evidence("op", "u-1").await.unwrap().unwrap();
    assert_eq!((evidence.content_type.as_str(), evidence.tags[0].id), ("image", 7));
    assert_eq!(server.seen()[0].target, "/api/operations/op/evidence?query=uuid%3Au-1");
    assert_eq!(client(&server).evidence("op", "u-2").await.unwrap(), None);
}
