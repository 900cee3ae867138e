//! Streams of a built program: what clients see when it is told to stop, and that a browser goes on where
//! it was after a restart.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde_json::{Value, json};
use test_support::http_client;
use test_support::nginx::Nginx;
use test_support::node;
use test_support::service::Service;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

const CLIENTS: usize = 200;

async fn start(port: u16, arguments: &[&str]) -> Service {
    Service::start("examples/streams", port, arguments).await
}

/// The arguments of a service in production that waits for its load balancers as long as this.
const fn production(drain_wait: &str) -> [&str; 5] {
    ["--production", "--set", drain_wait, "--set", "admin.address=off"]
}

/// The number of a whole event. Panics for one that was cut.
fn number(data: &str) -> u64 {
    let event: Value = serde_json::from_str(data).unwrap();
    assert_eq!((&event["end"], event["padding"].as_str().unwrap().len()), (&json!(true), 2_000));
    event["number"].as_u64().unwrap()
}

/// Connects to the events, and reads the first.
async fn open_events(port: u16) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(b"GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let (mut reader, mut head) = (BufReader::new(stream), String::new());
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).await.unwrap(), 0);
    }
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(chunk(&mut reader).await.starts_with("id: 1\n"));
    reader
}

/// Returns the next chunk; empty at the end.
async fn chunk(reader: &mut BufReader<TcpStream>) -> String {
    let mut size = String::new();
    reader.read_line(&mut size).await.unwrap();
    let size = usize::from_str_radix(size.trim(), 16).expect("a chunk or the last one");
    let mut chunk = vec![0; size + 2];
    reader.read_exact(&mut chunk).await.unwrap();
    assert!(chunk.ends_with(b"\r\n"));
    chunk.truncate(size);
    String::from_utf8(chunk).unwrap()
}

/// Reads to the end, and checks that every event is whole and the last one says why it is the last.
async fn read_events(mut reader: BufReader<TcpStream>) {
    let mut expected = 2;
    loop {
        let event = chunk(&mut reader).await;
        if event == ": the service is stopping\n\n" {
            assert_eq!(chunk(&mut reader).await, "", "the body has its end");
            return;
        }
        let data = event.strip_suffix("\n\n").unwrap().rsplit_once("data: ").unwrap().1;
        assert_eq!(number(data), expected);
        expected += 1;
    }
}

async fn open_socket(port: u16) -> WebSocketStream<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (mut socket, _) =
        client_async(format!("ws://127.0.0.1:{port}/socket"), stream).await.unwrap();
    assert_eq!(number(socket.next().await.unwrap().unwrap().to_text().unwrap()), 1);
    socket
}

/// Reads to the end, and checks that every message is whole and the close frame says why.
async fn read_socket(mut socket: WebSocketStream<TcpStream>) {
    let mut expected = 2;
    loop {
        match socket.next().await.unwrap().unwrap() {
            Message::Text(text) => assert_eq!(number(&text), expected),
            Message::Close(frame) => {
                let frame = frame.unwrap();
                assert_eq!(
                    (u16::from(frame.code), &*frame.reason),
                    (1001, "the service is stopping")
                );
                return while socket.next().await.is_some() {};
            }
            other => panic!("{other:?}"),
        }
        expected += 1;
    }
}

/// Opens all streams, tells the service to stop, and returns how long it took until all clients were told
/// and until the service had ended.
async fn stop_under_streams(arguments: &[&str]) -> (Duration, Duration) {
    let port = test_support::free_port();
    let service = start(port, arguments).await;
    let (mut events, mut sockets) = (Vec::new(), Vec::new());
    for _ in 0..CLIENTS {
        events.push(open_events(port).await);
        sockets.push(open_socket(port).await);
    }
    let mut readers = JoinSet::new();
    events.into_iter().for_each(|reader| drop(readers.spawn(read_events(reader))));
    sockets.into_iter().for_each(|socket| drop(readers.spawn(read_socket(socket))));
    service.signal("TERM").await;
    let begun = Instant::now();
    let told = async {
        while let Some(read) = readers.join_next().await {
            read.unwrap();
        }
        begun.elapsed()
    };
    let ended = async {
        assert!(service.ended().await.success());
        begun.elapsed()
    };
    let (told, ended) = tokio::join!(told, ended);
    println!(
        "{CLIENTS} streams of events and {CLIENTS} WebSockets: told {told:?}, ended {ended:?}"
    );
    (told, ended)
}

#[tokio::test]
async fn all_streams_are_told_of_the_stop_and_the_service_ends_within_a_second() {
    let (_, ended) = stop_under_streams(&[]).await;
    assert!(ended < Duration::from_secs(1), "{ended:?}");
    let (_, ended) = stop_under_streams(&production("http.drain_wait=0s")).await;
    assert!(ended < Duration::from_secs(1), "{ended:?}");
}

#[tokio::test]
async fn streams_are_told_before_the_wait_of_production_and_not_after_it() {
    let (told, ended) = stop_under_streams(&production("http.drain_wait=3s")).await;
    assert!(told < Duration::from_secs(1) && ended >= Duration::from_secs(3), "{told:?} {ended:?}");
}

#[tokio::test]
async fn a_browser_goes_on_after_a_restart_where_it_has_been() {
    let port = test_support::free_port();
    let service = start(port, &[]).await;
    let page = format!("http://127.0.0.1:{port}/");
    let restart = async {
        let connected = || async {
            let metrics = http_client::get(port, "/metrics").await.unwrap().body;
            String::from_utf8(metrics)
                .unwrap()
                .contains("http_server_open_streams{kind=\"sse\"} 1\n")
        };
        test_support::wait_for("the browser to connect", connected).await;
        service.signal("TERM").await;
        assert!(service.ended().await.success());
        start(port, &[]).await
    };
    let arguments = [&*page];
    let (_service, read) =
        tokio::join!(restart, node::script("browser", "event_source.js", &arguments));
    assert!(read.succeeded, "{}", read.output);
    let seen: Value = serde_json::from_str(&read.last_line).unwrap();
    let ids: Vec<u64> = serde_json::from_value(seen["ids"].clone()).unwrap();
    let expected: Vec<u64> = (1..=ids.len() as u64).collect();
    assert_eq!(ids, expected, "nothing is lost and nothing comes twice");
    assert_eq!((&seen["opens"], &seen["broken"]), (&json!(2), &json!(0)));
}

/// Returns the lines of the log at this level that have the id of a request.
fn logged<'a>(log: &'a str, level: &str, id: &str) -> Vec<&'a str> {
    let has = |line: &&str| line.contains(&format!("\"{level}\"")) && line.contains(id);
    log.lines().filter(has).collect()
}

#[tokio::test]
async fn a_failure_within_a_stream_is_logged_once_with_the_id_of_its_request() {
    let folder = tempfile::tempdir().unwrap();
    let (port, log) = (test_support::free_port(), folder.path().join("log"));
    let port_text = port.to_string();
    let arguments = ["--host", "127.0.0.1", "--port", &port_text, "--set", "log.format=json"];
    let service = Service::spawn("examples/streams", port, &arguments, &[], Some(&log));
    service.ready().await;
    for (path, what) in [("/fails", "the queue is gone"), ("/panics", "panicked: assertion")] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        let _ = stream.read_to_string(&mut response).await;
        assert!(
            response.contains("data: one\n\n") && !response.ends_with("0\r\n\r\n"),
            "{response}"
        );
        let (_, rest) = response.split_once("x-request-id: ").unwrap();
        let id = rest.lines().next().unwrap();
        let text = std::fs::read_to_string(&log).unwrap();
        let lines = logged(&text, "ERROR", id);
        assert_eq!(lines.len(), 1, "{text}");
        assert!(lines[0].contains(what) && lines[0].contains("streams.rs"), "{}", lines[0]);
    }
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let url = format!("ws://127.0.0.1:{port}/panicking-socket");
    let (mut socket, response) = client_async(url, stream).await.unwrap();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    futures_util::SinkExt::send(&mut socket, Message::text("x")).await.unwrap();
    while socket.next().await.is_some_and(|message| message.is_ok()) {}
    let text = std::fs::read_to_string(&log).unwrap();
    let lines = logged(&text, "ERROR", &id);
    assert_eq!(lines.len(), 1, "{text}");
    assert!(
        lines[0].contains("GET /panicking-socket") && lines[0].contains("streams.rs"),
        "{}",
        lines[0]
    );
}

#[tokio::test]
async fn streams_arrive_behind_the_nginx_of_the_docs_over_tcp_and_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let (port, path) = (test_support::free_port(), folder.path().join("app.sock"));
    let listen = format!(r#"http.listen=["127.0.0.1:{port}","unix:{}"]"#, path.display());
    let _service = start(port, &["--set", &listen]).await;
    for upstream in [format!("127.0.0.1:{port}"), format!("unix:{}", path.display())] {
        let nginx = Nginx::start_documented(&upstream).await;
        drop(open_socket(nginx.port).await);
        drop(open_events(nginx.port).await);
    }
}
