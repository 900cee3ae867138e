//! WebSockets over sockets: messages, handshakes that are refused, limits, failures, the stop.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use piton::axum::response::Response;
use piton::http::{CloseCode, WebSocketUpgrade, get};
use piton::prelude::*;
use piton::testing::{TestApp, TestServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

type Client = WebSocketStream<TcpStream>;

async fn connect(server: &TestServer, path: &str) -> Client {
    let (client, _) = handshake(server, path, &[]).await.unwrap();
    client
}

/// Returns a socket and the chosen subprotocol, or the status of a refusal.
async fn handshake(
    server: &TestServer,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<(Client, String), u16> {
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let mut request = http_request(server, path);
    for (name, value) in headers {
        let name: piton::axum::http::HeaderName = name.parse().unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    match client_async(request, stream).await {
        Ok((client, response)) => {
            let protocol = response.headers().get("sec-websocket-protocol");
            let protocol = protocol.map_or("", |protocol| protocol.to_str().unwrap());
            Ok((client, protocol.to_owned()))
        }
        Err(SocketError::Http(response)) => Err(response.status().as_u16()),
        Err(other) => panic!("{other}"),
    }
}

fn http_request(server: &TestServer, path: &str) -> piton::axum::http::Request<()> {
    piton::axum::http::Request::builder()
        .uri(format!("ws://{}{path}", server.address()))
        .header("host", server.address().to_string())
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", generate_key())
        .body(())
        .unwrap()
}

/// Returns the code and the reason by which the server closes the socket.
async fn closed(client: &mut Client) -> (u16, String) {
    while let Some(message) = client.next().await {
        if let Message::Close(frame) = message.unwrap() {
            return frame.map(|frame| (frame.code.into(), frame.reason.to_string())).unwrap();
        }
    }
    panic!("the connection has ended without a close frame");
}

async fn wait_for_metric(server: &TestServer, line: &str) {
    let has_line = || async { server.handle().metrics().text().lines().any(|there| there == line) };
    test_support::wait_for(&format!("the metric `{line}`"), has_line).await;
}

fn ended(reason: &str, count: u32) -> String {
    format!(r#"http_server_ended_streams_total{{kind="websocket",reason="{reason}"}} {count}"#)
}

fn app() -> App {
    App::new("sockets_test")
        .blueprints(["none"])
        .set("log.level", "critical")
        .route(get("/echo", echo))
        .route(get("/greeting", greeting))
        .route(get("/sends", sends))
        .route(get("/waits", waits))
        .route(get("/panics", panics))
        .route(get("/fails", fails))
        .route(get("/closes", closes))
        .route(get("/context", in_context))
        .route(get("/stuck", stuck))
}

async fn echo(upgrade: WebSocketUpgrade) -> Response {
    upgrade.protocols(["v2", "v1"]).on_upgrade(|mut socket| async move {
        while let Some(message) = socket.recv().await {
            socket.send(message).await?;
        }
        Ok(())
    })
}

/// Sends and ends: the error of its task is inferred.
async fn sends(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|socket| async move {
        socket.send("x").await?;
        Ok(())
    })
}

/// Sends without ever receiving, from a task of its own.
async fn greeting(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|socket| async move {
        let (sender, receiver) = socket.split();
        drop(receiver);
        let task = piton::spawn(async move { sender.send("hello").await });
        task.await.unwrap().unwrap();
    })
}

/// Waits for something else than the socket.
async fn waits(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|socket| async move {
        let (sender, _receiver) = socket.split();
        sender.closed().await;
    })
}

async fn panics(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|mut socket| async move {
        assert_eq!(socket.recv().await, None, "unheard of");
    })
}

async fn fails(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|mut socket| async move {
        socket.recv().await;
        let _: u8 = "x".parse()?;
        Ok::<_, Error>(())
    })
}

async fn closes(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|socket| async move {
        socket.send("one").await.unwrap();
        socket.close(CloseCode(4000), "enough").await;
    })
}

async fn in_context(upgrade: WebSocketUpgrade) -> Response {
    let id = piton::RequestId::current().unwrap();
    upgrade.on_upgrade(move |socket| async move {
        assert_eq!(piton::RequestId::current(), Some(id));
        let _ = socket.send(piton::app().name()).await;
    })
}

async fn stuck(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|socket| async move {
        std::future::pending::<()>().await;
        drop(socket);
    })
}

#[piton::test]
async fn messages_go_both_ways_and_both_sides_may_close() {
    let server = TestServer::start(app()).await;
    let mut client = connect(&server, "/echo").await;
    for message in [Message::text("héllo"), Message::binary(vec![0, 255]), Message::text("")] {
        client.send(message.clone()).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), message);
    }
    let large = Message::text("x".repeat(1 << 20));
    client.send(large.clone()).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), large);
    client.close(None).await.unwrap();
    while let Some(Ok(_)) = client.next().await {}
    let mut client = connect(&server, "/closes").await;
    assert_eq!(client.next().await.unwrap().unwrap(), Message::text("one"));
    assert_eq!(closed(&mut client).await, (4000, "enough".into()));
    let mut client = connect(&server, "/greeting").await;
    assert_eq!(client.next().await.unwrap().unwrap(), Message::text("hello"));
    assert_eq!(closed(&mut client).await, (1000, String::new()));
    let mut client = connect(&server, "/context").await;
    assert_eq!(client.next().await.unwrap().unwrap(), Message::text("sockets_test"));
    let mut client = connect(&server, "/sends").await;
    assert_eq!(client.next().await.unwrap().unwrap(), Message::text("x"));
    assert_eq!(closed(&mut client).await, (1000, String::new()));
    wait_for_metric(&server, &ended("finished", 5)).await;
}

#[piton::test]
async fn the_first_known_subprotocol_is_chosen() {
    let server = TestServer::start(app()).await;
    let offer = |list| [("sec-websocket-protocol", list)];
    let (_, chosen) = handshake(&server, "/echo", &offer("v1, v2")).await.unwrap();
    assert_eq!(chosen, "v2");
}

#[piton::test]
async fn requests_that_are_no_handshake_are_refused_with_a_problem() {
    let app = TestApp::new(app()).await;
    let plain = app.get("/echo").await;
    assert_eq!((plain.status().as_u16(), plain.header("upgrade")), (426, "websocket"));
    assert!(plain.is_problem());
    let handshake =
        || app.get("/echo").header("connection", "upgrade").header("upgrade", "websocket");
    assert_eq!(handshake().header("sec-websocket-version", "13").await.status(), 400);
    let old =
        handshake().header("sec-websocket-key", "x").header("sec-websocket-version", "8").await;
    assert_eq!((old.status().as_u16(), old.header("sec-websocket-version")), (426, "13"));
}

#[piton::test]
async fn a_handshake_with_a_body_or_an_invalid_key_is_400() {
    let server = TestServer::start(app()).await;
    // The body never arrives.
    for header in [
        ("content-length", "5"),
        ("transfer-encoding", "chunked"),
        ("sec-websocket-key", "x"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQAA=="),
        ("sec-websocket-key", "dGhlIHNhbXBsZS!ub25jZQ=="),
    ] {
        assert_eq!(handshake(&server, "/echo", &[header]).await.err(), Some(400), "{header:?}");
    }
    wait_for_metric(&server, r#"http_server_open_streams{kind="websocket"} 0"#).await;
}

#[piton::test]
async fn the_headers_of_a_handshake_are_lists() {
    let server = TestServer::start(app()).await;
    for header in [
        ("upgrade", "foo, WebSocket"),
        ("connection", "keep-alive, Upgrade"),
        ("content-length", "0"),
    ] {
        let (mut client, _) = handshake(&server, "/echo", &[header]).await.unwrap();
        client.send(Message::text("hello")).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text("hello"), "{header:?}");
    }
    assert_eq!(handshake(&server, "/echo", &[("upgrade", "websockets")]).await.err(), Some(426));
}

#[piton::test]
async fn pages_of_other_origins_are_refused_in_production() {
    let production = || app().set("environment", "production").set("admin.address", "off");
    let server = TestServer::start(production()).await;
    let own = format!("http://{}", server.address());
    let evil = [("origin", "https://evil.example"), ("cookie", "session=1")];
    assert!(handshake(&server, "/echo", &[("origin", &own)]).await.is_ok());
    assert!(handshake(&server, "/echo", &[]).await.is_ok());
    assert_eq!(handshake(&server, "/echo", &evil).await.err(), Some(403));
    let listed = ["https://app.example"].map(str::to_owned).to_vec();
    let server = TestServer::start(production().set("http.cors.origins", listed)).await;
    let app_page = [("origin", "https://app.example"), ("cookie", "session=1")];
    assert!(handshake(&server, "/echo", &app_page).await.is_ok());
    assert_eq!(handshake(&server, "/echo", &evil).await.err(), Some(403));
}

#[piton::test]
async fn a_message_that_is_too_large_is_refused_by_its_code() {
    let server = TestServer::start(app().set("http.streams.max_message_size", "1KiB")).await;
    let mut client = connect(&server, "/echo").await;
    client.send(Message::text("x".repeat(1024))).await.unwrap();
    assert!(client.next().await.unwrap().unwrap().is_text());
    client.send(Message::text("x".repeat(100_000))).await.unwrap();
    assert_eq!(closed(&mut client).await.0, 1009);
}

#[piton::test]
async fn what_is_not_the_protocol_is_refused_by_its_code() {
    let server = TestServer::start(app()).await;
    let mut client = connect(&server, "/echo").await;
    // A final text frame of two bytes that are not UTF-8, masked with zeros.
    let not_utf8 = [0x81, 0x82, 0, 0, 0, 0, 0xff, 0xff];
    client.get_mut().write_all(&not_utf8).await.unwrap();
    assert_eq!(closed(&mut client).await.0, 1007);
    let mut client = connect(&server, "/echo").await;
    // A frame that a client has not masked.
    client.get_mut().write_all(&[0x81, 0x01, b'x']).await.unwrap();
    assert_eq!(closed(&mut client).await.0, 1002);
}

#[piton::test]
async fn a_panic_and_an_error_close_the_socket_as_a_fault_of_the_service() {
    let server = TestServer::start(app()).await;
    for path in ["/panics", "/fails"] {
        let mut client = connect(&server, path).await;
        client.send(Message::text("x")).await.unwrap();
        assert_eq!(closed(&mut client).await, (1011, "internal error".into()), "{path}");
    }
    wait_for_metric(&server, &ended("failed", 2)).await;
}

#[piton::test]
async fn an_error_of_the_client_tells_it_why() {
    async fn refuses(upgrade: WebSocketUpgrade) -> Response {
        upgrade.on_upgrade(|mut socket| async move {
            socket.recv().await;
            Err::<(), _>(Error::forbidden("not yours"))
        })
    }
    let server = TestServer::start(app().route(get("/refuses", refuses))).await;
    let mut client = connect(&server, "/refuses").await;
    client.send(Message::text("x")).await.unwrap();
    assert_eq!(closed(&mut client).await, (1008, "not yours".into()));
}

#[piton::test]
async fn the_stop_closes_every_socket_at_once_whatever_its_handler_waits_for() {
    let server = TestServer::start(app().set("http.drain_wait", "1h")).await;
    let mut clients = Vec::new();
    for path in ["/echo", "/waits", "/stuck"] {
        clients.push(connect(&server, path).await);
    }
    server.begin_to_stop();
    for client in &mut clients {
        assert_eq!(closed(client).await, (1001, "the service is stopping".into()));
    }
    wait_for_metric(&server, &ended("stopped", 3)).await;
    assert_eq!(handshake(&server, "/echo", &[]).await.err(), Some(503));
}

#[piton::test]
async fn the_drain_waits_for_sockets_and_for_nothing_once_they_are_closed() {
    let server = TestServer::start(app()).await;
    let client = connect(&server, "/echo").await;
    wait_for_metric(&server, "http_server_connections 1").await;
    server.begin_to_stop();
    // The client reads nothing yet, so that the server waits for its answer.
    let (mut client, begun) = (client, tokio::time::Instant::now());
    assert_eq!(closed(&mut client).await.0, 1001);
    drop(client);
    server.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[piton::test]
async fn a_client_that_does_not_answer_pings_is_given_up_and_one_that_does_is_not() {
    let server = TestServer::start(app().set("http.streams.heartbeat", "20ms")).await;
    let silent = connect(&server, "/waits").await;
    let mut alive = connect(&server, "/echo").await;
    let mut pings = 0;
    while pings < 10 {
        // Reading answers the ping.
        pings += usize::from(alive.next().await.unwrap().unwrap().is_ping());
    }
    wait_for_metric(&server, &ended("client_gone", 1)).await;
    alive.send(Message::text("still here")).await.unwrap();
    loop {
        match alive.next().await.unwrap().unwrap() {
            Message::Ping(_) => {}
            other => break assert_eq!(other, Message::text("still here")),
        }
    }
    drop(silent);
}

#[piton::test]
async fn a_client_that_never_reads_is_given_up() {
    async fn floods(upgrade: WebSocketUpgrade) -> Response {
        upgrade.on_upgrade(|socket| async move {
            let message = "x".repeat(1 << 20);
            while !message.is_empty() {
                socket.send(message.as_str()).await?;
            }
            Ok(())
        })
    }
    let app = app().route(get("/floods", floods)).set("http.streams.heartbeat", "50ms");
    let server = TestServer::start(app).await;
    let client = connect(&server, "/floods").await;
    wait_for_metric(&server, &ended("client_gone", 1)).await;
    drop(client);
}

#[piton::test]
async fn a_client_that_sends_one_message_slowly_is_not_given_up() {
    let server = TestServer::start(app().set("http.streams.heartbeat", "200ms")).await;
    let mut client = connect(&server, "/echo").await;
    // A text frame of 20 bytes, masked with zeros. It takes 1.3 s, in which no pong can be sent.
    let frame = [[0x81, 0x80 | 20, 0, 0, 0, 0].as_slice(), &[b'x'; 20]].concat();
    for byte in frame {
        client.get_mut().write_all(&[byte]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    loop {
        match client.next().await.unwrap().unwrap() {
            Message::Ping(_) => {}
            other => break assert_eq!(other, Message::text("x".repeat(20))),
        }
    }
}

#[piton::test]
async fn a_client_that_reads_one_message_slowly_is_not_given_up() {
    const SIZE: usize = 8 << 20;
    const PIECE: usize = 64 << 10;
    async fn sends(upgrade: WebSocketUpgrade) -> Response {
        upgrade.on_upgrade(|mut socket| async move {
            socket.recv().await.unwrap();
            socket.send(vec![7; SIZE]).await.unwrap();
            let (sender, _receiver) = socket.split();
            sender.closed().await;
        })
    }
    let app = app().route(get("/sends-slowly", sends)).set("http.streams.heartbeat", "500ms");
    let server = TestServer::start(app).await;
    // The client's system receives for it what fits into its buffer: with 6 MB, which Linux gives it, nearly the
    // whole message at once.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(256 << 10).unwrap();
    let stream = socket.connect(server.address()).await.unwrap();
    let request = http_request(&server, "/sends-slowly");
    let (mut client, _) = client_async(request, stream).await.unwrap();
    // Asked for after the handshake, because `client` reads the bytes that arrive with the response to it.
    client.send(Message::text("go")).await.unwrap();
    let mut piece = vec![0; PIECE];
    // It takes 2.5 s, and two heartbeats are 1 s. That is far above the 0.12 s between two of the server's writes:
    // the client's system announces the room in its buffer in steps of up to 376 KiB.
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    for _ in 0..SIZE / PIECE {
        pace.tick().await;
        client.get_mut().read_exact(&mut piece).await.unwrap();
    }
    assert_eq!(piece, [7; PIECE]);
}

#[piton::test]
async fn unfinished_messages_are_charged_to_the_memory_budget() {
    const SIZE: usize = 400 << 10;
    let app = app().set("http.memory_budget", "1MiB").set("http.body_limit", "64KiB");
    let server = TestServer::start(app).await;
    // A fragment, masked with zeros, whose message never ends.
    let length = u64::try_from(SIZE).unwrap().to_be_bytes();
    let fragment =
        [[0x02, 0x80 | 127].as_slice(), &length, &[0; 4], vec![7; SIZE].as_slice()].concat();
    let mut clients = Vec::new();
    for count in 1..=2 {
        let mut client = connect(&server, "/echo").await;
        client.get_mut().write_all(&fragment).await.unwrap();
        let used = format!("http_server_memory_bytes {}", count * fragment.len());
        wait_for_metric(&server, &used).await;
        clients.push(client);
    }
    let mut refused = connect(&server, "/echo").await;
    refused.get_mut().write_all(&fragment).await.unwrap();
    assert_eq!(closed(&mut refused).await, (1013, "http.memory_budget is used up".to_owned()));
    wait_for_metric(&server, "http_server_memory_refused_requests_total 1").await;
    drop(clients);
    wait_for_metric(&server, "http_server_memory_bytes 0").await;
    let mut client = connect(&server, "/echo").await;
    client.send(Message::binary(vec![7; SIZE])).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Message::binary(vec![7; SIZE]));
}

#[piton::test]
async fn sockets_end_when_idle_or_open_for_too_long() {
    let idle = TestServer::start(app().set("http.streams.idle_timeout", "50ms")).await;
    assert_eq!(closed(&mut connect(&idle, "/waits").await).await.0, 1001);
    wait_for_metric(&idle, &ended("idle_timeout", 1)).await;
    let long = TestServer::start(app().set("http.streams.max_duration", "50ms")).await;
    assert_eq!(closed(&mut connect(&long, "/waits").await).await.0, 1001);
    wait_for_metric(&long, &ended("max_duration", 1)).await;
}

#[piton::test]
async fn a_socket_counts_as_a_connection_and_within_the_limits_of_streams() {
    let server = TestServer::start(app().set("http.streams.max_per_client", 1)).await;
    let client = connect(&server, "/echo").await;
    wait_for_metric(&server, r#"http_server_open_streams{kind="websocket"} 1"#).await;
    wait_for_metric(&server, "http_server_connections 1").await;
    assert_eq!(handshake(&server, "/echo", &[]).await.err(), Some(429));
    drop(client);
    wait_for_metric(&server, r#"http_server_open_streams{kind="websocket"} 0"#).await;
    wait_for_metric(&server, "http_server_connections 0").await;
    assert!(handshake(&server, "/echo", &[]).await.is_ok());
}

#[piton::test]
async fn a_task_that_never_ends_is_cancelled_after_the_socket_is_closed() {
    let server = TestServer::start(app().set("http.timeout", "50ms")).await;
    let mut client = connect(&server, "/stuck").await;
    client.close(None).await.unwrap();
    while let Some(Ok(_)) = client.next().await {}
    wait_for_metric(&server, &ended("finished", 1)).await;
    wait_for_metric(&server, "http_server_connections 0").await;
}

#[piton::test]
async fn a_ping_of_the_client_is_answered_even_if_the_handler_never_receives() {
    let server = TestServer::start(app()).await;
    let mut client = connect(&server, "/waits").await;
    client.send(Message::Ping(vec![1, 2].into())).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Message::Pong(vec![1, 2].into()));
}

#[cfg(feature = "openapi")]
mod documented {
    use super::*;

    piton::blueprint!("/documented");

    #[get("/socket")]
    async fn socket(upgrade: WebSocketUpgrade) -> Response {
        upgrade.on_upgrade(|_socket| async {})
    }

    #[test]
    fn the_document_knows_the_status_of_a_handshake() {
        let app = App::new("it").blueprints(["websocket::documented"]);
        let document = app.openapi(OpenApi::new()).openapi_document().unwrap();
        let responses = &document["paths"]["/documented/socket"]["get"]["responses"];
        for status in ["101", "403", "426", "429"] {
            assert!(responses[status].is_object(), "{status}: {responses}");
        }
    }
}
