//! The request of a call: target, body, headers, and what is forwarded of the request being handled.

use axum::http::HeaderMap as Headers;
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::*;
use crate::context;
use crate::http::{Json, get};
use http::Method;

use crate::prelude::Result as Answered;
use crate::request::caller::Caller;
use crate::testing::{TestApp, TestServer};

#[piton::test]
async fn a_peer_is_called_by_the_name_in_the_settings() {
    let peer = Scripted::new(&[&ok(r#"{"name":"Ann"}"#)]).await;
    let app = caller(app().set("client.peers.off-piste", peer.address.to_string())).await;
    let off_piste = app.handle().peer("off-piste").unwrap();
    let user: Value = off_piste.get("user/me?a=1").send().await.unwrap().json().await.unwrap();
    assert_eq!(user, json!({"name": "Ann"}));
    let query = [("b", "ü & x"), ("c", "2")];
    off_piste.get("/user/me?a=1").query(&query).send().await.unwrap();
    let seen = peer.seen();
    assert!(seen[0].starts_with("GET /user/me?a=1 HTTP/1.1\r\n"), "{seen:?}");
    assert!(seen[1].starts_with("GET /user/me?a=1&b=%C3%BC+%26+x&c=2 HTTP/1.1"), "{seen:?}");
    assert_eq!(header(&seen[0], "host"), Some(&*peer.address.to_string()));
    assert_eq!(header(&seen[0], "user-agent"), Some("caller/0"));
    assert_eq!(header(&seen[0], "x-request-id"), None, "there is no request");
    assert_eq!(header(&seen[0], "traceparent").map(str::len), Some(55));
}

#[piton::test]
async fn an_unknown_peer_is_an_error_that_says_what_to_set() {
    let app = caller(app()).await;
    let error = app.handle().peer("off-piste").unwrap_err();
    assert_eq!((error.kind(), error.peer()), (Kind::UnknownPeer, Some("off-piste")));
    let expected = "peer off-piste: its address is not configured: set \
                    PITON_OFF_PISTE_SERVICE_PORT=host:port, or the setting `client.peers.off-piste`";
    assert_eq!(error.to_string(), expected);
}

#[piton::test]
async fn every_method_and_every_kind_of_body_arrives() {
    let server = Scripted::new(&[&ok("")]).await;
    let app = caller(app()).await;
    let external = app.handle().external();
    let url = server.url("/x");
    for call in [
        external.get(&url),
        external.head(&url),
        external.post(&url).json(&json!({"a": 1})),
        external.put(&url).form(&[("a", "1"), ("b", "x y")]),
        external.patch(&url).body("plain").header("content-type", "text/plain"),
        external.delete(&url),
        external.request(Method::OPTIONS, &url),
    ] {
        assert_eq!(call.send().await.unwrap().status(), 200);
    }
    let seen = server.seen();
    let methods: Vec<&str> = seen.iter().map(|it| it.split(' ').next().unwrap()).collect();
    assert_eq!(methods, ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
    assert!(seen[2].ends_with("\r\n\r\n{\"a\":1}"));
    assert_eq!(header(&seen[2], "content-type"), Some("application/json"));
    assert!(seen[3].ends_with("\r\n\r\na=1&b=x+y"));
    assert_eq!(header(&seen[3], "content-type"), Some("application/x-www-form-urlencoded"));
    assert!(seen[4].ends_with("\r\n\r\nplain"));
    assert_eq!(header(&seen[4], "content-type"), Some("text/plain"));
}

#[piton::test]
async fn a_form_with_files_arrives_with_its_length() {
    let server = Scripted::new(&[&ok("")]).await;
    let app = caller(app()).await;
    let form = Multipart::new().text("title", "Snow").file("f", "s.png", "image/png", &b"PNG"[..]);
    let call = app.handle().external().post(&server.url("/")).multipart(form);
    assert_eq!(call.send().await.unwrap().status(), 200);
    let seen = &server.seen()[0];
    assert!(header(seen, "content-type").unwrap().starts_with("multipart/form-data; boundary="));
    assert!(header(seen, "content-length").is_some(), "{seen}");
    assert!(seen.contains("name=\"title\"\r\n\r\nSnow\r\n"), "{seen}");
    assert!(seen.contains("filename=\"s.png\"\r\nContent-Type: image/png\r\n\r\nPNG"), "{seen}");
    let form = Multipart::new().file("f", "s", "no type", &b""[..]);
    let error = app.handle().external().post(&server.url("/")).multipart(form).send().await;
    assert_eq!(error.unwrap_err().kind(), Kind::Invalid);
}

#[piton::test]
async fn credentials_become_a_header_also_those_in_a_url() {
    let server = Scripted::new(&[&ok("")]).await;
    let app = caller(app()).await;
    let external = app.handle().external();
    let url = server.url("/").replace("http://", "http://us%40er:se+cret@");
    external.get(&url).send().await.unwrap();
    external.get(&url).bearer("token").send().await.unwrap();
    external.get(&server.url("/")).basic("us@er", "se+cret").send().await.unwrap();
    let seen = server.seen();
    let sent = |at: usize| header(&seen[at], "authorization");
    assert_eq!(sent(0), Some("Basic dXNAZXI6c2UrY3JldA=="));
    assert_eq!(sent(1), Some("Bearer token"), "what is said later wins");
    assert_eq!(sent(2), sent(0));
    assert!(!seen[0].contains("cret@"));
}

/// Returns the headers that a called service received.
async fn told(headers: Headers) -> Json<Value> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    Json(json!({
        "trace": crate::trace().map(|trace| trace.trace_id()),
        "traceparent": text("traceparent"),
        "tracestate": text("tracestate"),
        "x-request-id": text("x-request-id"),
        "authorization": text("authorization"),
    }))
}

struct Ann;

impl Caller for Ann {
    fn authorization(&self) -> Option<HeaderValue> {
        Some(HeaderValue::from_static("Bearer of-ann"))
    }

    fn add_response_headers(&self, _: &mut HeaderMap) {}
}

async fn ask(peers: Peers, headers: Headers) -> Answered<Json<Value>> {
    context::current(|request| drop(request.caller.set(Arc::new(Ann))));
    let mut call = peers.peer("teller")?.get("told").auto_auth();
    if headers.contains_key("x-own") {
        call = call.bearer("of-the-service").header("x-request-id", "mine");
        call = call.header("tracestate", "mine=1");
    }
    Ok(Json(call.send().await?.json().await?))
}

async fn ask_plainly() -> Answered<Json<Value>> {
    context::current(|request| drop(request.caller.set(Arc::new(Ann))));
    Ok(Json(crate::app().peer("teller")?.get("told").send().await?.json().await?))
}

async fn asking(teller: &TestServer) -> TestApp {
    let routes = app().route(get("/ask", ask)).route(get("/plain", ask_plainly));
    caller(routes.set("client.peers.teller", teller.address().to_string())).await
}

#[piton::test]
async fn the_request_id_and_the_trace_are_forwarded() {
    let teller = TestServer::start(App::new("teller").route(get("/told", told))).await;
    let app = asking(&teller).await;
    let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let answer = app.get("/ask").header("traceparent", given).await;
    let told: Value = answer.json();
    assert_eq!(told["x-request-id"], answer.header("x-request-id"));
    assert_eq!(told["trace"], "4bf92f3577b34da6a3ce929d0e0e4736");
    let traceparent = told["traceparent"].as_str().unwrap();
    assert!(traceparent.ends_with("-01") && traceparent != given, "a span of its own");

    let answer = app.get("/ask").await;
    let told: Value = answer.json();
    assert_eq!(told["trace"], answer.header("x-request-id"), "a trace that begins here");
}

#[piton::test]
async fn tracestate_is_forwarded_with_its_trace() {
    let teller = TestServer::start(App::new("teller").route(get("/told", told))).await;
    let app = asking(&teller).await;
    let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let with = |traceparent: &str| {
        let request = app.get("/ask").header("traceparent", traceparent);
        request.header("tracestate", "a=1").header("tracestate", "b=2")
    };
    assert_eq!(with(given).await.json::<Value>()["tracestate"], "a=1,b=2");
    assert_eq!(with("none").await.json::<Value>()["tracestate"], Value::Null);
    let told: Value = with(given).header("x-own", "1").await.json();
    assert_eq!(told["tracestate"], "mine=1", "what the code says wins");
    let long = "x".repeat(513);
    let told = app.get("/ask").header("traceparent", given).header("tracestate", &long).await;
    assert_eq!(told.json::<Value>()["tracestate"], Value::Null);
}

#[piton::test]
async fn the_callers_authorization_is_forwarded_only_with_auto_auth() {
    let teller = TestServer::start(App::new("teller").route(get("/told", told))).await;
    let app = asking(&teller).await;
    assert_eq!(app.get("/ask").await.json::<Value>()["authorization"], "Bearer of-ann");
    assert_eq!(app.get("/plain").await.json::<Value>()["authorization"], Value::Null);
    let told: Value = app.get("/ask").header("x-own", "1").await.json();
    assert_eq!(told["authorization"], "Bearer of-the-service", "what the code says wins");
    assert_eq!(told["x-request-id"], "mine");
}

#[test]
fn a_handler_that_takes_peers_starts_the_client() {
    let mut operation = Operation::default();
    <Peers as Input>::describe(&mut operation);
    let asked: Vec<_> = operation.needs.0.iter().map(|need| need.id).collect();
    assert_eq!(asked, [std::any::TypeId::of::<External>()]);
}
