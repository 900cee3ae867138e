//! The edges of an HTTP/1 connection, as a client sees them on the wire: early responses, slow clients, full
//! listeners, and requests that are not HTTP.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use futures_util::{StreamExt, stream};
use piton::http;
use piton::prelude::*;
use piton::testing::TestServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Notify;

use super::serving::{get, wait_for};

const MIB: usize = 1 << 20;

/// Tells when a request is inside a handler and when it has left it, and holds it until told.
#[derive(Clone, Default)]
struct Gate {
    inside: Arc<Notify>,
    open: Arc<Notify>,
    left: Arc<Notify>,
}

/// Notifies when dropped.
struct OnDrop(Arc<Notify>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

async fn ok() -> &'static str {
    "ok"
}

async fn gated(State(gate): State<Gate>) -> &'static str {
    let _left = OnDrop(gate.left.clone());
    gate.inside.notify_one();
    gate.open.notified().await;
    "through"
}

async fn length(body: String) -> String {
    body.len().to_string()
}

/// Tells that it is there before it reads the body.
async fn waits(State(gate): State<Gate>, body: Body) -> String {
    gate.inside.notify_one();
    axum::body::to_bytes(body, MIB).await.unwrap().len().to_string()
}

async fn large() -> Bytes {
    Bytes::from(vec![b'x'; 8 * MIB])
}

async fn medium() -> Bytes {
    Bytes::from(vec![b'x'; MIB / 2])
}

/// Streams without an end.
async fn endless(State(gate): State<Gate>) -> Body {
    let guard = OnDrop(gate.left.clone());
    gate.inside.notify_one();
    let piece = Bytes::from(vec![b'x'; 64 << 10]);
    Body::from_stream(stream::repeat(piece).map(move |piece| {
        let _moved = &guard;
        Ok::<_, Error>(piece)
    }))
}

/// Streams one byte, and the next only when told.
async fn quiet(State(gate): State<Gate>) -> Body {
    gate.inside.notify_one();
    let pieces = stream::once(async { Bytes::from_static(b"1") }).chain(stream::once(async move {
        gate.open.notified().await;
        Bytes::from_static(b"2")
    }));
    Body::from_stream(pieces.map(Ok::<_, Error>))
}

/// Responds while a task still reads the body.
async fn reads_later(State(gate): State<Gate>, body: Body) -> &'static str {
    tokio::spawn(async move {
        let bytes = axum::body::to_bytes(body, 10 * MIB).await.unwrap();
        assert_eq!(bytes.len(), MIB);
        gate.left.notify_one();
    });
    "later"
}

fn app(gate: &Gate) -> App {
    App::new("edges")
        .blueprints(["none"])
        .set("log.level", "critical")
        .state(gate.clone())
        .route(http::get("/", ok))
        .route(http::post("/", ok))
        .route(http::get("/gated", gated))
        .route(http::post("/length", length))
        .route(http::post("/waits", waits))
        .route(http::post("/large", large))
        .route(http::get("/medium", medium))
        .route(http::get("/endless", endless))
        .route(http::get("/quiet", quiet))
        .route(http::post("/later", reads_later))
}

async fn start() -> TestServer {
    TestServer::start(app(&Gate::default())).await
}

async fn connect(server: &TestServer) -> TcpStream {
    TcpStream::connect(server.address()).await.unwrap()
}

/// Connects with a receive buffer of a few kilobytes.
async fn connect_with_small_buffer(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(address).await.unwrap()
}

/// Sends `bytes`, and returns everything that the server sends until it closes.
async fn exchange(address: SocketAddr, bytes: &[u8]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(bytes).await?;
    rest(&mut stream).await
}

/// Returns everything that the server sends until it closes.
async fn rest(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_secs(20), read)
        .await
        .map_err(|_| ErrorKind::TimedOut)??;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Returns one response: its head, and a body by its `content-length`.
async fn response(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&answer).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await?;
    answer.extend(body);
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn post(path: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n")
}

const GET: &str = "GET / HTTP/1.1\r\nhost: test\r\n\r\n";

/// The part of a head that a client needs to know that its connection is of no more use.
const CLOSE: &str = "\r\nconnection: close\r\n";

#[piton::test]
async fn a_body_that_is_too_large_gets_413_and_not_a_reset() {
    let server = start().await;
    for path in ["/length", "/", "/nowhere"] {
        let mut request = post(path, 3 * MIB).into_bytes();
        request.resize(request.len() + 3 * MIB, b'x');
        let answer = exchange(server.address(), &request).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains(CLOSE), "{answer}");
    }
    server.stop().await;
}

#[piton::test]
async fn a_refusal_leaves_the_connection_to_the_next_request() {
    let server = start().await;
    for (path, status) in [("/nowhere", "404"), ("/gated", "405"), ("/", "200")] {
        let mut stream = connect(&server).await;
        stream.write_all(post(path, 100_000).as_bytes()).await.unwrap();
        let answer = response(&mut stream).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(!answer.contains(CLOSE), "{answer}");
        stream.write_all(&vec![b'x'; 100_000]).await.unwrap();
        stream.write_all(GET.as_bytes()).await.unwrap();
        let answer = response(&mut stream).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("ok"), "{path}: {answer}");
    }
    server.stop().await;
}

#[piton::test]
async fn a_chunked_body_that_has_arrived_keeps_the_connection() {
    let server = start().await;
    let mut stream = connect(&server).await;
    let request =
        "POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    for _ in 0..2 {
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = response(&mut stream).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && !answer.contains(CLOSE), "{answer}");
    }
    server.stop().await;
}

#[piton::test]
async fn a_response_before_the_end_of_a_chunked_body_says_close_and_arrives() {
    let server = start().await;
    let mut stream = connect(&server).await;
    let head = "POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = [b"10000\r\n".to_vec(), vec![b'x'; 0x10000], b"\r\n".to_vec()].concat();
    for _ in 0..40 {
        stream.write_all(&chunk).await.unwrap();
    }
    let answer = rest(&mut stream).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(CLOSE), "{answer}");
    assert!(answer.ends_with("ok"), "{answer}");
    server.stop().await;
}

#[piton::test]
async fn a_client_that_sends_all_before_it_reads_gets_a_large_response() {
    let server = start().await;
    let mut request =
        b"POST /large HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n1000000\r\n"
            .to_vec();
    request.resize(request.len() + 16 * MIB, b'x');
    let answer = exchange(server.address(), &request).await.unwrap();
    assert!(answer.len() > 8 * MIB && answer.contains(CLOSE), "{} bytes", answer.len());
    server.stop().await;
}

#[piton::test]
async fn a_refused_client_is_not_asked_for_its_body() {
    let server = start().await;
    for (path, length, status) in [("/nowhere", 100, "404"), ("/length", 3 * MIB, "413")] {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
        );
        let begun = Instant::now();
        let mut stream = connect(&server).await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = response(&mut stream).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains(CLOSE), "{answer}");
        assert_eq!(rest(&mut stream).await.unwrap(), "");
        assert!(begun.elapsed() < Duration::from_secs(1), "the sending side is closed at once");
    }
    server.stop().await;
}

#[piton::test]
async fn a_body_that_is_read_after_the_response_is_left_alone() {
    let gate = Gate::default();
    let server = TestServer::start(app(&gate)).await;
    let mut stream = connect(&server).await;
    stream.write_all(post("/later", MIB).as_bytes()).await.unwrap();
    let answer = response(&mut stream).await.unwrap();
    assert!(answer.ends_with("later") && !answer.contains(CLOSE), "{answer}");
    stream.write_all(&vec![b'x'; MIB]).await.unwrap();
    gate.left.notified().await;
    stream.write_all(GET.as_bytes()).await.unwrap();
    assert!(response(&mut stream).await.unwrap().ends_with("ok"));
    server.stop().await;
}

#[piton::test]
async fn a_body_that_does_not_arrive_in_time_gets_408_and_the_connection_ends() {
    let server = TestServer::start(app(&Gate::default()).set("http.timeout", "300ms")).await;
    let mut stream = connect(&server).await;
    stream.write_all((post("/length", 2) + "x").as_bytes()).await.unwrap();
    let answer = rest(&mut stream).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains(CLOSE), "{answer}");
    server.stop().await;
}

#[piton::test]
async fn a_client_that_never_reads_is_cut_off() {
    let gate = Gate::default();
    let server = TestServer::start(app(&gate).set("http.write_timeout", "1s")).await;
    let mut stream = connect_with_small_buffer(server.address()).await;
    stream.write_all(b"GET /endless HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    gate.inside.notified().await;
    let cut = tokio::time::timeout(Duration::from_secs(10), gate.left.notified()).await;
    assert!(cut.is_ok(), "the stream is dropped");
    server.stop().await;
}

#[piton::test]
async fn a_client_that_reads_slowly_but_steadily_gets_everything() {
    let app = app(&Gate::default());
    let app = app.set("http.write_timeout", "1s").set("http.header_timeout", "200ms");
    let server = TestServer::start(app).await;
    let mut stream = connect_with_small_buffer(server.address()).await;
    let request = b"GET /medium HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let (mut piece, mut received) = (vec![0; 8 << 10], 0);
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    loop {
        pace.tick().await;
        match stream.read(&mut piece).await.unwrap() {
            0 => break,
            count => received += count,
        }
    }
    assert!(received > MIB / 2, "{received} bytes");
    server.stop().await;
}

#[piton::test]
async fn a_quiet_stream_is_not_cut_off() {
    let gate = Gate::default();
    let app = app(&gate).set("http.write_timeout", "100ms").set("http.header_timeout", "100ms");
    let server = TestServer::start(app).await;
    let mut stream = connect(&server).await;
    let request = b"GET /quiet HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    gate.inside.notified().await;
    let waited = tokio::time::timeout(Duration::from_secs(1), rest(&mut stream)).await;
    assert!(waited.is_err(), "{waited:?}");
    gate.open.notify_one();
    assert!(rest(&mut stream).await.unwrap().contains('2'));
    server.stop().await;
}

#[piton::test]
async fn probes_are_answered_above_the_maximum_of_connections() {
    let gate = Gate::default();
    let server = TestServer::start(app(&gate).set("http.max_connections", 2)).await;
    let address = server.address();
    let mut busy = Vec::new();
    for _ in 0..2 {
        let mut stream = connect(&server).await;
        stream.write_all(b"GET /gated HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
        gate.inside.notified().await;
        busy.push(stream);
    }
    assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200 "));
    let shed = exchange(address, GET.as_bytes()).await.unwrap();
    assert!(shed.starts_with("HTTP/1.1 503 ") && shed.contains(CLOSE), "{shed}");
    assert!(shed.contains("\r\nretry-after: ") && shed.contains("problem+json"), "{shed}");
    gate.open.notify_one();
    gate.open.notify_one();
    drop(busy);
    wait_for(|| async { get(address, "/").await.ends_with("ok") }).await;
    server.stop().await;
}

#[piton::test]
async fn silent_connections_do_not_fill_the_reserve() {
    let gate = Gate::default();
    let server = TestServer::start(app(&gate).set("http.max_connections", 1)).await;
    let mut busy = connect(&server).await;
    busy.write_all(b"GET /gated HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    gate.inside.notified().await;
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(connect(&server).await);
    }
    assert!(get(server.address(), "/livez").await.starts_with("HTTP/1.1 200 "));
    server.stop().await;
}

#[piton::test]
async fn the_longest_idle_connection_makes_room_for_a_new_one() {
    let server = TestServer::start(app(&Gate::default()).set("http.max_connections", 2)).await;
    let mut streams = [connect(&server).await, connect(&server).await];
    for stream in &mut streams {
        stream.write_all(GET.as_bytes()).await.unwrap();
        assert!(response(stream).await.unwrap().ends_with("ok"));
        // The clock that orders them is exact to 4 ms.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(get(server.address(), "/").await.ends_with("ok"));
    assert_eq!(rest(&mut streams[0]).await.unwrap(), "");
    streams[1].write_all(GET.as_bytes()).await.unwrap();
    assert!(response(&mut streams[1]).await.unwrap().ends_with("ok"));
    server.stop().await;
}

#[piton::test]
async fn bodies_that_are_slow_to_arrive_hold_no_place() {
    let gate = Gate::default();
    let server = TestServer::start(app(&gate).set("http.max_requests", 4)).await;
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut stream = connect(&server).await;
        stream.write_all((post("/waits", 2) + "x").as_bytes()).await.unwrap();
        gate.inside.notified().await;
        slow.push(stream);
    }
    wait_for(|| async { get(server.address(), "/").await.ends_with("ok") }).await;
    for stream in &mut slow {
        stream.write_all(b"y").await.unwrap();
        assert!(response(stream).await.unwrap().ends_with('2'));
    }
    server.stop().await;
}

#[piton::test]
async fn http_1_1_requires_one_valid_host() {
    let server = start().await;
    for hosts in
        ["", "host: a\r\nhost: b\r\n", "host: a\r\nhost: a\r\n", "host: a b\r\n", "host: u@a\r\n"]
    {
        let request = format!("GET / HTTP/1.1\r\n{hosts}\r\n");
        let answer = exchange(server.address(), request.as_bytes()).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains(CLOSE), "{hosts}: {answer}");
        assert!(answer.contains("problem+json") && answer.contains("x-request-id"), "{answer}");
    }
    let answer = exchange(server.address(), b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    assert!(answer.starts_with("HTTP/1.0 200 "), "{answer}");
    server.stop().await;
}

#[piton::test]
async fn options_of_the_whole_server_name_its_methods() {
    let server = start().await;
    let request = "OPTIONS * HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    let answer = exchange(server.address(), request.as_bytes()).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("\r\nallow: GET, HEAD, OPTIONS, POST\r\n"), "{answer}");
    server.stop().await;
}

#[piton::test]
async fn a_content_length_beyond_all_bounds_is_too_large() {
    let server = start().await;
    for length in
        ["18446744073709551615", "18446744073709551614", "18446744073709551613", "9999999999999"]
    {
        let request = format!("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n");
        let answer = exchange(server.address(), request.as_bytes()).await.unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 413 ") && answer.contains(CLOSE),
            "{length}: {answer}"
        );
        assert!(answer.contains("problem+json"), "{answer}");
    }
    let request = "POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 18446744073709551616\r\n\r\n";
    let answer = exchange(server.address(), request.as_bytes()).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    server.stop().await;
}

/// Returns a request whose head has `size` bytes.
fn head_of(size: usize) -> String {
    let head = "GET / HTTP/1.1\r\nhost: test\r\nx: ";
    format!("{head}{}\r\n\r\n", "y".repeat(size - head.len() - 4))
}

#[piton::test]
async fn a_head_above_the_limit_gets_431_on_every_request_of_a_connection() {
    let server = TestServer::start(app(&Gate::default()).set("http.header_limit", "8KiB")).await;
    let mut stream = connect(&server).await;
    for _ in 0..2 {
        stream.write_all(head_of(8192).as_bytes()).await.unwrap();
        assert!(response(&mut stream).await.unwrap().starts_with("HTTP/1.1 200 "));
    }
    stream.write_all(head_of(8193).as_bytes()).await.unwrap();
    let answer = rest(&mut stream).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 431 ") && answer.contains(CLOSE), "{answer}");
    assert!(answer.contains("problem+json") && answer.contains("x-request-id"), "{answer}");
    let pipelined = GET.repeat(3) + &head_of(9000);
    let answer = exchange(server.address(), pipelined.as_bytes()).await.unwrap();
    assert_eq!(answer.matches("HTTP/1.1 200 ").count(), 3, "{answer}");
    let last = &answer[answer.rfind("HTTP/1.1 ").unwrap()..];
    assert!(last.starts_with("HTTP/1.1 431 ") && last.contains("problem+json"), "{last}");
    server.stop().await;
}

#[piton::test]
async fn a_later_request_that_is_not_http_gets_a_problem_document() {
    let server = start().await;
    let mut stream = connect(&server).await;
    stream.write_all(GET.as_bytes()).await.unwrap();
    assert!(response(&mut stream).await.unwrap().ends_with("ok"));
    stream.write_all(b"GE T / HTTP/1.1\r\n\r\n").await.unwrap();
    let answer = rest(&mut stream).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("problem+json"), "{answer}");
    server.stop().await;
}

#[piton::test]
async fn a_later_head_that_does_not_end_gets_408() {
    let server = TestServer::start(app(&Gate::default()).set("http.header_timeout", "300ms")).await;
    let mut stream = connect(&server).await;
    stream.write_all(GET.as_bytes()).await.unwrap();
    assert!(response(&mut stream).await.unwrap().ends_with("ok"));
    stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let answer = rest(&mut stream).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("problem+json"), "{answer}");
    server.stop().await;
}

#[piton::test]
async fn a_client_that_closes_its_sending_side_gets_its_response() {
    let gate = Gate::default();
    let server = TestServer::start(app(&gate)).await;
    let mut stream = connect(&server).await;
    stream.write_all(b"GET /gated HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    gate.inside.notified().await;
    gate.open.notify_one();
    let answer = rest(&mut stream).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("through"), "{answer}");
    server.stop().await;
}

#[piton::test]
async fn without_half_close_a_client_that_leaves_cancels_its_request() {
    let gate = Gate::default();
    let server = TestServer::start(app(&gate).set("http.half_close", false)).await;
    let mut stream = connect(&server).await;
    stream.write_all(b"GET /gated HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    gate.inside.notified().await;
    stream.shutdown().await.unwrap();
    gate.left.notified().await;
    server.stop().await;
}

#[piton::test]
async fn a_stop_waits_no_longer_for_a_client_that_has_sent_everything() {
    let server = start().await;
    let mut stream = connect(&server).await;
    stream.write_all(GET.as_bytes()).await.unwrap();
    assert!(response(&mut stream).await.unwrap().ends_with("ok"));
    let begun = Instant::now();
    server.stop().await;
    assert!(begun.elapsed() < Duration::from_millis(1500), "{:?}", begun.elapsed());
    drop(stream);
}
