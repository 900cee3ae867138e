//! Serves one connection with hyper, until it ends, a head is late (`header_timeout.rs`), or the service stops.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::debug;

use super::connection_state::{ConnectionState, TrackedBody};
use super::header_timeout;
use super::http2::Http2Config;
use super::listeners::ProxyProtocol;
use super::protocol_errors::ErrorRewritingIo;
use super::stack::Stack;
use super::tls::{Handshake, TlsAcceptor};
use crate::memory;
use crate::stop_signal::Stop;

/// Time for a connection without a request yet to send one, once the listener is closed.
pub(super) const FIRST_REQUEST_GRACE: Duration = Duration::from_secs(1);

/// Maximum size of a request's head, and of the buffers for reading and writing a body. hyper's
/// default is 400 KiB, which would take 4 GB if the clients of all connections send fast and read
/// slowly.
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
    /// Set if requests carry the address of the connection's other end as an extension.
    pub wants_peer_address: bool,
}

/// Returns hyper's settings, with buffers that fit the memory of the container.
pub(super) fn http1_builder() -> http1::Builder {
    let is_small = memory::limit().is_some_and(|limit| limit.bytes < SMALL_MEMORY_BYTES);
    let mut http = http1::Builder::new();
    http.max_buf_size(if is_small { MAX_SMALL_BUFFER_BYTES } else { MAX_BUFFER_BYTES });
    http
}

/// The reasons to end a connection that its client keeps open.
enum Signal {
    /// No whole head of a request has arrived within `http.header_timeout`.
    HeaderTimeout,
    /// The listener is closed.
    Closing,
}

/// The other end of a connection.
#[derive(Clone)]
pub(super) struct ConnectionInfo {
    /// The address of the peer, or of the client that a proxy announced for it.
    pub peer: Option<SocketAddr>,
    /// The outcome of the TLS handshake, if there was one.
    pub handshake: Option<Arc<Handshake>>,
}

impl ConnectionInfo {
    /// Adds to a request what handlers read of the connection.
    pub fn add_to<B>(&self, request: &mut hyper::Request<B>, wants_peer_address: bool) {
        if let Some(peer) = self.peer
            && wants_peer_address
        {
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        if let Some(handshake) = &self.handshake {
            handshake.add_to(request.extensions_mut());
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
    let state = Arc::new(ConnectionState::default());
    let io = ErrorRewritingIo::new(TokioIo::new(stream), state.clone());
    let service_state = state.clone();
    let peer_ip = info.peer.map(|peer| peer.ip());
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        service_state.begin();
        info.add_to(&mut request, config.wants_peer_address);
        let (stack, state) = (stack.clone(), service_state.clone());
        async move {
            let mut response = stack.respond(request, peer_ip).await;
            state.record_upgrade(&mut response);
            Ok::<_, Infallible>(TrackedBody::wrap(response, state))
        }
    });
    let mut connection = pin!(config.http.serve_connection(io, service).with_upgrades());
    let head_is_late = header_timeout::wait_for_header_timeout(&state, config.header_timeout)
        .map(|()| Signal::HeaderTimeout);
    let closing = async { closing.stopped().await }.map(|()| Signal::Closing);
    // `FuturesUnordered` polls only futures that were woken, so that these two cost nothing per request
    // (decision 0003).
    let mut signals: FuturesUnordered<_> =
        [head_is_late.boxed(), closing.boxed()].into_iter().collect();
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
            Signal::HeaderTimeout => return header_timeout::give_up(&state, connection).await,
            Signal::Closing => {
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
