//! Finds out the protocol of an accepted connection, and serves it.
//!
//! All of it runs in the connection's own task, within `http.header_timeout`: a client that is silent in
//! its TLS handshake keeps nobody else waiting, and counts among `http.max_connections`.

use std::io;
use std::sync::Arc;

use axum::Router;
use tracing::debug;

use super::connection::{ConnectionConfig, ConnectionInfo, FIRST_REQUEST_GRACE, serve_connection};
use super::connection_permits::ConnectionSlot;
use super::connection_state::ConnectionState;
use super::listeners::{AcceptedSocket, Socket};
use super::plain_http;
use super::stack::Stack;
use super::tls::{TlsAcceptor, TlsHandshake, TlsStream};
use crate::stop_signal::Stop;

/// A connection that is ready for its first request.
struct NegotiatedConnection {
    stream: NegotiatedStream,
    is_http2: bool,
    info: ConnectionInfo,
}

/// The stream of a connection, by its encryption.
enum NegotiatedStream {
    Plain(Socket),
    Tls(Box<TlsStream>),
}

/// Serves a connection. Returns when it has ended.
pub(super) async fn serve_accepted(
    accepted: AcceptedSocket,
    slot: ConnectionSlot,
    stack: Stack<Router>,
    config: ConnectionConfig,
    closing: Stop,
) {
    let state = slot.state.clone();
    let negotiation = negotiate(accepted, slot, &config);
    let Some(ready) = within_limits(negotiation, &state, &config, &closing).await else { return };
    let NegotiatedConnection { stream, is_http2, info } = ready;
    let http2 = config.http2.clone().filter(|_| is_http2);
    // All but plain HTTP/1 are boxed, so that its task stays small.
    match (stream, http2) {
        (NegotiatedStream::Plain(socket), None) => {
            serve_connection(socket, info, stack, config, closing).await;
        }
        (NegotiatedStream::Plain(socket), Some(http2)) => {
            Box::pin(http2.serve_connection(socket, info, stack, &config, closing)).await;
        }
        (NegotiatedStream::Tls(stream), None) => {
            Box::pin(serve_connection(stream, info, stack, config, closing)).await;
        }
        (NegotiatedStream::Tls(stream), Some(http2)) => {
            Box::pin(http2.serve_connection(stream, info, stack, &config, closing)).await;
        }
    }
}

/// Reads the header of the PROXY protocol, does the handshake of TLS, and finds out the version of HTTP,
/// as far as the settings ask for these.
///
/// # Errors
/// The connection has ended, or does not begin as the settings ask for.
async fn negotiate(
    accepted: AcceptedSocket,
    slot: ConnectionSlot,
    config: &ConnectionConfig,
) -> io::Result<NegotiatedConnection> {
    let is_unix = accepted.is_unix;
    let (mut socket, announced, peer) = match &config.proxy_protocol {
        Some(protocol) => protocol.client_of(accepted).await?,
        None => (accepted.socket, None, accepted.peer),
    };
    let mut info = ConnectionInfo {
        peer: Some(announced.unwrap_or(peer)),
        is_of_proxy_itself: config.proxy_protocol.is_some() && announced.is_none(),
        handshake: None,
        slot,
    };
    // Unix sockets stay plain: what passes through them does not leave the machine.
    if let Some(tls) = config.tls.as_ref().filter(|_| !is_unix) {
        let (stream, handshake) = Box::pin(accept_tls(tls, socket)).await?;
        let is_http2 = handshake.is_http2;
        info.handshake = Some(Arc::new(handshake));
        let stream = NegotiatedStream::Tls(Box::new(stream));
        return Ok(NegotiatedConnection { stream, is_http2, info });
    }
    let is_http2 = match &config.http2 {
        Some(http2) => socket.begins_with(http2.preface()).await?,
        None => false,
    };
    Ok(NegotiatedConnection { stream: NegotiatedStream::Plain(socket), is_http2, info })
}

/// Does the handshake of TLS. Plain HTTP gets 400.
///
/// # Errors
/// As [`TlsAcceptor::accept`], or the client speaks plain HTTP.
async fn accept_tls(
    tls: &TlsAcceptor,
    mut socket: Socket,
) -> io::Result<(TlsStream, TlsHandshake)> {
    if plain_http::is_plain_http(&mut socket).await? {
        return Err(plain_http::refuse(socket).await);
    }
    tls.accept(socket).await
}

/// Waits for the negotiation, for as long as a client may take for the head of a request. `None` if the
/// connection is to be closed.
async fn within_limits(
    negotiation: impl Future<Output = io::Result<NegotiatedConnection>>,
    state: &ConnectionState,
    config: &ConnectionConfig,
    closing: &Stop,
) -> Option<NegotiatedConnection> {
    let closed = async {
        closing.stopped().await;
        tokio::time::sleep(FIRST_REQUEST_GRACE).await;
    };
    let negotiated = tokio::select! {
        biased;
        negotiated = negotiation => negotiated,
        () = tokio::time::sleep(config.header_timeout_of(state)) => return None,
        () = state.eviction.notified() => return None,
        () = closed => return None,
    };
    // Logged at `DEBUG` only, because clients break off handshakes at any time.
    negotiated
        .inspect_err(|error| debug!("A connection ended before its first request: {error}"))
        .ok()
}
