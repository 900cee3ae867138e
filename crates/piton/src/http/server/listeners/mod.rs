//! The addresses that a service listens on: TCP, Unix sockets, and sockets that were handed over.

mod inherited_sockets;
pub(crate) mod listen_address;
mod proxy_protocol;
mod proxy_protocol_peer;
mod redirect;
mod socket;
mod unix_socket;

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, UnixListener};
use tracing::debug;

pub(crate) use inherited_sockets::receive_inherited_sockets;
pub(super) use proxy_protocol_peer::ProxyProtocol;
pub(super) use redirect::redirect_router;
pub(crate) use socket::Socket;

use crate::http::server::write_timeout;
use crate::http::settings::HttpSettings;
use inherited_sockets::{InheritedListener, InheritedSocket, take_all_inherited, take_inherited};
use listen_address::ListenAddress;
use unix_socket::SocketFile;

/// Connections that wait to be accepted, as many as tokio lets wait for TCP.
const BACKLOG: u32 = 1024;

/// The peer of a Unix socket: a program of this machine, like one that connects over loopback.
const LOCAL_PEER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// All listeners of a service.
#[derive(Debug)]
pub(crate) struct Listeners {
    all: Vec<Listener>,
    /// The index of the listener to ask first, so that a busy one does not starve the others.
    first: usize,
}

#[derive(Debug)]
struct Listener {
    socket: ListeningSocket,
    /// Set if another process has the socket too: what waits in it is served by the next process.
    is_inherited: bool,
}

#[derive(Debug)]
enum ListeningSocket {
    Tcp(TcpListener),
    Unix(UnixListener, Option<SocketFile>),
}

/// A connection, as a listener accepts it.
pub(crate) struct AcceptedSocket {
    pub socket: Socket,
    pub peer: SocketAddr,
    /// Set for a Unix socket.
    pub is_unix: bool,
}

/// An address that is listened on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BoundAddress {
    Tcp(SocketAddr),
    Unix(String),
}

impl BoundAddress {
    /// Returns the address as a URL; `https` says whether TCP is served over TLS.
    pub fn url(&self, https: bool) -> String {
        match self {
            Self::Tcp(address) if https => format!("https://{address}"),
            Self::Tcp(address) => format!("http://{address}"),
            Self::Unix(path) => format!("unix:{path}"),
        }
    }
}

impl From<TcpListener> for Listeners {
    fn from(listener: TcpListener) -> Self {
        let socket = ListeningSocket::Tcp(listener);
        Self { all: vec![Listener { socket, is_inherited: false }], first: 0 }
    }
}

impl Listeners {
    /// Listens as the settings say: on `http.listen`, else on the sockets that were handed over, else on
    /// `http.host` and `http.port`.
    ///
    /// # Errors
    /// An address cannot be listened on. The text names it and ends with the fix.
    pub fn bind(settings: &HttpSettings, production: bool) -> Result<Self, String> {
        if settings.listen.is_empty() {
            let inherited = take_all_inherited();
            if !inherited.is_empty() {
                let all = inherited.into_iter().map(Listener::inherited).collect();
                return all_or_first_error(all);
            }
            let address = SocketAddr::new(settings.host(production), settings.port);
            let fixes = TcpFixes { port: "`--port`", host: "`--host`" };
            return Ok(bind_tcp(address, false, &fixes)?.into());
        }
        let all = settings.listen.iter().map(|address| bind_one(address, &settings.listen));
        all_or_first_error(all.collect())
    }

    /// Listens on `http.redirect_port`, if it is set.
    ///
    /// # Errors
    /// As [`Listeners::bind`].
    pub fn bind_redirect(
        settings: &HttpSettings,
        production: bool,
    ) -> Result<Option<Self>, String> {
        let Some(port) = settings.redirect_port else { return Ok(None) };
        let address = SocketAddr::new(settings.host(production), port);
        let fixes = TcpFixes { port: "`http.redirect_port`", host: "`http.host`" };
        bind_tcp(address, false, &fixes).map(|listener| Some(listener.into()))
    }

    /// Returns the first address over TCP.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        self.addresses().iter().find_map(|address| match address {
            BoundAddress::Tcp(address) => Some(*address),
            BoundAddress::Unix(_) => None,
        })
    }

    /// Returns the addresses, with the ports that were free for port 0.
    pub fn addresses(&self) -> Vec<BoundAddress> {
        self.all.iter().filter_map(Listener::address).collect()
    }

    /// Accepts the next connection of any listener. Cancel safe.
    ///
    /// # Errors
    /// Those of `accept`, of one listener.
    pub async fn accept(&mut self) -> io::Result<AcceptedSocket> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<AcceptedSocket>> {
        for turn in 0..self.all.len() {
            let index = (self.first + turn) % self.all.len();
            if let Poll::Ready(accepted) = self.all[index].poll_accept(cx) {
                self.first = index + 1;
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    }

    /// Lets no new connection begin, while handshakes under way are still completed.
    ///
    /// Sockets that were handed over are closed at once instead: they stay open in the service manager,
    /// and the next process accepts what waits in them.
    pub fn stop_new_connections(&mut self) {
        self.all.retain(|listener| !listener.is_inherited);
        self.all.iter().for_each(Listener::stop_new_connections);
    }
}

impl Listener {
    fn inherited(received: InheritedSocket) -> Result<Self, String> {
        let name = received.names[1].clone();
        let socket = || -> io::Result<ListeningSocket> {
            Ok(match received.listener {
                InheritedListener::Tcp(listener) => {
                    listener.set_nonblocking(true)?;
                    ListeningSocket::Tcp(TcpListener::from_std(listener)?)
                }
                InheritedListener::Unix(listener) => {
                    listener.set_nonblocking(true)?;
                    ListeningSocket::Unix(UnixListener::from_std(listener)?, None)
                }
            })
        };
        let socket = socket().map_err(|error| {
            format!(
                "listen on fd:{name}: {error}\n    fix: hand over a listening socket of TCP or Unix"
            )
        })?;
        Ok(Self { socket, is_inherited: true })
    }

    fn address(&self) -> Option<BoundAddress> {
        match &self.socket {
            ListeningSocket::Tcp(listener) => listener.local_addr().ok().map(BoundAddress::Tcp),
            ListeningSocket::Unix(listener, _) => {
                let address = listener.local_addr().ok()?;
                let path = address.as_pathname().map(|path| path.display().to_string());
                Some(BoundAddress::Unix(path.unwrap_or_default()))
            }
        }
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<AcceptedSocket>> {
        match &self.socket {
            ListeningSocket::Tcp(listener) => listener.poll_accept(cx).map_ok(|(stream, peer)| {
                // Without TCP_NODELAY small responses wait for the client's acknowledgement of the
                // last one.
                let _ = stream.set_nodelay(true);
                write_timeout::limit_unsent(&stream);
                AcceptedSocket { socket: stream.into(), peer, is_unix: false }
            }),
            ListeningSocket::Unix(listener, _) => listener.poll_accept(cx).map_ok(|(stream, _)| {
                AcceptedSocket { socket: stream.into(), peer: LOCAL_PEER, is_unix: true }
            }),
        }
    }

    /// Drops the packets that begin a connection, or removes the file of a Unix socket.
    ///
    /// Closing a listener resets the connections in the system's queue, and one may always arrive
    /// between the last `accept` and the close. Clients whose packets were dropped retry a second later,
    /// when nothing listens any more, and connect elsewhere.
    fn stop_new_connections(&self) {
        match &self.socket {
            ListeningSocket::Tcp(listener) => drop_connection_requests(listener),
            ListeningSocket::Unix(_, Some(file)) => file.remove(),
            ListeningSocket::Unix(_, None) => {}
        }
    }
}

fn all_or_first_error(all: Vec<Result<Listener, String>>) -> Result<Listeners, String> {
    let all = all.into_iter().collect::<Result<_, _>>()?;
    Ok(Listeners { all, first: 0 })
}

fn bind_one(address: &ListenAddress, all: &[ListenAddress]) -> Result<Listener, String> {
    let socket = match address {
        ListenAddress::Tcp(address) => {
            // `[::]` would take the IPv4 addresses of its port too.
            let is_ipv6_only = all.iter().any(|other| {
                matches!(other, ListenAddress::Tcp(other) if other.is_ipv4() && other.port() == address.port())
            });
            let fixes = TcpFixes { port: "`http.listen`", host: "`http.listen`" };
            ListeningSocket::Tcp(bind_tcp(*address, is_ipv6_only, &fixes)?)
        }
        ListenAddress::Unix(address) => {
            let (listener, file) = unix_socket::bind(address)?;
            ListeningSocket::Unix(listener, Some(file))
        }
        ListenAddress::Inherited(name) => {
            let received = take_inherited(name).ok_or_else(|| {
                format!(
                    "listen on fd:{name}: no socket of this name or number was handed over\n    fix: start \
                     the service by its socket (systemd's `FileDescriptorName={name}`), or name another address"
                )
            })?;
            return Listener::inherited(received);
        }
    };
    Ok(Listener { socket, is_inherited: false })
}

/// The settings to name in fixes.
struct TcpFixes {
    port: &'static str,
    host: &'static str,
}

fn bind_tcp(
    address: SocketAddr,
    is_ipv6_only: bool,
    fixes: &TcpFixes,
) -> Result<TcpListener, String> {
    let listen = || -> io::Result<TcpListener> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A restarted service would wait a minute for connections of before to be forgotten.
        socket.set_reuseaddr(true)?;
        if address.is_ipv6() && is_ipv6_only {
            SockRef::from(&socket).set_only_v6(true)?;
        }
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    let TcpFixes { port, host } = fixes;
    listen().map_err(|error| {
        let fix = match error.kind() {
            io::ErrorKind::AddrInUse => format!(
                "the address is in use: stop the other program, or set another port with {port}"
            ),
            io::ErrorKind::PermissionDenied => {
                format!("ports below 1024 need privileges: set another port with {port}")
            }
            io::ErrorKind::AddrNotAvailable => {
                format!("this machine does not have the address: see {host}")
            }
            _ => format!("see {host} and {port}"),
        };
        format!("listen on {address}: {error}\n    fix: {fix}")
    })
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn drop_connection_requests(listener: &TcpListener) {
    use socket2::SockFilter;
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
fn drop_connection_requests(_: &TcpListener) {}
