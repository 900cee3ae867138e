//! Accepts connections, and stops without losing a request.
//!
//! Stopping has an order. First readiness fails while requests are still accepted, so that load
//! balancers send new requests elsewhere; every response carries `Connection: close` from then on, so
//! that clients connect again to another instance. Then the listener closes, requests in flight are
//! finished, and only what is left at the deadline is cut off.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tracing::{info, warn};

use super::accepted_connection::serve_accepted;
use super::connection::{ConnectionConfig, http1_builder};
use super::header_timeout::READ_REASON_GRACE;
use super::http2::Http2Config;
use super::listeners::{AcceptedSocket, Listeners, ProxyProtocol, redirect_router};
use super::probe_paths::ExemptPaths;
use super::stack::Stack;
use super::stack_config::StackConfig;
use super::tls::TlsAcceptor;
use crate::handle::Handle;
use crate::http::settings::HttpSettings;
use crate::memory;
use crate::metrics::RequestMetrics;
use crate::stop_signal::{Stop, Trigger};

/// Time for connections whose TCP handshake is under way to arrive before the listener closes.
const HANDSHAKE_GRACE: Duration = Duration::from_millis(100);

/// Time between [`Handle::last_call`](crate::Handle::last_call) and the end of the drain.
const LAST_CALL_GRACE: Duration = Duration::from_secs(2);

/// Time for the responses to the last call, whatever ends the drain.
const LAST_RESPONSE_GRACE: Duration = Duration::from_millis(300);

/// Pause after an error of `accept`.
const ACCEPT_ERROR_BACKOFF: Duration = Duration::from_secs(1);

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

    /// Returns the addresses as URLs: `https://127.0.0.1:5000`, `unix:/run/app.sock`.
    pub fn urls(&self) -> Vec<String> {
        let https = self.tls.is_some();
        self.listeners.addresses().iter().map(|address| address.url(https)).collect()
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
    // Aborted when the last connection has ended.
    let mut followers = JoinSet::new();
    if let Some(tls) = &tls {
        followers.spawn(tls.clone().follow_files(handle.reload_signal()));
    }
    let https_port = settings.tls.public_port.or(listeners.tcp_port()).unwrap_or_default();
    let (mut server, close) = Server::new(stack, settings, Protocols::public(tls, settings));
    let mut redirects = JoinSet::new();
    if let Some(redirect) = redirect {
        redirects.spawn(serve_redirect(
            redirect,
            https_port,
            handle.clone(),
            settings.clone(),
            server.closing.clone(),
        ));
    }

    server.accept_until(&mut listeners, stop.stopped()).await;

    handle.inner().drain.begin();
    let wait = settings.drain_wait(handle.production());
    info!(wait = %humantime::format_duration(wait), "Stopping: not ready any more, still answering");
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

/// The protocols that a listener speaks beside HTTP/1.
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
    connection_permits: Arc<Semaphore>,
    connections: JoinSet<()>,
    closing: Stop,
}

impl Server {
    /// Returns a server, and the trigger that tells its connections to end.
    fn new(stack: Stack<Router>, settings: &HttpSettings, protocols: Protocols) -> (Self, Trigger) {
        let (close, closing) = Stop::new();
        let wants_peer_address = stack.handle().inner().wants_peer_address.load(Ordering::Relaxed);
        let config = ConnectionConfig {
            http: http1_builder(),
            http2: protocols.http2,
            tls: protocols.tls,
            proxy_protocol: protocols.proxy_protocol,
            header_timeout: settings.header_timeout,
            wants_peer_address,
        };
        let max_connections = settings.max_connections(memory::limit());
        let server = Self {
            stack,
            config,
            connection_permits: Arc::new(Semaphore::new(max_connections)),
            connections: JoinSet::new(),
            closing,
        };
        (server, close)
    }

    async fn accept_until(&mut self, listeners: &mut Listeners, until: impl Future<Output = ()>) {
        let mut until = pin!(until);
        loop {
            let permits = self.connection_permits.clone();
            let accepted = async {
                // The permit comes first, so that without one the connection waits in the system's
                // queue.
                let permit = permits.acquire_owned().await.expect("the semaphore is never closed");
                (listeners.accept().await, permit)
            };
            tokio::select! {
                biased;
                () = &mut until => return,
                Some(_) = self.connections.join_next() => {}
                (accepted, permit) = accepted => match accepted {
                    Ok(socket) => self.open(socket, permit),
                    Err(error) => after_accept_error(error).await,
                },
            }
        }
    }

    fn open(&mut self, socket: AcceptedSocket, permit: OwnedSemaphorePermit) {
        let (stack, config) = (self.stack.clone(), self.config.clone());
        let connection = serve_accepted(socket, stack, config, self.closing.clone());
        let metrics = self.stack.metrics().clone();
        self.connections.spawn(async move {
            let _counted = OpenConnectionGuard::new(metrics);
            connection.await;
            drop(permit);
        });
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

/// Backs off after an error of the listener itself, such as too few file descriptors: a retry at once
/// would only spin. Errors of one connection are ignored.
async fn after_accept_error(error: std::io::Error) {
    use std::io::ErrorKind;
    if matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
    ) {
        return;
    }
    warn!("Cannot accept a connection, trying again in a second: {error}");
    tokio::time::sleep(ACCEPT_ERROR_BACKOFF).await;
}
