//! The argument `ClientIp`: the address of the client, behind trusted proxies too.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::context;
use crate::error::Error;
use crate::handle::Handle;
use crate::http::routing::operation::{Input, Operation};

/// The address of the client: the peer of the connection, or the address that trusted proxies report
/// (`http.trusted_proxies`) say of it.
///
/// ```
/// use piton::prelude::*;
/// use piton::http::ClientIp;
///
/// #[get("/who")]
/// async fn who(ClientIp(address): ClientIp) -> String { address.to_string() }
/// # fn main() {}
/// ```
///
/// Where there is no connection, as in a `TestApp`, it is `127.0.0.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientIp(pub IpAddr);

impl<S> FromRequestParts<S> for ClientIp
where
    S: Send + Sync,
    Handle: axum::extract::FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let handle: Handle = axum::extract::FromRef::from_ref(state);
        let peer = context::current(|request| request.peer).flatten();
        let peer = peer.unwrap_or_else(|| IpAddr::from([127, 0, 0, 1]));
        Ok(Self(handle.inner().proxies.client(peer, &parts.headers)))
    }
}

impl Input for ClientIp {
    fn describe(_: &mut Operation) {}
}
