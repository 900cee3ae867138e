//! Requests that are not HTTP, or that two implementations could take for different requests: each is refused
//! or its connection closed, and nothing after it on the connection is served.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use piton::http;
use piton::prelude::*;
use piton::testing::TestServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sent after every malformed request. If it is served, the service has misread where the first one ends.
const SMUGGLED: &[u8] = b"GET /smuggled HTTP/1.1\r\nhost: test\r\n\r\n";

/// The statuses of a refusal.
const REFUSALS: [&str; 9] = ["400", "404", "405", "408", "413", "414", "431", "501", "505"];

/// First lines, each followed by a valid `Host`.
const FIRST_LINES: &[&[u8]] = &[
    b"GET",
    b"GET ",
    b"GET /",
    b"GET / ",
    b"GET / HTTP",
    b"GET / HTTP/",
    b"GET / HTTP/1",
    b"GET / HTTP/1.",
    b"GET / HTTP/1.2",
    b"GET / HTTP/1.10",
    b"GET / HTTP/11",
    b"GET / HTTP/0.9",
    b"GET / HTTP/2.0",
    b"GET / HTTP/3",
    b"GET / HTTP/-1.1",
    b"GET / HTTP/1,1",
    b"GET / HTTP/1.1x",
    b"GET / HTTP/1.1 x",
    b"GET / http/1.1",
    b"GET / HTTPS/1.1",
    b"GET / FTP/1.1",
    b"GET  / HTTP/1.1",
    b"GET /  HTTP/1.1",
    b"GET\t/ HTTP/1.1",
    b"GET /\tHTTP/1.1",
    b" GET / HTTP/1.1",
    b"GET /a b HTTP/1.1",
    b"GET /\0 HTTP/1.1",
    b"GET /\x01 HTTP/1.1",
    b"GET /\x7f HTTP/1.1",
    b"GET /\rx HTTP/1.1",
    b"G\0T / HTTP/1.1",
    b"G(T / HTTP/1.1",
    b"G:T / HTTP/1.1",
    b"G\xffT / HTTP/1.1",
    b"\0\0\0\0",
    b"\x16\x03\x01\x02\x00\x01\x00",
    b"GET / HTTP/1.1\0",
    b"GET \\ HTTP/1.1",
    b"GET nothing HTTP/1.1",
    b"GET http:// HTTP/1.1",
    b"GET ://a/ HTTP/1.1",
    b"GET test:80 HTTP/1.1",
    b"GET ftp://test/ HTTP/1.1",
    b"POST * HTTP/1.1",
];

/// Header lines of `GET /`, after a valid `Host`.
const HEADERS: &[&[u8]] = &[
    b"x",
    b"x y",
    b": x",
    b"x : y",
    b"x\t: y",
    b" x: y",
    b"\tx: y",
    b"x: y\r\n z",
    b"x: y\r\n\tz",
    b"x: \0",
    b"x: a\0b",
    b"x: a\x01b",
    b"x: a\x7fb",
    b"x: a\rb",
    b"x\0: y",
    b"x(: y",
    b"x\xff: y",
    b"x,y: z",
    b"x/y: z",
    b"{x}: y",
    b"host: test",
    b"Host: other",
    b"HOST : other",
    b"content-length",
    b"transfer-encoding",
    b"transfer-encoding: ",
];

/// Headers that frame a body of `POST /body`, and the body.
const BODIES: &[(&[u8], &[u8])] = &[
    (b"content-length: -1", b""),
    (b"content-length: +1", b"x"),
    (b"content-length: 1 1", b"x"),
    (b"content-length: 1,1", b"x"),
    (b"content-length: 1, 2", b"x"),
    (b"content-length: 0x1", b"x"),
    (b"content-length: 1e1", b"x"),
    (b"content-length: 1.0", b"x"),
    (b"content-length: one", b"x"),
    (b"content-length: \"1\"", b"x"),
    (b"content-length: ", b"x"),
    (b"content-length: 1;", b"x"),
    (b"content-length: 18446744073709551615", b""),
    (b"content-length: 18446744073709551616", b""),
    (b"content-length: 99999999999999999999999", b""),
    (b"content-length: 1\r\ncontent-length: 2", b"xy"),
    (b"content-length: 2\r\nContent-Length: 1", b"xy"),
    (b"content-length : 5", b"12345"),
    (b"content_length: 5\r\ncontent-length: x", b"12345"),
    (b"transfer-encoding: gzip", b""),
    (b"transfer-encoding: identity", b""),
    (b"transfer-encoding: chunked, gzip", b"0\r\n\r\n"),
    (b"transfer-encoding: chunked\r\ntransfer-encoding: gzip", b"0\r\n\r\n"),
    (b"transfer-encoding: gzip, chunked", b"0\r\n\r\n"),
    (b"transfer-encoding: gzip\r\ntransfer-encoding: chunked", b"0\r\n\r\n"),
    (b"transfer-encoding: chunked, chunked", b"0\r\n\r\n"),
    (b"transfer-encoding: chunked\r\ntransfer-encoding: chunked", b"0\r\n\r\n"),
    (b"transfer-encoding: chunked;q=1", b"0\r\n\r\n"),
    (b"transfer-encoding: xchunked", b"0\r\n\r\n"),
    (b"transfer-encoding: \"chunked\"", b"0\r\n\r\n"),
    (b"transfer-encoding: \x0bchunked", b"0\r\n\r\n"),
    (b"transfer-encoding: chunked\0", b"0\r\n\r\n"),
    (b"transfer-encoding : chunked", b"0\r\n\r\n"),
    (b"transfer-encoding\r\n: chunked", b"0\r\n\r\n"),
    (b"transfer-encoding:\r\n chunked", b"0\r\n\r\n"),
    (b"transfer-encoding: chunked", b"x\r\n\r\n"),
    (b"transfer-encoding: chunked", b"-1\r\nx\r\n0\r\n\r\n"),
    (b"transfer-encoding: chunked", b"+1\r\nx\r\n0\r\n\r\n"),
    (b"transfer-encoding: chunked", b"0x1\r\nx\r\n0\r\n\r\n"),
    (b"transfer-encoding: chunked", b"1 1\r\nx\r\n0\r\n\r\n"),
    (b"transfer-encoding: chunked", b"\r\nx\r\n0\r\n\r\n"),
    (b"transfer-encoding: chunked", b";a\r\nx\r\n0\r\n\r\n"),
    (b"transfer-encoding: chunked", b"1\rx\r\n0\r\n\r\n"),
    (b"transfer-encoding: chunked", b"1\r\nxy\r\n0\r\n\r\n"),
    (b"transfer-encoding: chunked", b"1\r\nx0\r\n\r\n"),
    (b"transfer-encoding: chunked", b"1\r\nx\n0\r\n\r\n"),
    (b"transfer-encoding: chunked", b"2\r\nx\r\n0\r\n\r\n"),
    (b"transfer-encoding: chunked", b"ffffffffffffffff\r\nx\r\n0\r\n\r\n"),
    (b"transfer-encoding: chunked", b"10000000000000000\r\nx\r\n0\r\n\r\n"),
    (b"transfer-encoding: chunked", b"1;a=\"\nx\r\n0\r\n\r\n"),
    (b"transfer-encoding: chunked", b"1\nx\n0\n\n"),
    (b"transfer-encoding: chunked", b"0\r\nx\r\n\r\n"),
    (b"transfer-encoding: chunked", b"0\r\nx y: z\r\n\r\n"),
    (b"transfer-encoding: chunked", b"0\r\n\0: z\r\n\r\n"),
    (b"transfer-encoding: chunked", b"0\r\nx: \0\r\n\r\n"),
];

/// Headers of `POST /body` that a server may accept if it closes the connection (RFC 9112 section 6.3).
const AMBIGUOUS: &[(&[u8], &[u8])] = &[
    (b"content-length: 5\r\ntransfer-encoding: chunked", b"0\r\n\r\n"),
    (b"transfer-encoding: chunked\r\ncontent-length: 5", b"0\r\n\r\n"),
    (b"transfer-encoding: chunked\r\ncontent-length: 50", b"0\r\n\r\n"),
    (b"transfer-encoding: chunked\r\ncontent-length: x", b"0\r\n\r\n"),
];

#[derive(Clone, Default)]
struct Smuggled(Arc<AtomicUsize>);

async fn smuggled(State(count): State<Smuggled>) {
    count.0.fetch_add(1, Ordering::Relaxed);
}

async fn root() {}

async fn body(body: String) -> String {
    body
}

async fn start(count: &Smuggled) -> TestServer {
    let app = App::new("malformed")
        .blueprints(["none"])
        .set("log.level", "critical")
        .state(count.clone())
        .route(http::get("/", root))
        .route(http::get("/smuggled", smuggled))
        .route(http::post("/body", body));
    TestServer::start(app).await
}

/// Sends `request`, what is smuggled, and the end of the stream. Returns the response.
async fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&[request, SMUGGLED].concat()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
    let shown = String::from_utf8_lossy(request).into_owned();
    read.expect("the server closes").unwrap_or_else(|error| panic!("{error}: {shown:?}"));
    String::from_utf8_lossy(&answer).into_owned()
}

fn is_refusal(answer: &str) -> bool {
    answer.is_empty()
        || REFUSALS.iter().any(|status| answer.starts_with(&format!("HTTP/1.1 {status} ")))
            && answer.contains("\r\ncontent-type: application/problem+json\r\n")
            && answer.contains("\r\nx-request-id: ")
}

fn requests() -> Vec<Vec<u8>> {
    let first_lines =
        FIRST_LINES.iter().map(|line| [line, &b"\r\nhost: test\r\n\r\n"[..]].concat());
    let headers = HEADERS
        .iter()
        .map(|line| [b"GET / HTTP/1.1\r\nhost: test\r\n", *line, b"\r\n\r\n"].concat());
    first_lines.chain(headers).chain(BODIES.iter().map(|framed| post(*framed))).collect()
}

fn post((headers, body): (&[u8], &[u8])) -> Vec<u8> {
    [b"POST /body HTTP/1.1\r\nhost: test\r\n", headers, b"\r\n\r\n", body].concat()
}

#[piton::test]
async fn each_malformed_request_is_refused_and_nothing_after_it_is_served() {
    let count = Smuggled::default();
    let server = start(&count).await;
    let (mut accepted, requests) = (Vec::new(), requests());
    assert!(requests.len() >= 110, "{}", requests.len());
    for request in requests {
        let answer = exchange(server.address(), &request).await;
        let smuggled = count.0.swap(0, Ordering::Relaxed);
        if !is_refusal(&answer) || smuggled > 0 {
            accepted.push((String::from_utf8_lossy(&request).into_owned(), answer, smuggled));
        }
    }
    assert!(accepted.is_empty(), "{} accepted: {accepted:#?}", accepted.len());
    server.stop().await;
}

#[piton::test]
async fn a_request_with_two_lengths_is_the_last_of_its_connection() {
    let count = Smuggled::default();
    let server = start(&count).await;
    for framed in AMBIGUOUS {
        let answer = exchange(server.address(), &post(*framed)).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        assert!(is_refusal(&answer) || answer.contains("\r\nconnection: close\r\n"), "{answer}");
    }
    assert_eq!(count.0.load(Ordering::Relaxed), 0);
    server.stop().await;
}

#[piton::test]
async fn endless_lines_and_trailers_are_refused() {
    let count = Smuggled::default();
    let server = start(&count).await;
    let many = |line: &str, count| line.repeat(count).into_bytes();
    let chunked = b"POST /body HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n";
    let requests = [
        [b"GET /", &*many("x", 70_000), b" HTTP/1.1\r\nhost: test\r\n\r\n"].concat(),
        [b"GET / HTTP/1.1\r\nhost: test\r\n", &*many("x: y\r\n", 101), b"\r\n"].concat(),
        [b"GET / HTTP/1.1\r\nhost: test\r\nx: ", &*many("y", 40_000), b"\r\n\r\n"].concat(),
        [b"GET / HTTP/1.1\r\nhost: test\r\n", &*many("y", 40_000), b": x\r\n\r\n"].concat(),
        [&chunked[..], b"1;", &*many("e", 70_000), b"\r\nx\r\n0\r\n\r\n"].concat(),
        [&chunked[..], b"0\r\n", &*many("x: y\r\n", 1_000), b"\r\n"].concat(),
        [&chunked[..], b"0\r\nx: ", &*many("y", 70_000), b"\r\n\r\n"].concat(),
    ];
    for request in requests {
        let answer = exchange(server.address(), &request).await;
        let shown = String::from_utf8_lossy(&request[..80]);
        assert!(is_refusal(&answer), "{shown:?}: {answer}");
    }
    assert_eq!(count.0.load(Ordering::Relaxed), 0);
    server.stop().await;
}
