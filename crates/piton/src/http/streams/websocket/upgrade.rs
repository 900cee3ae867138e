//! The argument `WebSocketUpgrade`: checks a request that asks for a WebSocket, and opens it.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection as Rejection;
use axum::extract::{FromRef, FromRequestParts, ws};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::origin::OriginPolicy;
use super::session::{SessionPlan, SocketResult};
use super::socket::WebSocket;
use super::traffic::Traffic;
use crate::config::ByteSize;
use crate::context;
use crate::error::Error;
use crate::handle::Handle;
use crate::http::routing::operation::{Input, Operation};
use crate::http::server::connection_state::UpgradeLink;
use crate::http::settings::HttpSettings;
use crate::http::streams::deadlines::StreamDeadlines;
use crate::http::streams::registry::{StreamKind, StreamState, admit};
use crate::memory::MemoryCharge;
use crate::request::current_request::CurrentRequest;
use crate::stop_signal::Stop;

/// Size of the buffer for reading. tungstenite's default is 128 KiB, which every socket would hold
/// for as long as it is open.
const READ_BUFFER_BYTES: usize = 8 << 10;

/// Size above which buffered frames are written without a flush. The socket flushes after every
/// message.
const WRITE_BUFFER_BYTES: usize = 8 << 10;

/// Time after which a client may try again while the service stops.
const STOPPING_RETRY_AFTER: Duration = Duration::from_secs(1);

/// The settings of WebSockets.
pub(in crate::http::streams) struct SocketConfig {
    origins: OriginPolicy,
    heartbeat: Duration,
    max_message_size: ByteSize,
    handler_grace: Duration,
}

impl SocketConfig {
    pub fn new(http: &HttpSettings, production: bool) -> Self {
        Self {
            origins: OriginPolicy::new(&http.cors, production),
            heartbeat: http.streams.heartbeat,
            max_message_size: http.streams.max_message_size,
            handler_grace: http.timeout,
        }
    }
}

/// A request for a WebSocket. [`on_upgrade`](Self::on_upgrade) opens it.
///
/// ```
/// use piton::axum::response::Response;
/// use piton::http::WebSocketUpgrade;
/// use piton::prelude::*;
///
/// /// Sends every message back.
/// #[get("/echo")]
/// async fn echo(upgrade: WebSocketUpgrade) -> Response {
///     upgrade.on_upgrade(|mut socket| async move {
///         while let Some(message) = socket.recv().await {
///             socket.send(message).await?; // ends the task if the client has gone
///         }
///         Ok(())
///     })
/// }
/// # fn main() {}
/// ```
///
/// Requests that do not ask for a WebSocket get 426 or 400. A page of another origin gets 403 unless
/// `http.cors.origins` lists it: browsers send cookies with every WebSocket, and CORS does not protect
/// it.
#[must_use = "`on_upgrade` opens the WebSocket"]
pub struct WebSocketUpgrade {
    upgrade: ws::WebSocketUpgrade,
    heartbeat: Duration,
    handler_grace: Duration,
}

impl WebSocketUpgrade {
    /// Sets the subprotocols that the service speaks, the preferred one first. The first one that the
    /// client offers is chosen; see [`protocol`](Self::protocol).
    pub fn protocols<I>(mut self, protocols: I) -> Self
    where
        I: IntoIterator<Item: Into<Cow<'static, str>>>,
    {
        self.upgrade = self.upgrade.protocols(protocols);
        self
    }

    /// Returns the chosen subprotocol, if the client offers one of [`protocols`](Self::protocols).
    #[must_use]
    pub fn protocol(&self) -> Option<&str> {
        self.upgrade.selected_protocol()?.to_str().ok()
    }

    /// Sets the largest message that is accepted, instead of `http.streams.max_message_size`.
    pub fn max_message_size(mut self, size: ByteSize) -> Self {
        self.upgrade = with_limit(self.upgrade, size);
        self
    }

    /// Sets the time between pings, instead of `http.streams.heartbeat`.
    pub fn heartbeat(mut self, period: Duration) -> Self {
        self.heartbeat = period;
        self
    }

    /// Opens the WebSocket, and runs `handler` with it as a task of its own. The task is in the context
    /// of its request: `piton::app()` works in it, and log lines have the request's id. The socket is
    /// closed when the handler drops it. An error or a panic is logged, and closes it with the code
    /// 1011.
    ///
    /// Once the socket is closed, the handler has `http.timeout` to end before it is cancelled.
    ///
    /// The response is 503 or 429 if a limit of `http.streams` is reached.
    #[must_use = "it is the response of the handler"]
    pub fn on_upgrade<C, F>(self, handler: C) -> Response
    where
        C: FnOnce(WebSocket) -> F + Send + 'static,
        F: Future<Output: SocketResult + Send> + Send + 'static,
    {
        let Self { upgrade, heartbeat, handler_grace } = self;
        let mut admission = match admit(StreamKind::WebSocket) {
            Ok(admission) => admission,
            Err(refusal) => return refusal.into_response(),
        };
        admission.times.heartbeat = Some(heartbeat);
        let name = format!("GET {}", route_pattern().as_deref().unwrap_or("*"));
        let (ended, end) = Stop::new();
        let link = UpgradeLink { end, connection: Arc::new(OnceLock::new()) };
        let state = link.connection.clone();
        let charge =
            context::try_app().ok().map(|app| MemoryCharge::new(app.inner().memory.clone()));
        let scope = context::try_app().ok().zip(context::current(CurrentRequest::clone));
        let mut response = upgrade.on_upgrade(move |connection| {
            let deadlines = StreamDeadlines::start(admission);
            let traffic = Traffic::new(state.get().cloned(), charge);
            let plan = SessionPlan { deadlines, traffic, heartbeat, handler_grace, name };
            within(scope, async move {
                plan.run(connection, handler).await;
                drop(ended);
            })
        });
        response.extensions_mut().insert(link);
        response
    }
}

/// Runs `task` in the context of the request that it outlives, because axum's own task has none.
async fn within(scope: Option<(Handle, CurrentRequest)>, task: impl Future<Output = ()>) {
    match scope {
        Some((handle, mut request)) => {
            request.outlive_response();
            context::within_request(handle, request, task).await;
        }
        None => task.await,
    }
}

/// Returns the pattern of the current request's route.
fn route_pattern() -> Option<String> {
    let number = context::current(|request| request.path.get())?;
    let handle = context::try_app().ok()?;
    let pattern = handle.metrics().requests().pattern(number);
    pattern.map(Cow::into_owned)
}

fn with_limit(upgrade: ws::WebSocketUpgrade, size: ByteSize) -> ws::WebSocketUpgrade {
    // A frame may hold a whole message.
    upgrade.max_message_size(size.as_usize()).max_frame_size(size.as_usize())
}

impl<S> FromRequestParts<S> for WebSocketUpgrade
where
    S: Send + Sync,
    Handle: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let handle = Handle::from_ref(state);
        check_asks(&mut parts.headers)?;
        if has_body(&parts.headers) {
            return Err(Error::bad_request("a request for a WebSocket has no body"));
        }
        let streams = handle.inner().streams.get::<StreamState>();
        let (_, config) = streams.ok_or_else(|| Error::internal("the app serves no HTTP"))?;
        config.origins.check(&parts.headers)?;
        if handle.draining() {
            return Err(
                Error::unavailable("the service is stopping").retry_after(STOPPING_RETRY_AFTER)
            );
        }
        let upgrade = ws::WebSocketUpgrade::from_request_parts(parts, state).await;
        let upgrade = upgrade.map_err(refusal)?;
        check_key(&parts.headers)?;
        let upgrade =
            upgrade.read_buffer_size(READ_BUFFER_BYTES).write_buffer_size(WRITE_BUFFER_BYTES);
        Ok(Self {
            upgrade: with_limit(upgrade, config.max_message_size),
            heartbeat: config.heartbeat,
            handler_grace: config.handler_grace,
        })
    }
}

/// Refuses requests that do not ask for a WebSocket at all (RFC 9110, section 15.5.22). `Upgrade` and
/// `Connection` are lists, which are reduced to the element that axum looks for as the whole.
fn check_asks(headers: &mut HeaderMap) -> Result<(), Error> {
    if !has_element(headers, &header::UPGRADE, "websocket") {
        return Err(upgrade_required(
            "this is a WebSocket: connect to it with `ws://` or `wss://`",
        ));
    }
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if has_element(headers, &header::CONNECTION, "upgrade") {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    }
    Ok(())
}

/// Returns whether the header is a list with that element, in any case.
fn has_element(headers: &HeaderMap, name: &HeaderName, element: &str) -> bool {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|it| it.trim().eq_ignore_ascii_case(element))
}

/// Returns whether the client announces a body. Its end is that of the request, which the connection
/// would wait for before it becomes a WebSocket.
fn has_body(headers: &HeaderMap) -> bool {
    let is_zero = |length: &HeaderValue| length.as_bytes().iter().all(|digit| *digit == b'0');
    headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get(header::CONTENT_LENGTH).is_some_and(|length| !is_zero(length))
}

/// Refuses a request without exactly one key of 16 bytes in Base64 (RFC 6455, section 4.2.1).
fn check_key(headers: &HeaderMap) -> Result<(), Error> {
    let mut keys = headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
    let digits = keys.next().and_then(|key| key.as_bytes().strip_suffix(b"=="));
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let is_valid = digits.is_some_and(|digits| digits.len() == 22 && digits.iter().all(is_digit));
    if is_valid && keys.next().is_none() {
        return Ok(());
    }
    Err(Error::bad_request("`Sec-WebSocket-Key` has to be 16 bytes in Base64"))
}

fn upgrade_required(detail: &'static str) -> Error {
    Error::new(StatusCode::UPGRADE_REQUIRED, detail)
        .header(header::UPGRADE, HeaderValue::from_static("websocket"))
        .header(header::CONNECTION, HeaderValue::from_static("upgrade"))
}

fn refusal(rejection: Rejection) -> Error {
    match rejection {
        Rejection::InvalidWebSocketVersionHeader(_) => {
            upgrade_required("the version of the WebSocket protocol is 13")
                .header(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
        }
        Rejection::ConnectionNotUpgradable(_) => {
            upgrade_required("this connection cannot become a WebSocket: use HTTP/1.1")
        }
        other => Error::bad_request(other.body_text()),
    }
}

impl Input for WebSocketUpgrade {
    fn describe(operation: &mut Operation) {
        operation.upgrades();
        operation.error(StatusCode::BAD_REQUEST, "The handshake of the WebSocket is not valid.");
        operation.error(StatusCode::FORBIDDEN, "Pages of this origin may not open a WebSocket.");
        operation.error(StatusCode::UPGRADE_REQUIRED, "The request does not ask for a WebSocket.");
        operation.error(StatusCode::TOO_MANY_REQUESTS, "Too many streams of this client are open.");
    }
}

impl fmt::Debug for WebSocketUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketUpgrade")
            .field("protocol", &self.protocol())
            .finish_non_exhaustive()
    }
}
