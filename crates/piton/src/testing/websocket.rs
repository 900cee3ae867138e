//! A WebSocket to a [`TestApp`], over a stream in memory.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role};

use super::TestApp;
use super::request::TestRequest;
use super::response::TestResponse;
use super::stream::TestStream;

/// Size of the buffers between the test and the app, of the order of a socket's.
const BUFFER_BYTES: usize = 64 << 10;

/// Request that makes hyper ready for an upgrade. The test's own headers do not pass through the
/// wire, they are in the request that the app gets.
const UPGRADE_REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";

/// Headers of an opening handshake (RFC 6455, section 4.1), with the key of its example. A header
/// that the test has set is left as it is.
const HANDSHAKE: [(header::HeaderName, &str); 5] = [
    (header::HOST, "localhost"),
    (header::CONNECTION, "upgrade"),
    (header::UPGRADE, "websocket"),
    (header::SEC_WEBSOCKET_VERSION, "13"),
    (header::SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// A WebSocket from [`TestApp::websocket`]. Pings are answered while it is read. Dropping it cuts the
/// connection without a close frame, as a client that crashes does.
pub struct TestWebSocket {
    socket: WebSocketStream<DuplexStream>,
    headers: HeaderMap,
    /// Method and path of the request.
    request: String,
    read_timeout: Duration,
    connection: JoinHandle<()>,
}

/// A message that a test has received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestMessage {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Bytes),
    /// The close frame: its code and its reason. Nothing follows.
    Close(u16, String),
    /// The connection ended without a close frame.
    Cut,
}

impl TestApp {
    /// Opens a WebSocket. Use [`TestRequest::websocket`] to send headers of your own.
    ///
    /// ```
    /// use axum::response::Response;
    /// use piton::prelude::*;
    /// use piton::http::{WebSocketUpgrade, get};
    /// use piton::testing::{TestApp, TestMessage};
    ///
    /// async fn echo(upgrade: WebSocketUpgrade) -> Response {
    ///     upgrade.on_upgrade(|mut socket| async move {
    ///         while let Some(message) = socket.recv().await {
    ///             if socket.send(message).await.is_err() { break }
    ///         }
    ///     })
    /// }
    ///
    /// #[piton::test]
    /// async fn what_is_sent_comes_back() {
    ///     let app = TestApp::new(App::new("echo").route(get("/ws", echo))).await;
    ///     let mut socket = app.websocket("/ws").await;
    ///     socket.send_text("hello").await;
    ///     assert_eq!(socket.text().await, "hello");
    ///     assert_eq!(socket.close(1000, "").await, TestMessage::Close(1000, String::new()));
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// # Panics
    /// If the app does not switch protocols; the message shows its answer.
    pub async fn websocket(&self, path: &str) -> TestWebSocket {
        self.get(path).websocket().await
    }
}

impl TestRequest<'_> {
    /// Opens a WebSocket with this request.
    ///
    /// # Panics
    /// If the app does not switch protocols; the message shows its answer.
    pub async fn websocket(self) -> TestWebSocket {
        let name = self.name();
        match self.try_websocket().await {
            Ok(socket) => socket,
            Err(answer) => {
                panic!("{name}: no WebSocket, but {}: {}", answer.status(), answer.text())
            }
        }
    }

    /// Opens a WebSocket with this request.
    ///
    /// # Errors
    /// The app's answer, if it does not switch protocols.
    ///
    /// # Panics
    /// If the answer's body cannot be read, as when the request is awaited.
    pub async fn try_websocket(mut self) -> Result<TestWebSocket, TestResponse> {
        self.app.add_cookies(&mut self.request);
        add_handshake(self.request.headers_mut());
        let (request, read_timeout, path) =
            (self.name(), self.read_timeout, self.request.uri().path().to_owned());
        let (mut client, server) = tokio::io::duplex(BUFFER_BYTES);
        let (answered, answer) = oneshot::channel();
        let connection =
            tokio::spawn(serve(server, self.app.launched().stack.clone(), self.request, answered));
        client.write_all(UPGRADE_REQUEST).await.expect("hyper reads the request");
        let response = answer.await.expect("the app does not panic");
        self.app.keep_cookies(&path, response.headers());
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            connection.abort();
            return Err(TestStream::new(response, request, read_timeout).whole().await);
        }
        read_head(&mut client).await;
        let socket = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
        let headers = response.headers().clone();
        Ok(TestWebSocket { socket, headers, request, read_timeout, connection })
    }
}

fn add_handshake(headers: &mut HeaderMap) {
    for (name, value) in HANDSHAKE {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

type AppStack = crate::http::Stack<axum::Router>;

/// Serves one connection, whose one request is replaced by the test's.
async fn serve(
    stream: DuplexStream,
    stack: AppStack,
    request: Request<Body>,
    answered: oneshot::Sender<Response>,
) {
    let exchange = Mutex::new(Some((stack, request, answered)));
    let service = service_fn(|mut opening: Request<Incoming>| {
        let exchange = exchange.lock().take();
        async move {
            let (stack, mut request, answered) = exchange.expect("the test sends one request");
            if let Some(upgrade) = opening.extensions_mut().remove::<OnUpgrade>() {
                request.extensions_mut().insert(upgrade);
            }
            let response = stack.respond(request, None).await;
            let mut head = Response::new(Body::empty());
            *head.status_mut() = response.status();
            *head.headers_mut() = response.headers().clone();
            // A refusal does not pass through the wire, so that it is read whatever its body is.
            let _ = answered.send(response);
            Ok::<_, Infallible>(head)
        }
    });
    // Its error is that the test has dropped its end.
    let _ =
        http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
}

/// Reads the head of the response, and nothing behind it.
async fn read_head(stream: &mut DuplexStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("hyper writes the whole head"));
    }
}

impl TestWebSocket {
    /// Returns the headers of the response that switched protocols.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Sends a text message. An error, because the app has closed the socket, shows in the next read.
    pub async fn send_text(&mut self, text: &str) {
        self.send(Message::text(text)).await;
    }

    /// Sends `value` as JSON in a text message.
    ///
    /// # Panics
    /// If it does not serialize.
    pub async fn send_json(&mut self, value: &impl Serialize) {
        let text = serde_json::to_string(value).expect("a test's message serializes");
        self.send_text(&text).await;
    }

    /// Sends a binary message.
    pub async fn send_binary(&mut self, bytes: impl Into<Bytes>) {
        self.send(Message::binary(bytes)).await;
    }

    async fn send(&mut self, message: Message) {
        let sent = tokio::time::timeout(self.read_timeout, self.socket.send(message)).await;
        if sent.is_err() {
            self.fail("the app has not read a message");
        }
    }

    /// Returns the next message, close frame, or the end of the connection.
    ///
    /// # Panics
    /// If nothing arrives within the read timeout.
    pub async fn receive(&mut self) -> TestMessage {
        let next = tokio::time::timeout(self.read_timeout, message(&mut self.socket)).await;
        next.unwrap_or_else(|_| self.fail("nothing arrived"))
    }

    /// Returns the next message, which must be text.
    ///
    /// # Panics
    /// If it is not a text message, or nothing arrives within the read timeout.
    pub async fn text(&mut self) -> String {
        match self.receive().await {
            TestMessage::Text(text) => text,
            other => panic!("{}: not a text message, but {other:?}", self.request),
        }
    }

    /// Returns the next message, deserialized from JSON.
    ///
    /// # Panics
    /// As [`text`](Self::text), and if the text is not JSON of that type; the message shows it.
    pub async fn json<T: DeserializeOwned>(&mut self) -> T {
        let text = self.text().await;
        match serde_json::from_str(&text) {
            Ok(value) => value,
            Err(error) => {
                panic!("{}: a message that is not as expected ({error}): {text}", self.request)
            }
        }
    }

    /// Sends a close frame and returns the app's. Messages that arrive before it are dropped.
    ///
    /// # Panics
    /// If the connection does not end within the read timeout.
    pub async fn close(mut self, code: u16, reason: &str) -> TestMessage {
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        self.send(Message::Close(Some(frame))).await;
        self.closed().await
    }

    /// Waits for the close frame of the app, or the end of the connection. Messages that arrive
    /// before it are dropped.
    ///
    /// # Panics
    /// If nothing arrives within the read timeout.
    pub async fn closed(&mut self) -> TestMessage {
        loop {
            match self.receive().await {
                TestMessage::Text(_) | TestMessage::Binary(_) => {}
                end => return end,
            }
        }
    }

    fn fail(&self, what: &str) -> ! {
        let timeout = humantime::format_duration(self.read_timeout);
        panic!(
            "{}: {what} within {timeout}; an app that is slower needs a longer `.read_timeout(..)`",
            self.request
        )
    }
}

/// Returns the next message that a test sees: neither a ping nor its answer.
async fn message(socket: &mut WebSocketStream<DuplexStream>) -> TestMessage {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return TestMessage::Text(text.as_str().to_owned()),
            Some(Ok(Message::Binary(bytes))) => return TestMessage::Binary(bytes),
            Some(Ok(Message::Close(frame))) => {
                // 1005 is the code of a frame without one (RFC 6455, section 7.1.5).
                let frame =
                    frame.map(|frame| (frame.code.into(), frame.reason.as_str().to_owned()));
                let (code, reason) = frame.unwrap_or((1005, String::new()));
                return TestMessage::Close(code, reason);
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return TestMessage::Cut,
        }
    }
}

impl Drop for TestWebSocket {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl std::fmt::Debug for TestWebSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestWebSocket").field("request", &self.request).finish_non_exhaustive()
    }
}
