//! Tests the memory that requests hold together: bodies that do not end, responses that are not
//! read.

use std::net::SocketAddr;
use std::time::Duration;

use piton::http;
use piton::prelude::*;
use piton::serde_json::Value;
use piton::testing::{TestApp, TestServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::serving::{get, wait_for};

const MIB: usize = 1 << 20;

async fn length(Json(body): Json<Value>) -> String {
    body.to_string().len().to_string()
}

async fn bytes(body: axum::body::Bytes) -> String {
    body.len().to_string()
}

async fn text(body: String) -> String {
    body.len().to_string()
}

async fn form(Form(body): Form<std::collections::BTreeMap<String, String>>) -> String {
    body.len().to_string()
}

async fn large() -> String {
    "x".repeat(MIB)
}

fn app() -> App {
    let app = App::new("memory").blueprints(["none"]).set("log.level", "critical");
    let app = app.set("http.memory_budget", "4MiB").set("http.timeout", "20s");
    let app = app.route(http::post("/json", length)).route(http::post("/bytes", bytes));
    let app = app.route(http::post("/text", text)).route(http::post("/form", form));
    app.route(http::get("/large", large)).route(http::post("/large", large))
}

/// Returns the value of one of the service's metrics.
fn metric(server: &TestServer, name: &str) -> u64 {
    let text = server.handle().metrics().text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is missing in {text}")).parse().unwrap()
}

fn used(server: &TestServer) -> u64 {
    metric(server, "http_server_memory_bytes")
}

/// Opens a connection and sends all of a body but its last byte, or as much as the service accepts.
async fn unfinished(address: SocketAddr, path: &str, size: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: test\r\ncontent-type: application/{}\r\n\
         content-length: {size}\r\n\r\n",
        if path == "/form" { "x-www-form-urlencoded" } else { "json" }
    );
    let body = vec![b' '; size - 1];
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(&body).await;
    stream
}

/// Returns the response on a connection; "" if none arrives for a moment.
async fn answer(stream: &mut TcpStream) -> String {
    answer_within(stream, Duration::from_millis(200)).await
}

async fn answer_within(stream: &mut TcpStream, limit: Duration) -> String {
    let mut text = vec![0; 4096];
    let read = tokio::time::timeout(limit, stream.read(&mut text)).await;
    let length = read.map_or(0, |read| read.unwrap_or(0));
    String::from_utf8_lossy(&text[..length]).into_owned()
}

#[track_caller]
fn is_refusal(answer: &str) -> bool {
    let refused = answer.starts_with("HTTP/1.1 503");
    if refused {
        assert!(answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
        assert!(answer.contains("application/problem+json"), "{answer}");
    }
    refused
}

#[piton::test]
async fn bodies_that_do_not_end_stay_within_the_budget_and_keep_nobody_else_out() {
    for path in ["/json", "/bytes"] {
        let server = TestServer::start(app()).await;
        let address = server.address();
        let mut held = Vec::new();
        let mut refused = 0;
        for _ in 0..12 {
            let mut stream = unfinished(address, path, MIB).await;
            if is_refusal(&answer(&mut stream).await) {
                refused += 1;
            } else {
                held.push(stream);
            }
        }
        assert!((2..=3).contains(&held.len()) && refused >= 9, "{} {refused}", held.len());
        assert!(used(&server) <= 4 << 20 && used(&server) > 2 << 20, "{}", used(&server));
        assert!(metric(&server, "http_server_memory_refused_requests_total") >= 9);
        assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200"));
        // A small body still passes, because the last eighth of the budget is reserved.
        let mut small = unfinished(address, path, 1000).await;
        small.write_all(b"1").await.unwrap();
        let passed = answer(&mut small).await;
        assert!(passed.starts_with("HTTP/1.1 200"), "{passed}");
        // A body that was accepted before can be finished.
        let mut first = held.remove(0);
        first.write_all(b"1").await.unwrap();
        let passed = answer(&mut first).await;
        assert!(passed.starts_with("HTTP/1.1 200"), "{passed}");
        drop((first, held, small));
        wait_for(|| async { used(&server) == 0 }).await;
        server.stop().await;
    }
}

#[piton::test]
async fn large_bodies_that_do_not_end_stay_within_the_budget() {
    for path in ["/json", "/form", "/bytes", "/text"] {
        let app = app().set("http.body_limit", "24MiB").set("http.memory_budget", "32MiB");
        let server = TestServer::start(app).await;
        let mut first = unfinished(server.address(), path, 20 * MIB).await;
        // All but the last byte.
        wait_for(|| async { used(&server) >= (20 << 20) - 1 }).await;
        assert!(used(&server) < 21 << 20, "{path} {}", used(&server));
        let mut second = unfinished(server.address(), path, 20 * MIB).await;
        wait_for(|| async { metric(&server, "http_server_memory_refused_requests_total") == 1 })
            .await;
        assert!(is_refusal(&answer(&mut second).await), "{path}");
        first.write_all(b"1").await.unwrap();
        let passed = answer_within(&mut first, Duration::from_secs(10)).await;
        assert!(passed.starts_with("HTTP/1.1 "), "{path} {passed}");
        assert!(!is_refusal(&passed), "{path} {passed}");
        drop((first, second));
        wait_for(|| async { used(&server) == 0 }).await;
        server.stop().await;
    }
}

#[piton::test]
async fn a_body_in_tiny_pieces_costs_its_bytes_and_one_alone_is_never_told_to_come_back() {
    let server = TestServer::start(app()).await;
    // A megabyte in pieces of seven bytes, and one of `0,` that becomes more values than there is
    // room for.
    for (path, text) in
        [("/json", " ".repeat(MIB)), ("/bytes", " ".repeat(MIB)), ("/json", "0,".repeat(950_000))]
    {
        let body = format!("[{text}0]");
        let body = if text.starts_with('0') { body } else { format!("{text}1") };
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n\
             transfer-encoding: chunked\r\n\r\n"
        )
        .into_bytes();
        for piece in body.as_bytes().chunks(7) {
            request.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            request.extend_from_slice(piece);
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"0\r\n\r\n");
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(&request).await.unwrap();
        let passed = answer_within(&mut stream, Duration::from_secs(20)).await;
        assert!(passed.starts_with("HTTP/1.1 200"), "{path} {passed}");
    }
    server.stop().await;
}

#[piton::test]
async fn a_client_that_is_refused_reads_why_and_that_its_connection_ends() {
    let server = TestServer::start(app()).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(unfinished(server.address(), "/json", MIB).await);
    }
    wait_for(|| async { used(&server) > 2 << 20 }).await;
    let mut stream = unfinished(server.address(), "/json", 2 * MIB).await;
    stream.write_all(b"1").await.unwrap();
    let refusal = answer(&mut stream).await;
    assert!(is_refusal(&refusal) && refusal.contains("\r\nconnection: close\r\n"), "{refusal}");
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "an end and no reset");
    drop((stream, held));
    server.stop().await;
}

#[piton::test]
async fn answers_that_nobody_reads_stay_within_the_budget() {
    let server = TestServer::start(app()).await;
    let address = server.address();
    let small_window = || async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        // A large window would take the response out of the service's memory.
        socket.set_recv_buffer_size(8 << 10).unwrap();
        socket.connect(address).await.unwrap()
    };
    let mut streams = Vec::new();
    for _ in 0..40 {
        let mut stream = small_window().await;
        let request = b"GET /large HTTP/1.1\r\nhost: test\r\n\r\n".repeat(4);
        stream.write_all(&request).await.unwrap();
        streams.push(stream);
    }
    wait_for(|| async { metric(&server, "http_server_memory_refused_requests_total") > 0 }).await;
    assert!(used(&server) <= 4 << 20, "{}", used(&server));
    assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200"));
    // The result of a POST is sent even beyond the budget, as the client would repeat it otherwise.
    let mut done = TcpStream::connect(address).await.unwrap();
    let request =
        "POST /large HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    done.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    done.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 200") && text.len() > MIB, "{}", &text[..100]);
    drop(streams);
    wait_for(|| async { used(&server) == 0 }).await;
    server.stop().await;
}

#[piton::test]
async fn json_is_counted_as_the_values_it_becomes() {
    let client = TestApp::new(app()).await;
    let post = async |body: &str| {
        let request = client.post("/json").header("content-type", "application/json");
        request.body(body.to_owned()).await.status()
    };
    // A body of 100 KB becomes values of 1.6 MB.
    let body = format!("[{}0]", "0,".repeat(50_000));
    assert_eq!(post(&body).await, 200);
    let text = client.handle().metrics().text();
    let peak = text.lines().find_map(|line| line.strip_prefix("http_server_memory_peak_bytes "));
    let peak: usize = peak.unwrap().parse().unwrap();
    assert!(peak > 10 * body.len(), "{peak}");
    assert!(text.contains("http_server_memory_bytes 0"), "{text}");
    // A single request is never refused for an estimate.
    assert_eq!(post(&format!("[{}0]", "0,".repeat(500_000))).await, 200);
}

#[piton::test]
async fn an_unread_body_costs_nothing_and_an_early_answer_gives_it_back() {
    let server = TestServer::start(app()).await;
    for _ in 0..20 {
        let mut stream = unfinished(server.address(), "/nowhere", MIB).await;
        let text = answer(&mut stream).await;
        assert!(text.starts_with("HTTP/1.1 404"), "{text}");
    }
    wait_for(|| async { used(&server) == 0 }).await;
    server.stop().await;
}

#[cfg(feature = "compression")]
#[piton::test]
async fn what_a_post_has_done_is_told_though_there_is_no_memory_to_compress_it() {
    let server = TestServer::start(app().set("http.compression", true)).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(unfinished(server.address(), "/bytes", MIB).await);
    }
    wait_for(|| async { used(&server) > 5 << 19 }).await;
    let ask = async |method: &str| {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let request = format!(
            "{method} /large HTTP/1.1\r\nhost: test\r\naccept-encoding: gzip\r\ncontent-length: 0\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = vec![0; 4096];
        let length = stream.read(&mut text).await.unwrap();
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    let refused = ask("GET").await;
    assert!(is_refusal(&refused), "{refused}");
    let done = ask("POST").await;
    assert!(done.starts_with("HTTP/1.1 200") && done.contains("content-encoding: gzip"), "{done}");
    drop(held);
    server.stop().await;
}
