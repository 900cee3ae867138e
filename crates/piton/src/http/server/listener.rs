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
use tokio::net::TcpListener;
use tokio::task::{Id, JoinError, JoinSet};
use tracing::{info, warn};

use super::accepted_connection::serve_accepted;
use super::connection::{ConnectionConfig, http1_builder};
use super::connection_limit;
use super::connection_permits::{Admission, ConnectionPermits, ConnectionSlot};
use super::connection_table::ConnectionTable;
use super::header_timeout::READ_REASON_GRACE;
use super::http2::Http2Config;
use super::listeners::{AcceptedSocket, Listeners, ProxyProtocol, redirect_router};
use super::probe_paths::ExemptPaths;
use super::stack::Stack;
use super::stack_config::StackConfig;
use super::tls::TlsAcceptor;
use crate::handle::Handle;
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

/// The listeners of the public address, and what its connections need before their first request.
pub(crate) struct PublicListeners {
    listeners: Listeners,
    tls: Option<TlsAcceptor>,
    redirect: Option<Listeners>,
}

impl PublicListeners {
    /// Loads the certificate for `listeners`, and opens the port that redirects to them.
    ///
    /// # Errors
    /// A file of `http.tls` cannot be used, or the port is not available. The text names it.
    pub fn open(
        listeners: Listeners,
        settings: &HttpSettings,
        production: bool,
    ) -> Result<Self, String> {
        let speaks_http2 = Http2Config::new(settings).is_some();
        let tls = TlsAcceptor::new(&settings.tls, speaks_http2)?;
        let redirect = Listeners::bind_redirect(settings, production)?;
        Ok(Self { listeners, tls, redirect })
    }

    /// Returns the address of `http.redirect_port`, if it is set.
    pub fn redirect_address(&self) -> Option<SocketAddr> {
        self.redirect.as_ref()?.tcp_address()
    }

    /// Returns the addresses as URLs: `https://127.0.0.1:5000`, `unix:/run/app.sock`.
    pub fn urls(&self) -> Vec<String> {
        let https = self.tls.is_some();
        self.listeners.addresses().iter().map(|address| address.url(https)).collect()
    }

    /// Returns the addresses that redirect to `https://`, as URLs.
    pub fn redirect_urls(&self) -> Vec<String> {
        let addresses = self.redirect.iter().flat_map(Listeners::addresses);
        addresses.map(|address| address.url(false)).collect()
    }
}

/// Serves until `stop`, then drains. Returns when the last connection has ended or was cut off.
///
/// `stop_now` is the second signal, which ends the drain.
pub(crate) async fn serve(
    public: PublicListeners,
    stack: Stack<Router>,
    settings: &HttpSettings,
    stop: Stop,
    stop_now: Stop,
) {
    let PublicListeners { mut listeners, tls, redirect } = public;
    let handle = stack.handle().clone();
    connection_limit::warn_if_lowered(settings);
    // Aborted when the last connection has ended.
    let mut followers = JoinSet::new();
    if let Some(tls) = &tls {
        followers.spawn(tls.clone().follow_files(handle.reload_signal(), handle.metrics().clone()));
    }
    let https_port = settings.tls.public_port.or_else(|| Some(listeners.tcp_address()?.port()));
    let (mut server, close) = Server::new(stack, settings, Protocols::public(tls, settings));
    let mut redirects = JoinSet::new();
    if let Some(redirect) = redirect {
        redirects.spawn(serve_redirect(
            redirect,
            https_port.unwrap_or_default(),
            handle.clone(),
            settings.clone(),
            server.closing.clone(),
        ));
    }

    server.accept_until(&mut listeners, stop.stopped()).await;

    handle.inner().drain.begin();
    let wait = settings.drain_wait(handle.production());
    info!(wait = %humantime::format_duration(wait), "Stopping: not ready any more, still accepting requests");
    let waited = async {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop_now.stopped() => {}
        }
    };
    server.accept_until(&mut listeners, waited).await;
    listeners.stop_new_connections();
    server.accept_until(&mut listeners, tokio::time::sleep(HANDSHAKE_GRACE)).await;
    drop(listeners);

    server.drain(close, settings.drain_timeout, stop_now).await;
    all_ended(&mut redirects).await;
}

/// Serves the admin address until `stop`. Skips the readiness wait, because no load balancer sends
/// requests there.
pub(crate) async fn serve_admin(
    listener: TcpListener,
    stack: Stack<Router>,
    settings: &HttpSettings,
    stop: Stop,
) {
    serve_plain(listener.into(), stack, settings, Protocols::default(), stop).await;
}

/// Serves the port that redirects to `https://`, until `stop`.
async fn serve_redirect(
    listeners: Listeners,
    https_port: u16,
    handle: Handle,
    settings: HttpSettings,
    stop: Stop,
) {
    let config = StackConfig::of_admin(handle, &settings, ExemptPaths::default());
    let stack = Stack::new(redirect_router(https_port), Arc::new(config));
    let protocols = Protocols { tls: None, http2: None, ..Protocols::public(None, &settings) };
    serve_plain(listeners, stack, &settings, protocols, stop).await;
}

async fn serve_plain(
    mut listeners: Listeners,
    stack: Stack<Router>,
    settings: &HttpSettings,
    protocols: Protocols,
    stop: Stop,
) {
    let (mut server, close) = Server::new(stack, settings, protocols);
    server.accept_until(&mut listeners, stop.stopped()).await;
    drop(listeners);
    server.drain(close, READ_REASON_GRACE, Stop::never()).await;
}

/// The protocols that a listener speaks in addition to HTTP/1.
#[derive(Default)]
struct Protocols {
    tls: Option<TlsAcceptor>,
    http2: Option<Http2Config>,
    proxy_protocol: Option<ProxyProtocol>,
}

impl Protocols {
    fn public(tls: Option<TlsAcceptor>, settings: &HttpSettings) -> Self {
        let proxy_protocol = settings.proxy_protocol.then(|| ProxyProtocol(settings.proxies()));
        Self { tls, http2: Http2Config::new(settings), proxy_protocol }
    }
}

/// The connections of one listener.
struct Server {
    stack: Stack<Router>,
    config: ConnectionConfig,
    permits: Arc<ConnectionPermits>,
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
    fn new(stack: Stack<Router>, settings: &HttpSettings, protocols: Protocols) -> (Self, Trigger) {
        let (close, closing) = Stop::new();
        let wants_peer_address = stack.handle().inner().wants_peer_address.load(Ordering::Relaxed);
        let config = ConnectionConfig {
            http: http1_builder(settings),
            http2: protocols.http2,
            tls: protocols.tls,
            proxy_protocol: protocols.proxy_protocol,
            header_timeout: settings.header_timeout,
            write_timeout: settings.write_timeout,
            wants_peer_address,
        };
        let server = Self {
            stack,
            config,
            permits: ConnectionPermits::new(connection_limit::max_connections(settings)),
            connections: JoinSet::new(),
            table: ConnectionTable::default(),
            closing,
            accept_log: LogThrottle::default(),
            full_log: LogThrottle::default(),
        };
        (server, close)
    }

    async fn accept_until(&mut self, listeners: &mut Listeners, until: impl Future<Output = ()>) {
        let mut until = pin!(until);
        loop {
            tokio::select! {
                biased;
                () = &mut until => return,
                Some(ended) = self.connections.join_next_with_id() => self.remove(ended),
                accepted = listeners.accept() => match accepted {
                    Ok(socket) => self.open(socket),
                    Err(error) => self.after_accept_error(error).await,
                },
            }
        }
    }

    fn remove(&mut self, ended: Result<(Id, ()), JoinError>) {
        self.table.remove(ended.map_or_else(|error| error.id(), |(id, ())| id));
    }

    fn open(&mut self, socket: AcceptedSocket) {
        let slot = ConnectionSlot::new(self.admit());
        let (stack, config, state) = (self.stack.clone(), self.config.clone(), slot.state.clone());
        let connection = serve_accepted(socket, slot, stack, config, self.closing.clone());
        let metrics = self.stack.metrics().clone();
        let task = self.connections.spawn(async move {
            let _counted = OpenConnectionGuard::new(metrics);
            connection.await;
        });
        if state.is_in_reserve() {
            self.table.insert_reserve(task, state);
        } else {
            self.table.insert(task.id(), state);
        }
    }

    /// Returns a free permit, or that of the connection that is idle for longest, or one of the reserve.
    fn admit(&mut self) -> Admission {
        if let Some(permit) = self.permits.take() {
            return Admission::Regular(permit);
        }
        if let Some(count) = self.full_log.pass() {
            let limit = self.permits.max();
            warn!(count, limit, "Connections above http.max_connections: closing idle ones");
        }
        if self.table.close_longest_idle() {
            return Admission::Regular(self.permits.take_over());
        }
        Admission::reserve(&self.permits)
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
