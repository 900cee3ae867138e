//! Serves one connection with HTTP/2, until it ends, nothing happens on it, or the service stops.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use http::{HeaderValue, Request, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::debug;

use super::Http2Config;
use super::connection_state::{ActiveStream, Http2State};
use super::draining_body::DrainingBody;
use super::stream_body::StreamBody;
use super::stream_task::{StreamExecutor, current_progress};
use crate::http::server::connection::{
    ConnectionConfig, ConnectionInfo, RequestRefusal, ended_within_grace, log_end, refusal,
};
use crate::http::server::header_timeout::READ_REASON_GRACE;
use crate::http::server::protocol_errors;
use crate::http::server::request_context::X_REQUEST_ID;
use crate::http::server::stack::Stack;
use crate::stop_signal::Stop;

/// Time for a client to reply to a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Time without a stream after which a connection ends that was told to: a client that does not
/// acknowledge the end would hold up the service's.
const CLOSING_IDLE_TIMEOUT: Duration = Duration::from_secs(1);

/// Bytes of each response that h2 asks a body for in advance.
const MAX_SEND_BUFFER: usize = 64 << 10;

/// Bytes of a header list above `http.header_limit` up to which the 431 is a problem document. h2 refuses larger ones
/// with a 431 that has no body.
const MAX_HEADER_EXCESS: u32 = 16 << 10;

/// Bytes that each field of a header list counts in addition to its name and value (RFC 9113, section 6.5.2).
const FIELD_OVERHEAD: usize = 32;

const HEADERS_TOO_LARGE: RequestRefusal = RequestRefusal::Invalid(
    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    protocol_errors::HEADERS_TOO_LARGE,
);

/// Streams that h2 may reset because of the client's errors, before it ends the connection.
const MAX_ERROR_STREAMS: usize = 128;

/// The reasons to end a connection that its client keeps open.
enum Http2EndSignal {
    /// No request has been open for `http.header_timeout`.
    Idle,
    /// The listener is closed.
    Closing,
    /// Another connection needs the permit of this one.
    Eviction,
    /// A response was made while the service drains.
    Draining,
    /// The client cancels nearly all that it asks for.
    Abuse,
}

impl Http2Config {
    /// Serves the requests of one connection. Returns when it has ended.
    pub async fn serve_connection(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        info: ConnectionInfo,
        stack: Stack<Router>,
        config: &ConnectionConfig,
        closing: Stop,
    ) {
        let header_timeout = config.header_timeout_of(&info.slot.state);
        let state = Arc::new(Http2State::new(info.slot.state.clone()));
        let service = Http2Service {
            stack,
            info,
            state: state.clone(),
            wants_peer_address: config.wants_peer_address,
            max_header_bytes: self.max_header_bytes as usize,
        };
        let service = service_fn(move |request| service.call(request));
        let http = self.builder(&state);
        let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
        let mut signals = signals(&state, header_timeout, closing);
        loop {
            let signal = tokio::select! {
                biased;
                result = &mut connection => return log_end(result),
                Some(signal) = signals.next() => signal,
            };
            match signal {
                Http2EndSignal::Idle => {
                    connection.as_mut().graceful_shutdown();
                    let _ = tokio::time::timeout(READ_REASON_GRACE, connection).await;
                    return;
                }
                Http2EndSignal::Closing => {
                    if !state.has_served() && ended_within_grace(connection.as_mut()).await {
                        return;
                    }
                    connection.as_mut().graceful_shutdown();
                    signals.push(closing_idle(&state));
                }
                Http2EndSignal::Eviction => {
                    connection.as_mut().graceful_shutdown();
                    signals.push(closing_idle(&state));
                }
                Http2EndSignal::Draining => connection.as_mut().graceful_shutdown(),
                Http2EndSignal::Abuse => {
                    debug!("A connection was cut off: its client cancels nearly all requests");
                    return;
                }
            }
        }
    }

    fn builder(&self, state: &Arc<Http2State>) -> http2::Builder<StreamExecutor> {
        let executor = StreamExecutor { state: state.clone(), write_timeout: self.write_timeout };
        let mut http = http2::Builder::new(executor);
        http.timer(TokioTimer::new())
            .max_concurrent_streams(self.max_streams)
            .max_header_list_size(self.max_header_bytes.saturating_add(MAX_HEADER_EXCESS))
            .max_local_error_reset_streams(MAX_ERROR_STREAMS)
            .max_send_buf_size(MAX_SEND_BUFFER)
            .initial_connection_window_size(self.window)
            // Half, so that one upload that is not read leaves room for others.
            .initial_stream_window_size(self.window / 2)
            .keep_alive_interval(self.ping_interval)
            .keep_alive_timeout(PING_TIMEOUT);
        http
    }
}

/// Returns the waits for the reasons to end a connection.
///
/// `FuturesUnordered` polls only futures that were woken (decision 0003).
fn signals(
    state: &Http2State,
    header_timeout: Duration,
    closing: Stop,
) -> FuturesUnordered<BoxFuture<'_, Http2EndSignal>> {
    let idle = state.wait_until_idle(header_timeout).map(|()| Http2EndSignal::Idle);
    let closing = async move { closing.stopped().await }.map(|()| Http2EndSignal::Closing);
    let draining = state.goaway_asked().map(|()| Http2EndSignal::Draining);
    let evicted = state.evicted().map(|()| Http2EndSignal::Eviction);
    let abuse = state.too_many_cancelled().map(|()| Http2EndSignal::Abuse);
    [idle.boxed(), closing.boxed(), draining.boxed(), evicted.boxed(), abuse.boxed()]
        .into_iter()
        .collect()
}

/// The service of one connection, which hyper calls with each of its requests.
struct Http2Service {
    stack: Stack<Router>,
    info: ConnectionInfo,
    state: Arc<Http2State>,
    /// Set if requests carry the address of the connection's other end.
    wants_peer_address: bool,
    max_header_bytes: usize,
}

impl Http2Service {
    fn call(
        &self,
        mut request: Request<Incoming>,
    ) -> BoxFuture<'static, Result<http::Response<StreamBody>, Infallible>> {
        let stream = ActiveStream::begin(&self.state);
        self.info.add_to(&mut request, self.wants_peer_address);
        let is_too_large = header_list_size(&request) > self.max_header_bytes;
        set_host(&mut request);
        let refusal = is_too_large
            .then_some(HEADERS_TOO_LARGE)
            .or_else(|| refusal(&request, &self.stack, &self.info.slot));
        let peer = self.info.peer.map(|peer| peer.ip());
        // Boxed, because hyper and tokio move a stream's future five times before it runs.
        Box::pin(respond(self.stack.clone(), request, peer, self.state.clone(), stream, refusal))
    }
}

/// Waits until a connection that was told to end has no stream.
fn closing_idle(state: &Http2State) -> BoxFuture<'_, Http2EndSignal> {
    state.wait_until_idle(CLOSING_IDLE_TIMEOUT).map(|()| Http2EndSignal::Idle).boxed()
}

/// Responds to one request. `stream` counts it until its response is sent.
async fn respond(
    stack: Stack<Router>,
    request: Request<Incoming>,
    peer: Option<IpAddr>,
    state: Arc<Http2State>,
    mut stream: ActiveStream,
    refusal: Option<RequestRefusal>,
) -> Result<http::Response<StreamBody>, Infallible> {
    let handle = stack.handle().clone();
    let request = request.map(DrainingBody::new);
    let mut response = match refusal {
        None => stack.respond(request, peer).await,
        Some(refusal) => refusal.respond(&stack, request, peer),
    };
    hide_from_index(&mut response);
    stream.set_answered();
    if handle.draining() {
        state.ask_for_goaway();
    }
    Ok(response.map(|body| StreamBody::new(body, current_progress(), stream)))
}

/// Keeps the request's id out of the table of headers that HPACK shares with the client: each would take the place of
/// headers that every response has.
fn hide_from_index<B>(response: &mut http::Response<B>) {
    if let Some(id) = response.headers_mut().get_mut(X_REQUEST_ID) {
        id.set_sensitive(true);
    }
}

/// Returns the size of the header list as its sender counts it (RFC 9113, section 6.5.2).
fn header_list_size<B>(request: &Request<B>) -> usize {
    const PSEUDO_NAMES: usize =
        ":method".len() + ":scheme".len() + ":authority".len() + ":path".len();
    let uri = request.uri();
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    let target = uri.path_and_query().map_or(0, |target| target.as_str().len());
    let scheme = uri.scheme_str().map_or(0, str::len);
    let pseudo = PSEUDO_NAMES + request.method().as_str().len() + scheme + authority + target;
    let headers = request.headers().iter();
    let headers = headers.map(|(name, value)| name.as_str().len() + value.len() + FIELD_OVERHEAD);
    pseudo + 4 * FIELD_OVERHEAD + headers.sum::<usize>()
}

/// Sets `Host` to the request's `:authority`, where handlers of HTTP/1 look for it. A `Host` that says
/// something else must not be used (RFC 9113, section 8.3.1).
fn set_host<B>(request: &mut Request<B>) {
    let Some(authority) = request.uri().authority() else { return };
    if let Ok(host) = HeaderValue::try_from(authority.as_str()) {
        request.headers_mut().insert(header::HOST, host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_list_counts_32_bytes_more_for_each_field() {
        let request = Request::builder().uri("http://a/b?c").header("x-y", "z").body(()).unwrap();
        let pseudo =
            ":methodGET".len() + ":schemehttp".len() + ":authoritya".len() + ":path/b?c".len();
        assert_eq!(header_list_size(&request), pseudo + "x-yz".len() + 5 * 32);
    }

    #[test]
    fn the_host_is_the_authority_whatever_the_client_sends_beside_it() {
        let mut request = Request::builder()
            .uri("https://a.test:8443/x")
            .header("host", "evil.test")
            .header("host", "other.test")
            .body(())
            .unwrap();
        set_host(&mut request);
        let hosts: Vec<_> = request.headers().get_all(header::HOST).iter().collect();
        assert_eq!(hosts, ["a.test:8443"]);
    }
}
