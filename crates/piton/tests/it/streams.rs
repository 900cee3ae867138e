//! Streams over sockets: server-sent events, bodies that fail while they are sent, limits, the stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use piton::axum::body::Body;
use piton::axum::response::{IntoResponse, Response};
use piton::bytes::Bytes;
use piton::http::{ByteStream, Event, LastEventId, Sse, Stream, get};
use piton::prelude::*;
use piton::testing::{TestApp, TestServer};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A client of one stream, which reads its body as it comes.
struct Client {
    reader: BufReader<TcpStream>,
    head: String,
}

impl Client {
    async fn get(server: &TestServer, path: &str, headers: &str) -> Self {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let (mut reader, mut head) = (BufReader::new(stream), String::new());
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut head).await.unwrap(), 0, "{head}");
        }
        Self { reader, head }
    }

    fn status(&self) -> &str {
        &self.head[9..12]
    }

    /// Returns the next chunk of the body; `None` at the last one.
    async fn chunk(&mut self) -> Option<String> {
        let mut size = String::new();
        self.reader.read_line(&mut size).await.unwrap();
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        self.reader.read_exact(&mut chunk).await.unwrap();
        chunk.truncate(size);
        (size > 0).then(|| String::from_utf8(chunk).unwrap())
    }

    /// Returns everything up to the end of the connection.
    async fn rest(mut self) -> String {
        let mut rest = String::new();
        let _ = self.reader.read_to_string(&mut rest).await;
        rest
    }
}

/// Waits until the server's metrics have the line.
async fn wait_for_metric(server: &TestServer, line: &str) {
    let has_line = || async { server.handle().metrics().text().lines().any(|there| there == line) };
    test_support::wait_for(&format!("the metric `{line}`"), has_line).await;
}

fn app() -> App {
    App::new("streams_test").blueprints(["none"]).set("log.level", "critical")
}

/// Sends one event, and then nothing.
async fn quiet() -> Sse<impl Stream<Item = Event>> {
    Sse::new(stream::iter([Event::new("first").id("1")]).chain(stream::pending()))
}

#[piton::test]
async fn events_are_sent_as_they_come_with_the_headers_that_proxies_need() {
    let server = TestServer::start(app().route(get("/events", quiet))).await;
    let mut client = Client::get(&server, "/events", "accept-encoding: gzip\r\n").await;
    for header in [
        "content-type: text/event-stream\r\n",
        "cache-control: no-cache\r\n",
        "x-accel-buffering: no\r\n",
    ] {
        assert!(client.head.contains(header), "{header} is missing in {}", client.head);
    }
    assert_eq!(client.chunk().await.unwrap(), "id: 1\ndata: first\n\n");
}

#[cfg(feature = "compression")]
#[piton::test]
async fn events_are_never_compressed() {
    let app = app().route(get("/events", quiet)).set("http.compression", true);
    let server = TestServer::start(app).await;
    let mut client = Client::get(&server, "/events", "accept-encoding: gzip, br\r\n").await;
    assert!(!client.head.contains("content-encoding"), "{}", client.head);
    assert_eq!(client.chunk().await.unwrap(), "id: 1\ndata: first\n\n");
}

#[piton::test]
async fn a_silent_stream_has_a_heartbeat_and_outlives_the_timeout_of_requests() {
    let app = app()
        .route(get("/events", quiet))
        .set("http.timeout", "20ms")
        .set("http.header_timeout", "20ms")
        .set("http.streams.heartbeat", "15ms");
    let server = TestServer::start(app).await;
    let mut client = Client::get(&server, "/events", "").await;
    assert_eq!(client.chunk().await.unwrap(), "id: 1\ndata: first\n\n");
    for _ in 0..10 {
        assert_eq!(client.chunk().await.unwrap(), ":\n\n");
    }
}

async fn resumed(last: LastEventId) -> Sse<impl Stream<Item = Result<Event>>> {
    let next = last.parse().map_or(0, |last: u32| last + 1);
    Sse::new(stream::iter([Ok(Event::new(next.to_string()))]))
}

#[piton::test]
async fn a_client_that_connects_again_says_where_to_go_on() {
    let app = TestApp::new(app().route(get("/events", resumed))).await;
    assert_eq!(app.get("/events").await.text(), "data: 0\n\n");
    let again = app.get("/events").header("last-event-id", "41").await;
    assert_eq!(again.text(), "data: 42\n\n");
    let wrong = app.get("/events").header("last-event-id", "x").await;
    assert_eq!(wrong.text(), "data: 0\n\n");
}

async fn sent() -> Sse<impl Stream<Item = Event>> {
    let (events, response) = Sse::channel(1);
    piton::spawn(async move {
        for number in 0..5 {
            events.send(Event::new(number.to_string())).await.unwrap();
        }
    });
    response
}

#[piton::test]
async fn another_task_may_send_the_events() {
    let app = TestApp::new(app().route(get("/events", sent))).await;
    let expected: String = (0..5).map(|number| format!("data: {number}\n\n")).collect();
    assert_eq!(app.get("/events").await.text(), expected);
}

/// Counts events as long as somebody reads them.
async fn endless() -> Sse<impl Stream<Item = Event>> {
    Sse::new(stream::iter(0_u64..).map(|number| Event::new(number.to_string())))
}

async fn lines() -> ByteStream<impl Stream<Item = Bytes>> {
    let line = Bytes::from_static(b"{\"n\":1}\n");
    ByteStream::new("application/x-ndjson", stream::iter([line]).chain(stream::pending()))
}

#[piton::test]
async fn the_stop_ends_every_stream_between_two_events_and_at_once() {
    let app = app()
        .route(get("/quiet", quiet))
        .route(get("/endless", endless))
        .route(get("/lines", lines))
        .set("http.drain_wait", "1h");
    let server = TestServer::start(app).await;
    let mut quiet = Client::get(&server, "/quiet", "").await;
    let mut lines = Client::get(&server, "/lines", "").await;
    let mut endless = Client::get(&server, "/endless", "").await;
    assert!(quiet.chunk().await.is_some() && lines.chunk().await.is_some());
    server.begin_to_stop();
    assert_eq!(quiet.chunk().await.unwrap(), ": the service is stopping\n\n");
    assert_eq!(quiet.chunk().await, None);
    assert_eq!(lines.chunk().await, None);
    let (mut number, mut last) = (0_u64, String::new());
    while let Some(event) = endless.chunk().await {
        if event.starts_with("data") {
            assert_eq!(event, format!("data: {number}\n\n"));
            number += 1;
        }
        last = event;
    }
    assert_eq!(last, ": the service is stopping\n\n");
    let ended = |kind, count| {
        format!(r#"http_server_ended_streams_total{{kind="{kind}",reason="stopped"}} {count}"#)
    };
    wait_for_metric(&server, &ended("sse", 2)).await;
    wait_for_metric(&server, &ended("bytes", 1)).await;
}

#[piton::test]
async fn a_stream_that_begins_while_the_service_stops_ends_at_once_so_that_browsers_come_back() {
    let server =
        TestServer::start(app().route(get("/quiet", quiet)).set("http.drain_wait", "1h")).await;
    server.begin_to_stop();
    server.handle().stopping().stopped().await;
    let mut client = Client::get(&server, "/quiet", "").await;
    // Any other status would end an `EventSource` for good.
    assert_eq!(client.status(), "200");
    assert_eq!(client.chunk().await.unwrap(), ": the service is stopping\n\n");
    assert_eq!(client.chunk().await, None);
}

#[piton::test]
async fn an_own_last_event_tells_the_client_of_the_stop() {
    async fn handler() -> Sse<impl Stream<Item = Event>> {
        Sse::new(stream::pending::<Event>()).last_event(Event::new("bye").name("stop"))
    }
    let server = TestServer::start(app().route(get("/", handler))).await;
    let mut client = Client::get(&server, "/", "").await;
    server.begin_to_stop();
    assert_eq!(client.chunk().await.unwrap(), "event: stop\ndata: bye\n\n");
    assert_eq!(client.chunk().await, None);
}

#[piton::test]
async fn streams_end_when_idle_or_open_for_too_long() {
    async fn chatty() -> Sse<impl Stream<Item = Event>> {
        Sse::new(stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Some((Event::new("x"), ()))
        }))
    }
    let routes = || app().route(get("/quiet", quiet)).route(get("/chatty", chatty));
    let idle = TestServer::start(routes().set("http.streams.idle_timeout", "50ms")).await;
    let mut client = Client::get(&idle, "/quiet", "").await;
    assert!(client.chunk().await.is_some());
    assert_eq!(client.chunk().await, None);
    let line = r#"http_server_ended_streams_total{kind="sse",reason="idle_timeout"} 1"#;
    wait_for_metric(&idle, line).await;
    let long = TestServer::start(routes().set("http.streams.max_duration", "50ms")).await;
    let mut client = Client::get(&long, "/chatty", "").await;
    while client.chunk().await.is_some() {}
    let line = r#"http_server_ended_streams_total{kind="sse",reason="max_duration"} 1"#;
    wait_for_metric(&long, line).await;
}

#[piton::test]
async fn streams_above_a_limit_are_refused_and_a_closed_one_makes_room() {
    let app = app()
        .route(get("/quiet", quiet))
        .set("http.streams.max_per_client", 2)
        .set("http.streams.max_open", 3)
        .set("http.streams.heartbeat", "200ms")
        .set("http.trusted_proxies", "loopback");
    let server = TestServer::start(app).await;
    let of = |client: &'static str| match client {
        "a" => "x-forwarded-for: 203.0.113.1\r\n",
        _ => "x-forwarded-for: 203.0.113.2\r\n",
    };
    let first = Client::get(&server, "/quiet", of("a")).await;
    let _second = Client::get(&server, "/quiet", of("a")).await;
    let refused = Client::get(&server, "/quiet", of("a")).await;
    assert_eq!(refused.status(), "429");
    assert!(refused.head.contains("retry-after: 5"), "{}", refused.head);
    assert!(refused.head.contains("application/problem+json"), "{}", refused.head);
    let _third = Client::get(&server, "/quiet", of("b")).await;
    assert_eq!(Client::get(&server, "/quiet", of("b")).await.status(), "503");
    drop(first);
    wait_for_metric(&server, r#"http_server_open_streams{kind="sse"} 2"#).await;
    assert_eq!(Client::get(&server, "/quiet", of("a")).await.status(), "200");
    wait_for_metric(&server, r#"http_server_refused_streams_total{limit="max_open"} 1"#).await;
    let line = r#"http_server_refused_streams_total{limit="max_per_client"} 1"#;
    wait_for_metric(&server, line).await;
}

#[piton::test]
async fn an_open_stream_does_not_count_as_a_request_in_flight() {
    async fn hello() -> &'static str {
        "hello"
    }
    let app = app().route(get("/quiet", quiet)).route(get("/", hello)).set("http.max_requests", 1);
    let server = TestServer::start(app).await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        let mut client = Client::get(&server, "/quiet", "").await;
        assert!(client.chunk().await.is_some());
        streams.push(client);
    }
    assert_eq!(Client::get(&server, "/", "").await.status(), "200");
}

#[piton::test]
async fn a_stream_runs_in_the_context_of_its_request() {
    async fn handler() -> Sse<impl Stream<Item = Event>> {
        let id = piton::RequestId::current().unwrap();
        Sse::new(stream::once(async move {
            tokio::task::yield_now().await;
            assert_eq!(piton::RequestId::current(), Some(id));
            Event::new(piton::app().name())
        }))
    }
    let app = TestApp::new(app().route(get("/", handler))).await;
    assert_eq!(app.get("/").await.text(), "data: streams_test\n\n");
}

/// Two pieces, then an error.
fn failing() -> impl Stream<Item = std::io::Result<&'static str>> {
    let error = std::io::Error::other("the disk is gone");
    stream::iter([Ok("one "), Ok("two "), Err(error)])
}

async fn fails() -> Body {
    Body::from_stream(failing())
}

async fn fails_short() -> Response {
    ([("content-length", "100")], Body::from_stream(failing())).into_response()
}

async fn short() -> Response {
    let pieces = failing().filter(|piece| std::future::ready(piece.is_ok()));
    ([("content-length", "100")], Body::from_stream(pieces)).into_response()
}

async fn exact() -> Response {
    let pieces = stream::iter([Ok::<_, std::io::Error>("12345678")]).chain(stream::pending());
    ([("content-length", "8")], Body::from_stream(pieces)).into_response()
}

async fn panics() -> Body {
    Body::from_stream(failing().map(|piece| match piece {
        Ok(piece) => Ok::<_, std::io::Error>(piece),
        Err(_) => panic!("unheard of"),
    }))
}

async fn sse_fails() -> Result<Sse<impl Stream<Item = Result<Event>>>> {
    let error = Error::unavailable("away").caused_by(std::io::Error::other("the queue is gone"));
    Ok(Sse::new(stream::iter([Ok(Event::new("one")), Err(error)])))
}

fn failing_app() -> App {
    app()
        .route(get("/fails", fails))
        .route(get("/fails_short", fails_short))
        .route(get("/short", short))
        .route(get("/exact", exact))
        .route(get("/panics", panics))
        .route(get("/sse", sse_fails))
        .route(get("/quiet", quiet))
}

fn aborted(reason: &str, count: u32) -> String {
    format!(r#"http_server_aborted_responses_total{{reason="{reason}"}} {count}"#)
}

#[piton::test]
async fn a_failure_within_a_body_cuts_the_connection_and_is_counted() {
    let server = TestServer::start(failing_app()).await;
    for path in ["/fails", "/panics", "/sse"] {
        let client = Client::get(&server, path, "").await;
        assert_eq!(client.status(), "200");
        let rest = client.rest().await;
        assert!(rest.contains("one") && !rest.ends_with("0\r\n\r\n"), "{path}: {rest}");
    }
    for path in ["/fails_short", "/short"] {
        assert_eq!(Client::get(&server, path, "").await.rest().await, "one two ", "{path}");
    }
    wait_for_metric(&server, &aborted("error", 4)).await;
    wait_for_metric(&server, &aborted("panic", 1)).await;
    wait_for_metric(&server, &aborted("client_gone", 0)).await;
    let line = r#"http_server_ended_streams_total{kind="sse",reason="failed"} 1"#;
    wait_for_metric(&server, line).await;
}

#[piton::test]
async fn a_client_that_goes_away_is_no_error_and_a_whole_body_is_no_abort() {
    // Written comments show that the client has gone.
    let app = failing_app().set("http.streams.heartbeat", "200ms");
    let server = TestServer::start(app).await;
    let mut client = Client::get(&server, "/exact", "").await;
    let mut body = [0; 8];
    client.reader.read_exact(&mut body).await.unwrap();
    assert_eq!(&body, b"12345678");
    let mut client = Client::get(&server, "/quiet", "").await;
    client.chunk().await.unwrap();
    drop(client);
    wait_for_metric(&server, &aborted("client_gone", 1)).await;
    wait_for_metric(&server, &aborted("error", 0)).await;
}

#[piton::test]
async fn a_handler_may_return_what_axum_users_return() {
    async fn opaque() -> impl IntoResponse {
        "opaque"
    }
    async fn result() -> Result<impl IntoResponse> {
        Ok("result")
    }
    let app = TestApp::new(
        app()
            .route(get("/opaque", opaque).describe(piton::describe!(opaque, impl IntoResponse)))
            .route(get("/result", result).describe(piton::describe!(result))),
    )
    .await;
    assert_eq!(app.get("/opaque").await.text(), "opaque");
    assert_eq!(app.get("/result").await.text(), "result");
}

#[piton::test]
async fn the_stream_of_a_client_that_has_gone_is_dropped() {
    static OPEN: AtomicUsize = AtomicUsize::new(0);
    struct Counted(Arc<()>);
    impl Drop for Counted {
        fn drop(&mut self) {
            OPEN.fetch_sub(1, Ordering::SeqCst);
        }
    }
    async fn handler() -> Sse<impl Stream<Item = Event>> {
        OPEN.fetch_add(1, Ordering::SeqCst);
        let counted = Counted(Arc::new(()));
        Sse::new(stream::iter([Event::new("x")]).chain(stream::pending()).map(move |event| {
            let _ = &counted.0;
            event
        }))
    }
    // Written comments show that the client has gone.
    let app = app().set("http.streams.heartbeat", "200ms").route(get("/", handler));
    let server = TestServer::start(app).await;
    let mut client = Client::get(&server, "/", "").await;
    client.chunk().await.unwrap();
    assert_eq!(OPEN.load(Ordering::SeqCst), 1);
    drop(client);
    wait_for_metric(&server, r#"http_server_open_streams{kind="sse"} 0"#).await;
    assert_eq!(OPEN.load(Ordering::SeqCst), 0);
}

/// Signatures with `impl` within the returned type, through the attributes.
mod signatures {
    use super::*;

    piton::blueprint!("/signatures");

    #[get("/plain")]
    async fn plain() -> Sse<impl Stream<Item = Event>> {
        Sse::new(stream::iter([Event::new("plain")]))
    }

    #[get("/fallible")]
    async fn fallible() -> Result<Sse<impl Stream<Item = Result<Event>>>, Error> {
        Ok(Sse::new(stream::iter([Ok(Event::new("fallible"))])))
    }

    #[get("/io")]
    async fn io() -> Sse<impl Stream<Item = std::io::Result<Event>> + use<>> {
        Sse::new(stream::iter([Ok(Event::new("io"))]))
    }

    #[get("/opaque")]
    async fn opaque() -> impl IntoResponse {
        "opaque"
    }

    #[get("/result")]
    async fn result() -> Result<impl IntoResponse> {
        Ok("result")
    }

    #[get("/found/{id}")]
    async fn found(Path(id): Path<u32>) -> Result<impl IntoResponse, Error> {
        if id == 1 { Ok((StatusCode::ACCEPTED, "found")) } else { Err(Error::not_found("no")) }
    }
}

fn signatures() -> App {
    App::new("it").blueprints(["streams::signatures"]).set("log.level", "critical")
}

#[piton::test]
async fn attributes_take_handlers_with_impl_within_their_type() {
    let app = TestApp::new(signatures()).await;
    for name in ["plain", "fallible", "io"] {
        let answer = app.get(&format!("/signatures/{name}")).await;
        assert_eq!(answer.text(), format!("data: {name}\n\n"));
    }
    for name in ["opaque", "result"] {
        assert_eq!(app.get(&format!("/signatures/{name}")).await.text(), name);
    }
    assert_eq!(app.get("/signatures/found/1").await.status(), 202);
    assert_eq!(app.get("/signatures/found/2").await.status(), 404);
}

#[cfg(feature = "openapi")]
#[test]
fn the_document_knows_streams_of_events() {
    let document = signatures().openapi(OpenApi::new()).openapi_document().unwrap();
    let responses = |path: &str| document["paths"][path]["get"]["responses"].clone();
    for path in ["/signatures/plain", "/signatures/fallible", "/signatures/io"] {
        let responses = responses(path);
        assert!(responses["200"]["content"]["text/event-stream"].is_object(), "{responses}");
        assert!(responses["429"].is_object(), "{responses}");
    }
    let found = responses("/signatures/found/{id}");
    assert!(found["default"].is_object() && found["404"].is_object(), "{found}");
}
