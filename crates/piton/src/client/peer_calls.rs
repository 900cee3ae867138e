//! [`Peers`] and [`Peer`]: calls to the services of the same system, by name.

use std::fmt;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use http::Method;
use http::request::Parts;

use super::call::{Call, http_methods};
use super::error::{Error, Target};
use super::external_calls::External;
use super::peers::ResolvedPeer;
use super::shared_state::Inner;
use crate::handle::Handle;
use crate::http::{Input, Operation};
use crate::part::Part;

/// Calls to peers: the services of the same system, by their names. Cheap to clone.
#[derive(Clone)]
pub struct Peers(External);

/// A service of the same system. Cheap to clone.
#[derive(Clone)]
pub struct Peer {
    client: Arc<Inner>,
    resolved: Arc<ResolvedPeer>,
}

impl Peers {
    /// Returns the service with this name, such as `off-piste`.
    ///
    /// # Errors
    /// [`Kind::UnknownPeer`](super::Kind::UnknownPeer) if its address is not configured; the message names
    /// the variable and the setting.
    pub fn peer(&self, service: &str) -> Result<Peer, Error> {
        Peer::new(&self.0, service)
    }
}

impl Peer {
    fn new(external: &External, service: &str) -> Result<Self, Error> {
        Ok(Self { client: external.0.clone(), resolved: external.resolve(service)? })
    }

    http_methods! { path;
        /// Starts a call `GET path`.
        get GET
        /// Starts a call `HEAD path`.
        head HEAD
        /// Starts a call `POST path`.
        post POST
        /// Starts a call `PUT path`.
        put PUT
        /// Starts a call `PATCH path`.
        patch PATCH
        /// Starts a call `DELETE path`.
        delete DELETE
    }

    /// Starts a call with any method. The path may have a query; its leading `/` is optional. A path
    /// with `..` in it is refused by [`Call::send`].
    pub fn request(&self, method: Method, path: &str) -> Call {
        let target = Some(Target::Peer(self.resolved.name.clone()));
        Call::new(self.client.clone(), target, method, self.resolved.url(path))
    }

    /// Returns the service's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.resolved.name
    }
}

impl<S> FromRequestParts<S> for Peers
where
    S: Send + Sync,
    Handle: FromRef<S>,
{
    type Rejection = crate::http::Error;

    async fn from_request_parts(_: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        Handle::from_ref(state).try_part::<External>().map(Self)
    }
}

crate::argument_from!(External: Peers);

impl Input for Peers {
    fn describe(operation: &mut Operation) {
        operation.needs::<External>();
    }
}

impl Handle {
    /// Returns a service of the same system: `piton::app().peer("off-piste")?.get("user/me")`.
    ///
    /// # Errors
    /// Those of [`Peers::peer`].
    ///
    /// # Panics
    /// Those of [`external`](Self::external).
    #[track_caller]
    pub fn peer(&self, service: &str) -> Result<Peer, Error> {
        Peer::new(&self.external(), service)
    }
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Peers").field(&self.0.snapshot()).finish()
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Peer").field(&self.resolved.name).finish()
    }
}
