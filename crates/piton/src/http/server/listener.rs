//! Accepts connections, and stops without losing a request.
//!
//! Stopping has an order. First readiness fails while requests are still accepted, so that load
//! balancers send new requests elsewhere; every response carries `Connection: close` from then on, so
//! that clients connect again to another instance. Then the listener closes, requests in flight are
//! finished, and only what is left at the deadline is cut off.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{Id, JoinError, JoinSet};
use tracing::{debug, info, warn};

use super::connection::{ConnectionConfig, ConnectionInfo, serve_connection};
use super::connection_limit;
use super::connection_places::{Admission, ConnectionPlaces};
use super::connection_state::ConnectionState;
use super::connection_table::ConnectionTable;
use super::header_timeout::READ_REASON_GRACE;
use super::stack::Stack;
use super::write_timeout;
use crate::http::settings::HttpSettings;
use crate::metrics::RequestMetrics;
use crate::stop_signal::{Stop, Trigger};
use crate::support::log_throttle::LogThrottle;

/// Time for connections whose TCP handshake is under way to arrive before the listener closes.
const HANDSHAKE_GRACE: Duration = Duration::from_millis(100);

/// Time between [`Handle::last_call`](crate::Handle::last_call) and the end of the drain.
const LAST_CALL_GRACE: Duration = Duration::from_secs(2);

/// Time for the responses to the last call, whatever ends the drain.
const LAST_RESPONSE_GRACE: Duration = Duration::from_millis(300);

/// Pause after an error of `accept`. A connection that was told to end meanwhile releases its file.
const ACCEPT_ERROR_BACKOFF: Duration = Duration::from_millis(50);

/// Serves until `stop`, then drains. Returns when the last connection has ended or was cut off.
///
/// `stop_now` is the second signal, which ends the drain.
pub(crate) async fn serve(
    listener: TcpListener,
    stack: Stack<Router>,
    settings: &HttpSettings,
    stop: Stop,
    stop_now: Stop,
) {
    let handle = stack.handle().clone();
    connection_limit::warn_if_lowered(settings);
    let (mut server, close) = Server::new(stack, settings);

    server.accept_until(&listener, stop.stopped()).await;

    handle.inner().drain.begin();
    let wait = settings.drain_wait(handle.production());
    info!(wait = %humantime::format_duration(wait), "Stopping: not ready any more, still answering");
    let waited = async {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop_now.stopped() => {}
        }
    };
    server.accept_until(&listener, waited).await;
    stop_new_connections(&listener);
    server.accept_until(&listener, tokio::time::sleep(HANDSHAKE_GRACE)).await;
    drop(listener);

    server.drain(close, settings.drain_timeout, stop_now).await;
}

/// Serves the admin address until `stop`. Skips the readiness wait, because no load balancer sends
/// requests there.
pub(crate) async fn serve_admin(
    listener: TcpListener,
    stack: Stack<Router>,
    settings: &HttpSettings,
    stop: Stop,
) {
    let (mut server, close) = Server::new(stack, settings);
    server.accept_until(&listener, stop.stopped()).await;
    drop(listener);
    server.drain(close, READ_REASON_GRACE, Stop::never()).await;
}

/// The connections of one listener.
struct Server {
    stack: Stack<Router>,
    config: ConnectionConfig,
    places: Arc<ConnectionPlaces>,
    connections: JoinSet<()>,
    table: ConnectionTable,
    closing: Stop,
    /// Limits the log lines about connections that cannot be accepted.
    accept_log: LogThrottle,
    /// Limits the log lines about connections above the maximum.
    full_log: LogThrottle,
}

impl Server {
    /// Returns a server, and the trigger that tells its connections to end.
    fn new(stack: Stack<Router>, settings: &HttpSettings) -> (Self, Trigger) {
        let (close, closing) = Stop::new();
        let wants_peer_address = stack.handle().inner().wants_peer_address.load(Ordering::Relaxed);
        let server = Self {
            stack,
            config: ConnectionConfig::new(settings, wants_peer_address),
            places: ConnectionPlaces::new(connection_limit::max_connections(settings)),
            connections: JoinSet::new(),
            table: ConnectionTable::default(),
            closing,
            accept_log: LogThrottle::default(),
            full_log: LogThrottle::default(),
        };
        (server, close)
    }

    async fn accept_until(&mut self, listener: &TcpListener, until: impl Future<Output = ()>) {
        let mut until = pin!(until);
        loop {
            tokio::select! {
                biased;
                () = &mut until => return,
                Some(ended) = self.connections.join_next_with_id() => self.remove(ended),
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => self.open(stream, peer),
                    Err(error) => self.after_accept_error(error).await,
                },
            }
        }
    }

    fn remove(&mut self, ended: Result<(Id, ()), JoinError>) {
        self.table.remove(ended.map_or_else(|error| error.id(), |(id, ())| id));
    }

    fn open(&mut self, stream: TcpStream, peer: SocketAddr) {
        // Without TCP_NODELAY small responses wait for the client's acknowledgement of the last one.
        let _ = stream.set_nodelay(true);
        write_timeout::limit_unsent(&stream);
        let state = Arc::new(ConnectionState::default());
        let admission = self.admit();
        let is_reserve = admission.is_reserve();
        let info = ConnectionInfo { peer: Some(peer), admission, state: state.clone() };
        let (stack, config) = (self.stack.clone(), self.config.clone());
        let connection = serve_connection(stream, info, stack, config, self.closing.clone());
        let metrics = self.stack.metrics().clone();
        let task = self.connections.spawn(async move {
            let _counted = OpenConnectionGuard::new(metrics);
            connection.await;
        });
        if is_reserve {
            self.table.insert_reserve(task, state);
        } else {
            self.table.insert(task.id(), state);
        }
    }

    /// Returns a free place, or that of the connection that is idle for longest, or one of the reserve.
    fn admit(&mut self) -> Admission {
        if let Some(place) = self.places.take() {
            return Admission::Regular(place);
        }
        if let Some(count) = self.full_log.pass() {
            let limit = self.places.max();
            warn!(count, limit, "Connections above http.max_connections: closing idle ones");
        }
        if self.table.close_longest_idle() {
            return Admission::Regular(self.places.take_over());
        }
        Admission::reserve(&self.places)
    }

    /// Backs off after an error of the listener itself, such as too few file descriptors: a retry at once
    /// would only spin. Errors of one connection are ignored.
    async fn after_accept_error(&mut self, error: std::io::Error) {
        use std::io::ErrorKind;
        if matches!(
            error.kind(),
            ErrorKind::ConnectionRefused
                | ErrorKind::ConnectionAborted
                | ErrorKind::ConnectionReset
        ) {
            return;
        }
        if let Some(count) = self.accept_log.pass() {
            warn!(count, "Cannot accept connections, closing idle ones: {error}");
        }
        self.table.close_longest_idle();
        tokio::time::sleep(ACCEPT_ERROR_BACKOFF).await;
    }

    async fn drain(mut self, close: Trigger, timeout: Duration, stop_now: Stop) {
        close.stop();
        let handle = self.stack.handle().clone();
        let last_call = async {
            tokio::time::sleep(timeout - LAST_CALL_GRACE.min(timeout / 2)).await;
            handle.inner().drain.last_call();
            std::future::pending::<()>().await;
        };
        let cut_reason = tokio::select! {
            () = all_ended(&mut self.connections) => None,
            () = last_call => None,
            () = tokio::time::sleep(timeout) => {
                Some("the deadline (http.drain_timeout) has passed")
            }
            () = stop_now.stopped() => Some("a second signal to stop was received"),
        };
        let Some(reason) = cut_reason else { return };
        // A second signal may come before the last call of the drain.
        handle.inner().drain.last_call();
        let _ = tokio::time::timeout(LAST_RESPONSE_GRACE, all_ended(&mut self.connections)).await;
        if !self.connections.is_empty() {
            warn!("Cutting off {} connections: {reason}", self.connections.len());
        }
    }
}

/// Waits until the last connection has ended. Cancel safe.
async fn all_ended(connections: &mut JoinSet<()>) {
    while connections.join_next().await.is_some() {}
}

/// RAII guard of the count of open connections.
struct OpenConnectionGuard(Arc<RequestMetrics>);

impl OpenConnectionGuard {
    fn new(metrics: Arc<RequestMetrics>) -> Self {
        metrics.connection(1);
        Self(metrics)
    }
}

impl Drop for OpenConnectionGuard {
    fn drop(&mut self) {
        self.0.connection(-1);
    }
}

/// Lets no new connection begin, while handshakes under way are still completed.
///
/// Closing a listener resets the connections in the system's queue, and one may always arrive between
/// a last `accept` and the close. So the packets that begin a connection are dropped first: their
/// senders retry a second later, when nothing listens any more, and connect elsewhere.
fn stop_new_connections(listener: &TcpListener) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use socket2::{SockFilter, SockRef};
        // Classic BPF over the TCP header: byte 13 holds the flags, 2 is SYN. Accepted connections
        // inherit the filter, which is safe because they never see a SYN again.
        let drop_syn = [
            SockFilter::new(0x30, 0, 0, 13),
            SockFilter::new(0x45, 0, 1, 2),
            SockFilter::new(0x06, 0, 0, 0),
            SockFilter::new(0x06, 0, 0, u32::MAX),
        ];
        if let Err(error) = SockRef::from(listener).attach_filter(&drop_syn) {
            debug!("Connections that begin while the listener closes may be reset: {error}");
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = listener;
}
