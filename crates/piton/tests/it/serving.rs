//! Serving over a socket: limits, timeouts, and a stop that loses nothing.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use piton::http;
use piton::prelude::*;
use piton::testing::TestServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::gate::{Gate, gated};

/// Sends a `GET` on a connection of its own, and returns the whole response as text.
pub async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("the server answers in text");
    answer
}

/// Waits until `condition` holds; a test that waits in vain fails.
pub async fn wait_for<F: Future<Output = bool>>(mut condition: impl FnMut() -> F) {
    let begin = Instant::now();
    while !condition().await {
        assert!(begin.elapsed() < Duration::from_secs(20), "waited in vain");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn peer(axum::extract::ConnectInfo(peer): axum::extract::ConnectInfo<SocketAddr>) -> String {
    peer.ip().to_string()
}

async fn ok() -> &'static str {
    "ok"
}

fn app(gate: &Gate) -> App {
    App::new("serving")
        .blueprints(["none"])
        .set("log.level", "critical")
        .state(gate.clone())
        .route(http::get("/gated", gated))
        .route(http::get("/", ok))
        .route(http::get("/peer", peer))
}

#[piton::test]
async fn what_is_under_way_is_finished_and_its_connection_closed() {
    let gate = Gate::default();
    let server = TestServer::start(app(&gate)).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(b"GET /gated HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    gate.inside.notified().await;
    server.begin_to_stop();
    let handle = server.handle().clone();
    wait_for(|| async { handle.draining() }).await;
    gate.open.notify_one();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("through"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    server.stop().await;
}

async fn waits_for_the_end(State(gate): State<Gate>) -> &'static str {
    gate.inside.notify_one();
    piton::app().stopping().stopped().await;
    "the end"
}

#[piton::test]
async fn a_handler_that_waits_is_told_of_the_stop() {
    let gate = Gate::default();
    let server = TestServer::start(app(&gate).route(http::get("/waits", waits_for_the_end))).await;
    let waits = tokio::spawn(get(server.address(), "/waits"));
    gate.inside.notified().await;
    server.begin_to_stop();
    assert!(waits.await.unwrap().ends_with("the end"));
    server.stop().await;
}

async fn waits_for_the_last_call(State(gate): State<Gate>) -> &'static str {
    gate.inside.notify_one();
    piton::app().last_call().stopped().await;
    "just in time"
}

#[piton::test]
async fn who_waits_until_the_last_call_is_still_heard() {
    let gate = Gate::default();
    let app = app(&gate).set("http.drain_timeout", "1s");
    let app = app.route(http::get("/waits", waits_for_the_last_call));
    let server = TestServer::start(app).await;
    let waits = tokio::spawn(get(server.address(), "/waits"));
    gate.inside.notified().await;
    let begun = Instant::now();
    server.begin_to_stop();
    assert!(waits.await.unwrap().ends_with("just in time"));
    assert!(begun.elapsed() >= Duration::from_millis(500), "{:?}", begun.elapsed());
    server.stop().await;
}

#[piton::test]
async fn the_last_call_is_heard_though_there_is_no_time_to_drain() {
    let gate = Gate::default();
    let app = app(&gate).set("http.drain_timeout", "0s");
    let server = TestServer::start(app.route(http::get("/waits", waits_for_the_last_call))).await;
    let waits = tokio::spawn(get(server.address(), "/waits"));
    gate.inside.notified().await;
    server.begin_to_stop();
    assert!(waits.await.unwrap().ends_with("just in time"));
    server.stop().await;
}

#[piton::test]
async fn readiness_fails_first_and_requests_are_answered_while_the_wait_lasts() {
    let server = TestServer::start(app(&Gate::default()).set("http.drain_wait", "2s")).await;
    let address = server.address();
    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200"));
    server.begin_to_stop();
    wait_for(|| async { get(address, "/readyz").await.starts_with("HTTP/1.1 503") }).await;
    let answer = get(address, "/").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    server.stop().await;
    assert!(TcpStream::connect(address).await.is_err(), "the listener is closed");
}

#[piton::test]
async fn a_handler_may_ask_who_is_at_the_other_end() {
    let server = TestServer::start(app(&Gate::default())).await;
    assert!(get(server.address(), "/peer").await.ends_with("127.0.0.1"));
    server.stop().await;
}

#[piton::test]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let server = TestServer::start(app(&Gate::default())).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    let silent = TcpStream::connect(server.address()).await.unwrap();
    let begin = Instant::now();
    server.stop().await;
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    drop((stream, silent));
}

#[piton::test]
async fn what_is_left_at_the_deadline_is_cut_off() {
    let gate = Gate::default();
    let server = TestServer::start(app(&gate).set("http.drain_timeout", "300ms")).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(b"GET /gated HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    gate.inside.notified().await;
    let begin = Instant::now();
    server.stop().await;
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    assert_eq!(answer, "");
}

#[piton::test]
async fn a_head_that_does_not_end_is_given_up() {
    let server = TestServer::start(app(&Gate::default()).set("http.header_timeout", "200ms")).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the server closes the connection");
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("application/problem+json"), "{answer}");
    server.stop().await;
}

#[piton::test]
async fn a_connection_on_which_nothing_is_said_is_closed_without_a_word() {
    let server = TestServer::start(app(&Gate::default()).set("http.header_timeout", "200ms")).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "");
    server.stop().await;
}

#[piton::test]
async fn requests_on_one_connection_are_answered_one_after_the_other() {
    let server = TestServer::start(app(&Gate::default())).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let request = "GET / HTTP/1.1\r\nhost: test\r\n\r\n".repeat(9)
        + "GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 10);
    server.stop().await;
}
