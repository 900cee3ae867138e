//! Decides which connections begin with a header of the PROXY protocol, and reads it.

use std::io;
use std::net::SocketAddr;

use super::proxy_protocol::read_header;
use super::{AcceptedSocket, Socket};
use crate::request::trusted_proxies::TrustedProxies;

/// The setting `http.proxy_protocol`, with the proxies that may send the header.
#[derive(Clone, Debug)]
pub(in crate::http::server) struct ProxyProtocol(pub TrustedProxies);

impl ProxyProtocol {
    /// Reads the header of a connection. Returns the connection with the client's address, if the proxy announces one,
    /// and with the address of the proxy.
    ///
    /// # Errors
    /// The peer is not a trusted proxy, or sends no header.
    pub async fn client_of(
        &self,
        accepted: AcceptedSocket,
    ) -> io::Result<(Socket, Option<SocketAddr>, SocketAddr)> {
        let AcceptedSocket { mut socket, peer, is_unix } = accepted;
        // The mode of a Unix socket has decided already who may connect.
        if !is_unix && !self.0.trust(peer.ip()) {
            let why = format!("PROXY protocol: {} is not one of http.trusted_proxies", peer.ip());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
        let client = read_header(&mut socket).await?;
        Ok((socket, client, peer))
    }
}
