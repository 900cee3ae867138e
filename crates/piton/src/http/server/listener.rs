//! The listener's own loop: accept, serve, and stop without losing a request.
//!
//! Stopping has an order. First readiness fails while requests are still accepted, so that load
//! balancers turn away; every answer carries `connection: close` from then on, so that clients
//! come back by another way. Then the listener closes, what is under way is finished, and only
//! what is left at the deadline is cut off.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use crate::http::server::connection_state::{ConnectionState, TrackedBody};
use crate::http::server::protocol_errors::ErrorRewritingIo;
use crate::http::server::stack::Stack;
use crate::http::settings::HttpSettings;
use crate::memory;
use crate::metrics::RequestMetrics;
use crate::stop::{Stop, Trigger};

/// How long connections whose handshake is under way may take to arrive, before the listener closes.
const LAST_ARRIVALS: Duration = Duration::from_millis(100);

/// How long a connection that has not said anything yet may take to, once the listener is closed.
const FIRST_WORDS: Duration = Duration::from_secs(1);

/// How long before the end of the drain those are told who wait for something.
const LAST_CALL: Duration = Duration::from_secs(2);

/// How long their answers may take then, whatever it is that ends the drain.
const LAST_ANSWERS: Duration = Duration::from_millis(300);

/// How long a client that is given up may take to read why.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Serves until `stop`, then drains. Returns when the last connection has ended or was cut off.
///
/// `at_once` is the second signal: it ends the drain.
pub(crate) async fn serve(
    listener: TcpListener,
    stack: Stack<Router>,
    settings: &HttpSettings,
    stop: Stop,
    at_once: Stop,
) {
    let handle = stack.handle().clone();
    let (mut server, close) = Server::new(stack, settings);

    server.accept_until(&listener, stop.stopped()).await;

    handle.inner().drain.begin();
    let wait = settings.drain_wait(handle.production());
    info!(wait = %humantime::format_duration(wait), "Stopping: not ready any more, still answering");
    let waited = async {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = at_once.stopped() => {}
        }
    };
    server.accept_until(&listener, waited).await;
    turn_away(&listener);
    server.accept_until(&listener, tokio::time::sleep(LAST_ARRIVALS)).await;
    drop(listener);

    server.drain(close, settings.drain_timeout, at_once).await;
}

/// Serves until `stop` beside the public listener, without its ceremony: nobody balances load over
/// an admin address.
pub(crate) async fn serve_beside(
    listener: TcpListener,
    stack: Stack<Router>,
    settings: &HttpSettings,
    stop: Stop,
) {
    let (mut server, close) = Server::new(stack, settings);
    server.accept_until(&listener, stop.stopped()).await;
    drop(listener);
    server.drain(close, LAST_WORDS, Stop::never()).await;
}

struct Server {
    stack: Stack<Router>,
    rules: ConnectionRules,
    places: Arc<Semaphore>,
    connections: JoinSet<()>,
    closing: Stop,
}

/// What every connection is served by.
#[derive(Clone)]
struct ConnectionRules {
    http: http1::Builder,
    header_timeout: Duration,
    /// Whether requests carry the address of the connection's other end.
    tells_peer: bool,
}

/// Maximum size of a request's head, and of the buffers for reading and writing a body. hyper's
/// default is 400 KiB, which would take 4 GB if the clients of all connections send fast and read
/// slowly.
const MAX_BUFFER: usize = 64 << 10;

/// The same where there is less memory than `LITTLE_MEMORY`.
const MAX_SMALL_BUFFER: usize = 16 << 10;

const LITTLE_MEMORY: u64 = 256 << 20;

fn http() -> http1::Builder {
    let is_small = memory::limit().is_some_and(|limit| limit.bytes < LITTLE_MEMORY);
    let mut http = http1::Builder::new();
    http.max_buf_size(if is_small { MAX_SMALL_BUFFER } else { MAX_BUFFER });
    http
}

impl Server {
    /// A server, and what tells its connections to end.
    fn new(stack: Stack<Router>, settings: &HttpSettings) -> (Self, Trigger) {
        let (close, closing) = Stop::new();
        let tells_peer = stack.handle().inner().tells_peer.load(Ordering::Relaxed);
        let server = Self {
            stack,
            rules: ConnectionRules {
                http: http(),
                header_timeout: settings.header_timeout,
                tells_peer,
            },
            places: Arc::new(Semaphore::new(settings.max_connections(memory::limit()))),
            connections: JoinSet::new(),
            closing,
        };
        (server, close)
    }

    async fn accept_until(&mut self, listener: &TcpListener, until: impl Future<Output = ()>) {
        let mut until = pin!(until);
        loop {
            let places = self.places.clone();
            let accepted = async {
                // A place first: without one the system's queue holds the connection for us.
                let place = places.acquire_owned().await.expect("the semaphore is never closed");
                (listener.accept().await, place)
            };
            tokio::select! {
                biased;
                () = &mut until => return,
                Some(_) = self.connections.join_next() => {}
                (accepted, place) = accepted => match accepted {
                    Ok((stream, peer)) => self.open(stream, peer, place),
                    Err(error) => after_accept_error(error).await,
                },
            }
        }
    }

    fn open(
        &mut self,
        stream: TcpStream,
        peer: SocketAddr,
        place: tokio::sync::OwnedSemaphorePermit,
    ) {
        // Small answers must not wait for more to come.
        let _ = stream.set_nodelay(true);
        let connection =
            connection(stream, peer, self.stack.clone(), self.rules.clone(), self.closing.clone());
        let figures = self.stack.requests().clone();
        self.connections.spawn(async move {
            let _open = Open::count(figures);
            connection.await;
            drop(place);
        });
    }

    async fn drain(mut self, close: Trigger, limit: Duration, at_once: Stop) {
        close.stop();
        let handle = self.stack.handle().clone();
        let last_call = async {
            tokio::time::sleep(limit - LAST_CALL.min(limit / 2)).await;
            handle.inner().drain.last_call();
            std::future::pending::<()>().await;
        };
        let cut = tokio::select! {
            () = ended(&mut self.connections) => None,
            () = last_call => None,
            () = tokio::time::sleep(limit) => Some("the deadline (http.drain_timeout) has passed"),
            () = at_once.stopped() => Some("the second signal says at once"),
        };
        if cut.is_some() {
            // Without a long drain this is the first that they hear of it.
            handle.inner().drain.last_call();
            let _ = tokio::time::timeout(LAST_ANSWERS, ended(&mut self.connections)).await;
        }
        if let Some(why) = cut
            && !self.connections.is_empty()
        {
            warn!("Cutting off {} connections: {why}", self.connections.len());
        }
    }
}

/// Waits until the last connection has ended. Cancel safe.
async fn ended(connections: &mut JoinSet<()>) {
    while connections.join_next().await.is_some() {}
}

/// An open connection among the figures.
struct Open(Arc<RequestMetrics>);

impl Open {
    fn count(figures: Arc<RequestMetrics>) -> Self {
        figures.connection(1);
        Self(figures)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connection(-1);
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    stack: Stack<Router>,
    rules: ConnectionRules,
    closing: Stop,
) {
    let exchange = Arc::new(ConnectionState::default());
    let io = ErrorRewritingIo::new(TokioIo::new(stream), exchange.clone());
    let answered = exchange.clone();
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        answered.begin();
        if rules.tells_peer {
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        let (stack, exchange) = (stack.clone(), answered.clone());
        async move {
            let response = stack.answer(request, Some(peer.ip())).await;
            Ok::<_, Infallible>(TrackedBody::wrap(response, exchange))
        }
    });
    let mut connection = pin!(rules.http.serve_connection(io, service).with_upgrades());
    let silent = async { exchange.idle_for(rules.header_timeout).await }.map(|()| Signal::Silent);
    let closing = async { closing.stopped().await }.map(|()| Signal::Closing);
    // Only what has been woken is polled again: a request costs these two nothing.
    let mut signals: FuturesUnordered<_> = [silent.boxed(), closing.boxed()].into_iter().collect();
    loop {
        tokio::select! {
            biased;
            result = &mut connection => return report(result),
            Some(signal) = signals.next() => match signal {
                Signal::Silent => {
                    exchange.give_up();
                    let _ = tokio::time::timeout(LAST_WORDS, &mut connection).await;
                    return;
                }
                Signal::Closing => {
                    // What was sent before the listener closed may not have been read yet: hyper would
                    // close on it. Whatever is answered now carries `connection: close`.
                    if !exchange.has_served() {
                        tokio::select! {
                            biased;
                            result = &mut connection => return report(result),
                            () = tokio::time::sleep(FIRST_WORDS) => {}
                        }
                    }
                    connection.as_mut().graceful_shutdown();
                }
            },
        }
    }
}

/// What may end a connection beside its client.
enum Signal {
    Silent,
    Closing,
}

/// Clients vanish: that is no news, and what they sent does not belong in a log.
fn report(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        debug!("A connection ended early: {error}");
    }
}

/// Lets no new connection begin, while those that have begun still arrive.
///
/// Closing a listener resets what is in the system's queue, and between a last look at the queue and
/// the close there is always room for one more. So the packets that begin a connection are dropped
/// first: their senders try again a second later, when nobody listens, and go elsewhere.
fn turn_away(listener: &TcpListener) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use socket2::{SockFilter, SockRef};
        // Classic BPF over the TCP header: byte 13 holds the flags, 2 is SYN. Connections that are
        // accepted inherit the filter, and never see a SYN again.
        let drop_syn = [
            SockFilter::new(0x30, 0, 0, 13),
            SockFilter::new(0x45, 0, 1, 2),
            SockFilter::new(0x06, 0, 0, 0),
            SockFilter::new(0x06, 0, 0, u32::MAX),
        ];
        if let Err(error) = SockRef::from(listener).attach_filter(&drop_syn) {
            debug!("Connections that begin in the last moment may be reset: {error}");
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = listener;
}

/// Out of file descriptors, say: to try again at once would only spin.
async fn after_accept_error(error: std::io::Error) {
    use std::io::ErrorKind;
    if matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
    ) {
        return;
    }
    warn!("Cannot accept a connection, trying again in a second: {error}");
    tokio::time::sleep(Duration::from_secs(1)).await;
}
