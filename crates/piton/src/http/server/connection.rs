//! Serves one connection with hyper, until it ends, a head is late (`header_timeout.rs`), its permit is needed
//! (`connection_table.rs`), or the service stops.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::debug;

use super::connection_io::ConnectionIo;
use super::connection_permits::{ConnectionSlot, RESERVE_HEADER_TIMEOUT};
use super::connection_state::{ConnectionState, TrackedBody};
use super::header_timeout;
use super::http2::Http2Config;
use super::listeners::ProxyProtocol;
use super::request_body::{self, RequestBody};
use super::request_context::X_REQUEST_ID;
use super::request_target;
use super::stack::Stack;
use super::tls::{TlsAcceptor, TlsHandshake};
use crate::error::{BoxError, Error};
use crate::http::settings::HttpSettings;
use crate::memory;
use crate::request::ClientIpHeader;
use crate::stop_signal::Stop;

/// Time for a connection without a request yet to send one, once the listener is closed.
pub(super) const FIRST_REQUEST_GRACE: Duration = Duration::from_secs(1);

/// Maximum size of the buffers for reading and writing a body. hyper's default is 400 KiB, which would
/// take 4 GB if the clients of all connections send fast and read slowly.
const MAX_BUFFER_BYTES: usize = 64 << 10;

/// Maximum size of the same buffers below [`SMALL_MEMORY_BYTES`] of memory.
const MAX_SMALL_BUFFER_BYTES: usize = 16 << 10;

const SMALL_MEMORY_BYTES: u64 = 256 << 20;

/// The settings of every connection.
#[derive(Clone)]
pub(super) struct ConnectionConfig {
    pub http: http1::Builder,
    /// The settings of HTTP/2. `None` if the listener speaks HTTP/1 alone.
    pub http2: Option<Http2Config>,
    pub tls: Option<TlsAcceptor>,
    /// Set if connections begin with a header of the PROXY protocol.
    pub proxy_protocol: Option<ProxyProtocol>,
    pub header_timeout: Duration,
    pub write_timeout: Duration,
    /// Set if requests carry the address of the connection's other end as an extension.
    pub wants_peer_address: bool,
}

impl ConnectionConfig {
    /// Returns the time for a head, which is short in the reserve.
    pub fn header_timeout_of(&self, state: &ConnectionState) -> Duration {
        match state.is_in_reserve() {
            true => self.header_timeout.min(RESERVE_HEADER_TIMEOUT),
            false => self.header_timeout,
        }
    }
}

/// Returns hyper's settings, with buffers that fit the memory of the container and a whole head.
pub(super) fn http1_builder(settings: &HttpSettings) -> http1::Builder {
    let is_small = memory::limit().is_some_and(|limit| limit.bytes < SMALL_MEMORY_BYTES);
    let buffer = if is_small { MAX_SMALL_BUFFER_BYTES } else { MAX_BUFFER_BYTES };
    let head = settings.header_limit.as_usize();
    let mut http = http1::Builder::new();
    http.max_buf_size(buffer.max(head)).max_header_size(head).half_close(settings.half_close);
    http
}

/// The reasons to end a connection that its client keeps open.
enum EndSignal {
    /// No whole head of a request has arrived within `http.header_timeout`.
    HeaderTimeout,
    /// Another connection needs the permit of this one.
    Eviction,
    /// The listener is closed.
    Closing,
}

/// The other end of a connection, and its admission.
#[derive(Clone)]
pub(super) struct ConnectionInfo {
    /// The address of the peer, or of the client that a proxy announced for it.
    pub peer: Option<SocketAddr>,
    /// Set if a proxy has announced by the PROXY protocol that it names no client: `peer` is its own address, and
    /// headers of proxies come from whoever is behind it.
    pub is_of_proxy_itself: bool,
    /// The outcome of the TLS handshake, if there was one.
    pub handshake: Option<Arc<TlsHandshake>>,
    pub slot: ConnectionSlot,
}

impl ConnectionInfo {
    /// Adds to a request what handlers read of the connection.
    pub fn add_to<B>(&self, request: &mut hyper::Request<B>, wants_peer_address: bool) {
        if let Some(peer) = self.peer
            && wants_peer_address
        {
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        if self.is_of_proxy_itself {
            remove_headers_of_proxies(request.headers_mut());
        }
        if let Some(handshake) = &self.handshake {
            handshake.add_to(request.extensions_mut());
        }
    }
}

/// Removes the headers that are believed of trusted proxies.
#[cold]
fn remove_headers_of_proxies(headers: &mut HeaderMap) {
    headers.remove(X_REQUEST_ID);
    for header in
        [ClientIpHeader::XForwardedFor, ClientIpHeader::Forwarded, ClientIpHeader::XRealIp]
    {
        headers.remove(header.name());
    }
}

/// The service of one connection, which hyper calls with each of its requests.
struct ConnectionService {
    stack: Stack<Router>,
    info: ConnectionInfo,
    /// Set if requests carry the address of the connection's other end.
    wants_peer_address: bool,
}

impl ConnectionService {
    fn call(
        &self,
        mut request: hyper::Request<Incoming>,
    ) -> impl Future<Output = Result<hyper::Response<TrackedBody>, Infallible>> + use<> {
        let state = self.info.slot.state.clone();
        state.begin();
        self.info.add_to(&mut request, self.wants_peer_address);
        let (stack, peer) = (self.stack.clone(), self.info.peer.map(|peer| peer.ip()));
        let refusal = refusal(&request, &stack, &self.info.slot);
        let is_last = refusal.is_some() || state.is_in_reserve();
        let is_connect = request.method() == Method::CONNECT;
        let (mut request, has_body) = RequestBody::wrap(request, &state);
        if has_body {
            // The connection would be in both protocols until the body has arrived, without a deadline.
            request.extensions_mut().remove::<hyper::upgrade::OnUpgrade>();
        }
        async move {
            let mut response = match refusal {
                None => stack.respond(request, peer).await,
                Some(refusal) => refusal.respond(&stack, request, peer),
            };
            if is_last {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            if has_body {
                request_body::settle(&state, &mut response).await;
            }
            state.record_upgrade(is_connect, &mut response);
            Ok(TrackedBody::wrap(response, state))
        }
    }
}

/// The reasons why a request does not reach the router.
pub(super) enum RequestRefusal {
    /// A request that is not valid, with the status and the detail of its response.
    Invalid(StatusCode, &'static str),
    /// A request whose connection has no permit.
    Full,
}

/// Returns the reason why `request` is not to reach the router, if there is one.
pub(super) fn refusal<B: http_body::Body>(
    request: &hyper::Request<B>,
    stack: &Stack<Router>,
    slot: &ConnectionSlot,
) -> Option<RequestRefusal> {
    if let Some(fault) = request_target::fault(request) {
        return Some(RequestRefusal::Invalid(StatusCode::BAD_REQUEST, fault));
    }
    // Looked for where there is a body only, so that most requests do not pay for it.
    if !request.body().is_end_stream()
        && let Some((status, fault)) = request_target::transfer_coding_fault(request.headers())
    {
        return Some(RequestRefusal::Invalid(status, fault));
    }
    let is_probe = || stack.is_probe(request.uri().path());
    (!slot.admits(is_probe)).then_some(RequestRefusal::Full)
}

impl RequestRefusal {
    pub fn respond<B>(
        self,
        stack: &Stack<Router>,
        request: hyper::Request<B>,
        peer: Option<IpAddr>,
    ) -> http::Response<axum::body::Body> {
        match self {
            Self::Invalid(status, detail) => {
                stack.refuse(request, peer, Error::new(status, detail))
            }
            Self::Full => stack.shed_connection(request, peer),
        }
    }
}

/// Serves the requests of one connection. Returns when it has ended.
pub(super) async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    info: ConnectionInfo,
    stack: Stack<Router>,
    config: ConnectionConfig,
    closing: Stop,
) {
    let state = info.slot.state.clone();
    let signals = signals(&info, &config, closing);
    let io = TokioIo::new(ConnectionIo::new(stream, state.clone(), config.write_timeout));
    let service = ConnectionService { stack, info, wants_peer_address: config.wants_peer_address };
    let service = service_fn(move |request| service.call(request));
    let connection = config.http.serve_connection(io, service).with_upgrades();
    run(connection, signals, &state).await;
}

/// Returns the futures that wait for the reasons to end a connection.
///
/// `FuturesUnordered` polls only futures that were woken, so that they cost nothing per request
/// (decision 0003).
fn signals(
    info: &ConnectionInfo,
    config: &ConnectionConfig,
    closing: Stop,
) -> FuturesUnordered<BoxFuture<'static, EndSignal>> {
    let header_timeout = config.header_timeout_of(&info.slot.state);
    let signals = FuturesUnordered::new();
    let state = info.slot.state.clone();
    signals.push(
        async move {
            tokio::select! {
                () = header_timeout::wait_for_header_timeout(&state, header_timeout) => {
                    EndSignal::HeaderTimeout
                }
                () = state.eviction.notified() => EndSignal::Eviction,
            }
        }
        .boxed(),
    );
    signals.push(async move { closing.stopped().await }.map(|()| EndSignal::Closing).boxed());
    signals
}

async fn run<I, S, B>(
    connection: http1::UpgradeableConnection<I, S>,
    mut signals: FuturesUnordered<BoxFuture<'static, EndSignal>>,
    state: &ConnectionState,
) where
    http1::UpgradeableConnection<I, S>: Future<Output = hyper::Result<()>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    S: HttpService<Incoming, ResBody = B>,
    S::Error: Into<BoxError>,
    B: http_body::Body<Error: Into<BoxError>> + 'static,
{
    let mut connection = pin!(connection);
    loop {
        let signal = tokio::select! {
            biased;
            result = &mut connection => {
                log_end(result);
                // A WebSocket counts as a connection, and is waited for by the drain, until it ends.
                return state.upgrade_ended().await;
            }
            Some(signal) = signals.next() => signal,
        };
        match signal {
            EndSignal::HeaderTimeout => {
                return header_timeout::close_timed_out(state, connection).await;
            }
            EndSignal::Eviction if state.received() > 0 && state.is_idle() => {
                return header_timeout::close_timed_out(state, connection).await;
            }
            EndSignal::Eviction => connection.as_mut().graceful_shutdown(),
            EndSignal::Closing => {
                if !state.has_served() && ended_within_grace(connection.as_mut()).await {
                    return;
                }
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Gives a connection without a request yet time for its first one, because hyper would close it
/// although a request may be in the system's buffer. Its response carries `Connection: close`. Returns
/// whether the connection has ended meanwhile.
pub(super) async fn ended_within_grace(
    connection: Pin<&mut impl Future<Output = hyper::Result<()>>>,
) -> bool {
    match tokio::time::timeout(FIRST_REQUEST_GRACE, connection).await {
        Ok(result) => {
            log_end(result);
            true
        }
        Err(_) => false,
    }
}

/// Logs the error of a connection at `DEBUG` only, because clients close connections at any time.
pub(super) fn log_end(result: hyper::Result<()>) {
    if let Err(error) = result {
        debug!("A connection ended early: {error}");
    }
}
