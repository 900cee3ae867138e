//! HTTP/2: the responses to good clients, and the defences against hostile ones.
//!
//! Frames are written by hand where a client of a library would not send them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use piton::http::{get, post};
use piton::prelude::*;
use piton::testing::TestServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::gate::{Gate, gated};
use crate::serving::{get as get_by_http1, wait_for};

/// Types of frames (RFC 9113, section 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

/// Flags of frames.
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// Error codes (RFC 9113, section 7).
const NO_ERROR: u32 = 0;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const ENHANCE_YOUR_CALM: u32 = 11;

/// Indices of names in the static table (RFC 7541, appendix A), in a literal without indexing.
const AUTHORITY: [u8; 1] = [1];
const HOST: [u8; 2] = [15, 38 - 15];

/// `:status: 400` in the static table.
const STATUS_400: u8 = 0x8c;

async fn host(headers: HeaderMap) -> String {
    headers["host"].to_str().unwrap().to_owned()
}

async fn length(body: String) -> String {
    body.len().to_string()
}

async fn large() -> Vec<u8> {
    vec![7; 300_000]
}

async fn ignored() -> &'static str {
    "not read"
}

fn app(gate: &Gate) -> App {
    App::new("http2")
        .blueprints(["none"])
        .set("log.level", "critical")
        .state(gate.clone())
        .route(get("/gated", gated))
        .route(get("/host", host))
        .route(get("/large", large))
        .route(post("/length", length))
        .route(post("/ignored", ignored))
}

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Frame {
    fn error_code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

/// A connection whose frames are written and read one by one.
struct Peer(TcpStream);

impl Peer {
    /// Connects, and sends the preface with these settings.
    async fn connect(server: &TestServer, settings: &[(u16, u32)]) -> Self {
        let stream = TcpStream::connect(server.address()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut peer = Self(stream);
        peer.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        let payload = settings
            .iter()
            .flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()[..]].concat());
        peer.send(SETTINGS, 0, 0, &payload.collect::<Vec<_>>()).await.unwrap();
        peer
    }

    async fn send(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
    ) -> std::io::Result<()> {
        let frame = frame(kind, flags, stream, payload);
        self.0.write_all(&frame).await
    }

    async fn request(&mut self, stream: u32, path: &str) {
        let flags = END_HEADERS | END_STREAM;
        self.send(HEADERS, flags, stream, &request_head("GET", path)).await.unwrap();
    }

    /// Reads the next frame. `None` at the end of the connection.
    async fn read(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).await.ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    /// Reads until a frame of this type.
    async fn read_until(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.read().await?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    /// Reads to the end of the connection. Returns the error code of its last GOAWAY.
    async fn end(&mut self) -> Option<u32> {
        let mut code = None;
        let read = async {
            while let Some(frame) = self.read().await {
                code = (frame.kind == GOAWAY).then(|| frame.error_code()).or(code);
            }
        };
        tokio::time::timeout(Duration::from_secs(20), read).await.expect("the connection ends");
        code
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header block without compression: method, scheme, path and authority.
fn request_head(method: &str, path: &str) -> Vec<u8> {
    let method = if method == "POST" { 0x83 } else { 0x82 };
    [&[method, 0x86][..], &literal(&[4], path), &literal(&AUTHORITY, "test")].concat()
}

/// A header whose name has this index in the static table.
fn literal(index: &[u8], value: &str) -> Vec<u8> {
    [index, &[u8::try_from(value.len()).unwrap()], value.as_bytes()].concat()
}

#[piton::test]
async fn a_client_that_begins_with_the_preface_is_served() {
    let server = TestServer::start(app(&Gate::default())).await;
    let mut peer = Peer::connect(&server, &[]).await;
    peer.request(1, "/host").await;
    let head = peer.read_until(HEADERS).await.unwrap();
    // 0x88 is `:status: 200` in the static table.
    assert_eq!((head.stream, head.payload[0]), (1, 0x88));
    let data = peer.read_until(DATA).await.unwrap();
    assert_eq!((data.payload, data.flags), (b"test".to_vec(), END_STREAM));
    assert!(get_by_http1(server.address(), "/host").await.ends_with("test"), "as is HTTP/1");
    server.stop().await;
    let server = TestServer::start(app(&Gate::default()).set("http.http2.enabled", false)).await;
    let mut peer = Peer::connect(&server, &[]).await;
    assert!(peer.end().await.is_none(), "switched off, it is not HTTP");
    server.stop().await;
}

#[piton::test]
async fn a_host_that_is_refused_over_http_1_is_refused_over_http_2() {
    let server = TestServer::start(app(&Gate::default())).await;
    let mut peer = Peer::connect(&server, &[]).await;
    let target = [&[0x82, 0x86][..], &literal(&[4], "/host")].concat();
    let two_hosts = [literal(&HOST, "a"), literal(&HOST, "b")].concat();
    let hosts = [literal(&AUTHORITY, "u@a"), literal(&HOST, "u@a"), two_hosts];
    for (stream, host) in (1..).step_by(2).zip(hosts) {
        let head = [&target[..], &host].concat();
        peer.send(HEADERS, END_HEADERS | END_STREAM, stream, &head).await.unwrap();
        let response = peer.read_until(HEADERS).await.unwrap();
        assert_eq!((response.stream, response.payload[0]), (stream, STATUS_400));
    }
    server.stop().await;
}

#[piton::test]
async fn headers_above_the_limit_get_a_problem_document_and_the_connection_goes_on() {
    let server = TestServer::start(app(&Gate::default()).set("http.header_limit", "8KiB")).await;
    let mut peer = Peer::connect(&server, &[]).await;
    // A literal with a new name; 8,200 is 127 and 8,073 in groups of seven bits (RFC 7541, section 5.1).
    let long = [&[0, 3][..], b"x-y", &[0x7f, 0x89, 0x3f], &[b'z'; 8_200]].concat();
    let head = [&request_head("GET", "/host")[..], &long].concat();
    peer.send(HEADERS, END_HEADERS | END_STREAM, 1, &head).await.unwrap();
    let body = String::from_utf8(peer.read_until(DATA).await.unwrap().payload).unwrap();
    assert!(body.contains("\"status\":431"), "{body}");
    peer.request(3, "/host").await;
    assert_eq!(peer.read_until(DATA).await.unwrap().payload, b"test");
    server.stop().await;
}

#[piton::test]
async fn an_answer_given_before_the_body_was_read_arrives_and_the_connection_goes_on() {
    let server = TestServer::start(app(&Gate::default())).await;
    let mut peer = Peer::connect(&server, &[]).await;
    peer.send(HEADERS, END_HEADERS, 1, &request_head("POST", "/ignored")).await.unwrap();
    peer.send(DATA, 0, 1, &[0; 16_000]).await.unwrap();
    let mut seen = HashMap::new();
    while !seen.contains_key(&RST_STREAM) {
        let frame = peer.read().await.unwrap();
        seen.insert(frame.kind, frame);
    }
    assert_eq!(seen[&DATA].payload, b"not read");
    assert_eq!(seen[&RST_STREAM].error_code(), NO_ERROR);
    peer.request(3, "/host").await;
    assert_eq!(peer.read_until(DATA).await.unwrap().payload, b"test");
    server.stop().await;
}

#[piton::test]
async fn a_stop_finishes_what_is_under_way_and_says_goaway() {
    let gate = Gate::default();
    let server = TestServer::start(app(&gate)).await;
    let mut peer = Peer::connect(&server, &[]).await;
    peer.request(1, "/gated").await;
    gate.inside.notified().await;
    server.begin_to_stop();
    let goaway = peer.read_until(GOAWAY).await.unwrap();
    assert_eq!(goaway.error_code(), NO_ERROR);
    gate.open.notify_one();
    assert_eq!(peer.read_until(DATA).await.unwrap().payload, b"through");
    // The ping of the graceful end is not acknowledged, and does not hold up the end.
    let begun = Instant::now();
    server.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[piton::test]
async fn a_draining_service_sends_its_clients_elsewhere_after_their_answer() {
    let server = TestServer::start(app(&Gate::default()).set("http.drain_wait", "2s")).await;
    let mut peer = Peer::connect(&server, &[]).await;
    peer.request(1, "/host").await;
    peer.read_until(DATA).await.unwrap();
    server.begin_to_stop();
    let handle = server.handle().clone();
    wait_for(|| async { handle.draining() }).await;
    peer.request(3, "/host").await;
    let head = peer.read_until(HEADERS).await.unwrap();
    assert!(!head.payload.windows(5).any(|part| part == b"close"), "no `connection` in HTTP/2");
    assert_eq!(peer.read_until(DATA).await.unwrap().payload, b"test");
    assert_eq!(peer.read_until(GOAWAY).await.unwrap().error_code(), NO_ERROR);
    server.stop().await;
}

#[piton::test]
async fn a_connection_without_requests_is_closed_however_often_it_pings() {
    let app = app(&Gate::default()).set("http.header_timeout", "300ms");
    let server = TestServer::start(app).await;
    let mut peer = Peer::connect(&server, &[]).await;
    let begun = Instant::now();
    while peer.send(PING, 0, 0, &[0; 8]).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(begun.elapsed() < Duration::from_secs(20), "waited in vain");
    }
    server.stop().await;
}

#[piton::test]
async fn a_client_that_opens_no_window_has_its_stream_reset_and_keeps_its_connection() {
    let app = app(&Gate::default()).set("http.write_timeout", "400ms");
    let server = TestServer::start(app).await;
    // SETTINGS_INITIAL_WINDOW_SIZE
    let mut peer = Peer::connect(&server, &[(4, 0)]).await;
    peer.request(1, "/large").await;
    let reset = peer.read_until(RST_STREAM).await.unwrap();
    assert_eq!((reset.stream, reset.error_code()), (1, CANCEL));
    peer.request(3, "/host").await;
    peer.send(WINDOW_UPDATE, 0, 3, &1000_u32.to_be_bytes()).await.unwrap();
    assert_eq!(peer.read_until(DATA).await.unwrap().payload, b"test");
    server.stop().await;
}

#[piton::test]
async fn a_client_that_opens_its_window_slowly_gets_all() {
    let app = app(&Gate::default()).set("http.write_timeout", "1s");
    let server = TestServer::start(app).await;
    let mut peer = Peer::connect(&server, &[(4, 0)]).await;
    peer.send(WINDOW_UPDATE, 0, 0, &1_000_000_u32.to_be_bytes()).await.unwrap();
    peer.request(1, "/large").await;
    let mut received = 0;
    let begun = Instant::now();
    loop {
        peer.send(WINDOW_UPDATE, 0, 1, &30_000_u32.to_be_bytes()).await.unwrap();
        let frame = peer.read_until(DATA).await.expect("the stream is not reset");
        received += frame.payload.len();
        if frame.flags & END_STREAM != 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    assert_eq!(received, 300_000);
    assert!(begun.elapsed() > Duration::from_secs(2), "longer than the timeout");
    server.stop().await;
}

#[piton::test]
async fn more_streams_than_allowed_are_refused() {
    let gate = Gate::default();
    let server = TestServer::start(app(&gate).set("http.http2.max_streams", 2)).await;
    let mut peer = Peer::connect(&server, &[]).await;
    for stream in [1, 3, 5] {
        peer.request(stream, "/gated").await;
    }
    let reset = peer.read_until(RST_STREAM).await.unwrap();
    assert_eq!((reset.stream, reset.error_code()), (5, REFUSED_STREAM));
    gate.open.notify_waiters();
    drop(peer);
    server.stop().await;
}

/// Sends `flood` again and again until the connection ends. Returns the error code of its GOAWAY.
async fn flood(peer: Peer, mut flood: impl FnMut(u32) -> Vec<u8> + Send + 'static) -> Option<u32> {
    let (read, mut write) = peer.0.into_split();
    let writer = tokio::spawn(async move {
        for round in 0..1_000_000 {
            if write.write_all(&flood(round)).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    let mut reader = read;
    let mut received = Vec::new();
    let whole = reader.read_to_end(&mut received);
    let _ =
        tokio::time::timeout(Duration::from_secs(20), whole).await.expect("the flood is cut off");
    writer.abort();
    let mut rest = &received[..];
    let mut code = None;
    while let Some((head, after)) = rest.split_at_checked(9) {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let Some((payload, after)) = after.split_at_checked(length) else { break };
        if head[3] == GOAWAY {
            code = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
        rest = after;
    }
    code
}

#[piton::test]
async fn rapid_resets_end_the_connection_at_once_or_one_by_one() {
    let server = TestServer::start(app(&Gate::default())).await;
    let reset = |stream: u32| {
        let head = frame(HEADERS, END_HEADERS | END_STREAM, stream, &request_head("GET", "/gated"));
        [head, frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes())].concat()
    };
    // All in one segment: h2 counts the streams that were reset before they were accepted.
    let peer = Peer::connect(&server, &[]).await;
    let many = move |round: u32| {
        (0..50).flat_map(|index| reset((round * 50 + index) * 2 + 1)).collect::<Vec<u8>>()
    };
    assert_eq!(flood(peer, many).await, Some(ENHANCE_YOUR_CALM));
    // One after another, each accepted: the service counts those that were cancelled.
    let mut peer = Peer::connect(&server, &[]).await;
    let mut count = 0;
    while peer
        .send(HEADERS, END_HEADERS | END_STREAM, count * 2 + 1, &request_head("GET", "/gated"))
        .await
        .is_ok()
    {
        tokio::time::sleep(Duration::from_millis(2)).await;
        let _ = peer.send(RST_STREAM, 0, count * 2 + 1, &CANCEL.to_be_bytes()).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
        count += 1;
        assert!(count < 1000, "{count} resets");
    }
    assert!(count > 100, "{count} are forgiven");
    assert!(get_by_http1(server.address(), "/livez").await.starts_with("HTTP/1.1 200"));
    server.stop().await;
}

#[piton::test]
async fn floods_of_frames_end_their_connection_and_no_other() {
    let server = TestServer::start(app(&Gate::default())).await;
    // Header blocks that do not end (CVE-2024-27316).
    let mut peer = Peer::connect(&server, &[]).await;
    peer.send(HEADERS, END_STREAM, 1, &request_head("GET", "/host")).await.unwrap();
    let code = flood(peer, |_| frame(CONTINUATION, 0, 1, &[0, 1, b'a', 1, b'b'])).await;
    assert_eq!(code, Some(ENHANCE_YOUR_CALM));
    // Frames of data without data.
    let mut peer = Peer::connect(&server, &[]).await;
    peer.send(HEADERS, END_HEADERS, 1, &request_head("POST", "/length")).await.unwrap();
    assert_eq!(flood(peer, |_| frame(DATA, 0, 1, &[])).await, Some(ENHANCE_YOUR_CALM));
    assert!(get_by_http1(server.address(), "/livez").await.starts_with("HTTP/1.1 200"));
    server.stop().await;
}

#[piton::test]
async fn a_client_that_reads_no_acknowledgements_fills_its_own_buffers_only() {
    let app = app(&Gate::default()).set("http.header_timeout", "1s");
    let server = TestServer::start(app).await;
    for kind in [PING, SETTINGS] {
        let payload: &[u8] = if kind == PING { &[0; 8] } else { &[] };
        let one = frame(kind, 0, 0, payload);
        let many = one.repeat(1000);
        let mut peer = Peer::connect(&server, &[]).await;
        // The service stops reading when its acknowledgements are not read, and closes later.
        let writes = async { while peer.0.write_all(&many).await.is_ok() {} };
        tokio::time::timeout(Duration::from_secs(20), writes).await.expect("it is closed");
    }
    assert!(get_by_http1(server.address(), "/livez").await.starts_with("HTTP/1.1 200"));
    server.stop().await;
}

#[piton::test]
async fn an_upload_larger_than_the_window_arrives_whole() {
    let server = TestServer::start(app(&Gate::default())).await;
    let mut peer = Peer::connect(&server, &[]).await;
    peer.send(HEADERS, END_HEADERS, 1, &request_head("POST", "/length")).await.unwrap();
    let (mut window, mut connection) = (65_535_i64, 65_535_i64);
    let mut left = 1_000_000_usize;
    while left > 0 {
        let piece = left.min(16_000);
        while window < piece as i64 || connection < piece as i64 {
            let frame = peer.read().await.unwrap();
            let value = |at: usize| {
                i64::from(u32::from_be_bytes(frame.payload[at..at + 4].try_into().unwrap()))
            };
            match (frame.kind, frame.stream) {
                (WINDOW_UPDATE, 0) => connection += value(0),
                (WINDOW_UPDATE, _) => window += value(0),
                (SETTINGS, _) if frame.flags & ACK == 0 => {
                    peer.send(SETTINGS, ACK, 0, &[]).await.unwrap();
                    let initial = frame.payload.chunks(6).position(|entry| entry[..2] == [0, 4]);
                    window += value(initial.unwrap() * 6 + 2) - 65_535;
                }
                _ => {}
            }
        }
        left -= piece;
        (window, connection) = (window - piece as i64, connection - piece as i64);
        let flags = if left == 0 { END_STREAM } else { 0 };
        peer.send(DATA, flags, 1, &vec![b'x'; piece]).await.unwrap();
    }
    assert_eq!(peer.read_until(DATA).await.unwrap().payload, b"1000000");
    server.stop().await;
}
