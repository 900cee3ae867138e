//! `TestApp` with bodies that do not end, files of forms, and cookies.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use futures_util::{FutureExt, Stream, StreamExt, stream};
use piton::http::{get, post};
use piton::prelude::*;
use piton::serde_json::Value;
use piton::testing::{TestApp, TestMultipart};

/// Returns what the test's request panics with.
async fn panic_of(test: impl Future<Output = ()>) -> String {
    let panic = std::panic::AssertUnwindSafe(test).catch_unwind().await.unwrap_err();
    panic.downcast::<String>().map_or_else(|_| String::new(), |text| *text)
}

fn events(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    let heartbeat = KeepAlive::new().interval(Duration::from_millis(5));
    Sse::new(events).keep_alive(heartbeat).into_response()
}

async fn counted() -> Response {
    events(
        stream::iter(1..)
            .map(|n| Ok(Event::default().id(n.to_string()).data(format!("{{\"n\":{n}}}")))),
    )
}

async fn quiet() -> Response {
    events(stream::pending())
}

async fn flood() -> Response {
    Body::from_stream(stream::repeat(Ok::<_, Infallible>(Bytes::from_static(&[0; 1 << 16]))))
        .into_response()
}

async fn broken() -> Response {
    let parts = [Ok(Bytes::from("half")), Err(std::io::Error::other("the disk is gone"))];
    Body::from_stream(stream::iter(parts)).into_response()
}

async fn body(body: String) -> String {
    body
}

async fn login() -> Response {
    AppendHeaders([("set-cookie", "a=1; Path=/"), ("set-cookie", "b=2; Path=/in")]).into_response()
}

async fn logout() -> Response {
    AppendHeaders([("set-cookie", "a=; Path=/; Max-Age=0")]).into_response()
}

async fn cookies(headers: axum::http::HeaderMap) -> String {
    headers.get("cookie").map_or("", |value| value.to_str().unwrap()).to_owned()
}

async fn moved() -> Redirect {
    Redirect::to("/counted")
}

async fn app() -> TestApp {
    let app = App::new("test_app")
        .blueprints(["none"])
        .set("log.level", "critical")
        .route(get("/counted", counted))
        .route(get("/quiet", quiet))
        .route(get("/flood", flood))
        .route(get("/broken", broken))
        .route(get("/login", login))
        .route(get("/logout", logout))
        .route(get("/in/cookies", cookies))
        .route(get("/moved", moved))
        .route(post("/body", body));
    TestApp::new(app).await
}

#[piton::test]
async fn events_of_an_endless_stream_are_read_one_by_one() {
    let app = app().await;
    let mut events = app.get("/counted").stream().await;
    assert_eq!(events.status(), 200);
    assert_eq!(events.header("content-type"), "text/event-stream");
    for n in 1..=100 {
        let event = events.event().await.unwrap();
        assert_eq!(event.id, Some(n.to_string()));
        assert_eq!(event.json::<Value>()["n"], n);
    }
}

#[piton::test]
async fn an_endless_stream_fails_a_test_instead_of_hanging_it() {
    let app = app().await;
    let short = Duration::from_millis(200);
    let whole = panic_of(async { drop(app.get("/quiet").read_timeout(short).await) }).await;
    assert!(whole.starts_with("GET /quiet: the body has not ended ("), "{whole}");
    assert!(whole.contains("within 200ms; read a stream in parts with `.stream()`"), "{whole}");
    let event = async {
        app.get("/quiet").read_timeout(short).stream().await.event().await;
    };
    let event = panic_of(event).await;
    assert!(event.starts_with("GET /quiet: no event arrived within 200ms"), "{event}");
}

#[piton::test]
async fn an_endless_body_that_is_always_ready_fails_a_test_too() {
    let app = app().await;
    let error = panic_of(async { drop(app.get("/flood").await) }).await;
    assert!(error.contains("GET /flood") && error.contains("`.stream()`"), "{error}");
    assert_eq!(app.get("/flood").stream().await.chunk().await.unwrap().len(), 1 << 16);
}

#[piton::test]
async fn the_error_that_ends_a_body_is_seen() {
    let app = app().await;
    let mut body = app.get("/broken").stream().await;
    assert_eq!(body.chunk().await.unwrap(), "half");
    let error = body.try_chunk().await.unwrap_err();
    assert!(error.to_string().contains("the disk is gone"), "{error}");
    let error = panic_of(async { drop(app.get("/broken").await) }).await;
    assert!(error.contains("GET /broken ended with an error"), "{error}");
}

#[piton::test]
async fn fields_and_files_of_a_form_are_sent() {
    let app = app().await;
    let form =
        TestMultipart::new().field("title", "Cat").file("f", "cat.txt", "text/plain", "miau");
    let sent = app.post("/body").multipart(form).await.text();
    assert!(sent.contains("name=\"title\"\r\n\r\nCat\r\n--"), "{sent}");
    assert!(
        sent.contains("filename=\"cat.txt\"\r\ncontent-type: text/plain\r\n\r\nmiau"),
        "{sent}"
    );
}

#[piton::test]
async fn cookies_are_kept_on_demand() {
    let plain = app().await;
    plain.get("/login").await;
    assert_eq!(plain.get("/in/cookies").await.text(), "");
    let app = app().await.with_cookies();
    app.get("/login").await;
    assert_eq!(app.get("/in/cookies").await.text(), "a=1; b=2");
    app.get("/logout").stream().await;
    assert_eq!(app.get("/in/cookies").await.text(), "b=2");
    app.set_cookie("c", "3");
    assert_eq!(app.get("/in/cookies").header("cookie", "own=0").await.text(), "own=0; b=2; c=3");
    app.clear_cookies();
    assert_eq!(app.get("/in/cookies").await.text(), "");
}

#[piton::test]
async fn redirects_are_not_followed() {
    let answer = app().await.get("/moved").await;
    assert_eq!((answer.status().as_u16(), answer.header("location")), (303, "/counted"));
}
