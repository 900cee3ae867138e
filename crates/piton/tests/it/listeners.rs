//! Several addresses, Unix sockets, and the addresses of clients behind the PROXY protocol.

use std::path::Path;
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use piton::http::{ClientIp, get};
use piton::prelude::*;
use piton::testing::TestServer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::serving::get as get_over_tcp;

async fn client_ip(ClientIp(address): ClientIp) -> String {
    address.to_string()
}

fn app() -> App {
    App::new("listeners")
        .blueprints(["none"])
        .set("log.level", "critical")
        .route(get("/client-ip", client_ip))
}

/// Sends `head`, then a request. Returns the whole answer.
async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, head: &[u8]) -> String {
    let request = b"GET /client-ip HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    let _ = stream.write_all(&[head, request].concat()).await;
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

fn unix(path: &Path) -> String {
    format!("unix:{}?mode=600", path.display())
}

#[piton::test]
async fn every_address_is_served_and_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let port = test_support::free_port();
    let addresses = ["127.0.0.1:0", &format!("127.0.0.1:{port}"), &unix(&path)].map(str::to_owned);
    let server = TestServer::start(app().set("http.listen", addresses.to_vec())).await;
    assert!(get_over_tcp(server.address(), "/client-ip").await.ends_with("127.0.0.1"));
    assert!(get_over_tcp(([127, 0, 0, 1], port).into(), "/client-ip").await.ends_with("127.0.0.1"));
    let answer = ask(UnixStream::connect(&path).await.unwrap(), b"").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("127.0.0.1"), "{answer}");
    let kept = UnixStream::connect(&path).await.unwrap();
    let begun = Instant::now();
    server.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    drop(kept);
    assert!(!path.exists(), "the socket's file is removed");
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
}

#[piton::test]
#[should_panic(expected = "the server listens on Unix sockets alone")]
async fn a_unix_socket_has_no_url() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let server = TestServer::start(app().set("http.listen", vec![unix(&path)])).await;
    let _ = server.url("/client-ip");
}

#[piton::test]
async fn a_request_over_a_unix_socket_is_answered_while_the_service_stops() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let app = app().set("http.listen", vec![unix(&path)]).set("http.drain_wait", "1s");
    let server = TestServer::start(app).await;
    server.begin_to_stop();
    let answer = ask(UnixStream::connect(&path).await.unwrap(), b"").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    server.stop().await;
}

fn behind_proxies(trusted: &str) -> App {
    app().set("http.proxy_protocol", true).set("http.trusted_proxies", vec![trusted.to_owned()])
}

const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x09\xc0\0\x02\x01\xdc\x04\x01\xbb";

#[piton::test]
async fn a_trusted_proxy_names_the_client_by_the_proxy_protocol() {
    let server = TestServer::start(behind_proxies("loopback")).await;
    let connect = || TcpStream::connect(server.address());
    let v1 = b"PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\n";
    assert!(ask(connect().await.unwrap(), v1).await.ends_with("203.0.113.7"));
    assert!(ask(connect().await.unwrap(), V2).await.ends_with("203.0.113.9"));
    assert!(ask(connect().await.unwrap(), b"PROXY UNKNOWN\r\n").await.ends_with("127.0.0.1"));
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\x11\0\x00";
    assert!(ask(connect().await.unwrap(), local).await.ends_with("127.0.0.1"));
    assert_eq!(ask(connect().await.unwrap(), b"").await, "", "without a header it is closed");
    server.stop().await;
}

#[piton::test]
async fn a_connection_without_a_client_cannot_name_one_by_headers() {
    async fn forwarded(headers: HeaderMap, ClientIp(address): ClientIp) -> String {
        let names = ["x-forwarded-for", "forwarded", "x-real-ip", "x-request-id"];
        format!("{address} {}", names.iter().filter(|name| headers.contains_key(**name)).count())
    }
    let app = behind_proxies("loopback").route(get("/forwarded", forwarded));
    let server = TestServer::start(app).await;
    let request = "GET /forwarded HTTP/1.1\r\nhost: test\r\nx-forwarded-for: 203.0.113.1\r\n\
                   forwarded: for=203.0.113.1\r\nx-real-ip: 203.0.113.1\r\n\
                   x-request-id: 00000000000000000000000000000007\r\nconnection: close\r\n\r\n";
    let unix = b"\r\n\r\n\0\r\nQUIT\n\x21\x31\0\0";
    for head in [&b"PROXY UNKNOWN\r\n"[..], unix] {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(&[head, request.as_bytes()].concat()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("\r\n\r\n127.0.0.1 0"), "{answer}");
        assert!(!answer.contains("00000000000000000000000000000007"), "{answer}");
    }
    server.stop().await;
}

#[piton::test]
async fn nobody_else_speaks_the_proxy_protocol() {
    let server = TestServer::start(behind_proxies("10.0.0.0/8")).await;
    let stream = TcpStream::connect(server.address()).await.unwrap();
    assert_eq!(ask(stream, V2).await, "");
    server.stop().await;
    let server = TestServer::start(app()).await;
    let stream = TcpStream::connect(server.address()).await.unwrap();
    assert!(ask(stream, V2).await.starts_with("HTTP/1.1 400"), "it is off by default");
    server.stop().await;
}

#[piton::test]
async fn a_header_that_does_not_end_is_given_up() {
    let app = behind_proxies("loopback").set("http.header_timeout", "300ms");
    let server = TestServer::start(app).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(b"PROXY TCP4 ").await.unwrap();
    let begun = Instant::now();
    assert_eq!(stream.read(&mut [0; 16]).await.unwrap_or_default(), 0);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    server.stop().await;
}
