//! Requests to others: to services beside this one, and to strangers.
//!
//! A call goes along with the id and the trace of the request that caused it, has an end, is made
//! again where that does no harm, and fails at once where the other side is known to be away.
//!
//! ```
//! use piton::prelude::*;
//! use piton::client::{External, Peers};
//!
//! #[derive(Serialize, Deserialize, JsonSchema)]
//! struct User { name: String }
//!
//! /// Who is skiing, as the service `off-piste` knows them.
//! #[get("/skier")]
//! async fn skier(peers: Peers) -> Result<Json<User>> {
//!     let answer = peers.peer("off-piste")?.get("user/me").auto_auth().send().await?;
//!     Ok(Json(answer.error_for_status()?.json().await?))
//! }
//!
//! /// How deep the snow is.
//! #[get("/snow")]
//! async fn snow(external: External) -> Result<String> {
//!     let answer = external.get("https://snow.example.com/api").query(&[("unit", "cm")]).send();
//!     Ok(answer.await?.error_for_status()?.text().await?)
//! }
//! # fn main() {}
//! ```
//!
//! # Where peers are
//!
//! `off-piste` is `client.peers.off-piste` in the settings, or the variable `OFF_PISTE_SERVICE_PORT`
//! that Kubernetes sets; in development `PITON_OFF_PISTE_SERVICE_PORT` comes before it. The value is
//! `host:port`, `tcp://host:port`, or a port alone beside `OFF_PISTE_SERVICE_HOST`.
//!
//! # When a call is made again
//!
//! | | `GET`, `HEAD`, `OPTIONS`, and calls that are [`idempotent`](Call::idempotent) | others |
//! |---|---|---|
//! | there was no connection | yes | yes |
//! | no answer in time, the connection broke | yes | no |
//! | 429, 502, 503, 504 | yes, after `Retry-After` if it is 5 s or less | no |
//! | anything else | no | no |
//!
//! A [`Multipart`] is never sent again, and no call is once the head of its answer is there: what
//! breaks while the body is read is an error. As a failure of the host it counts all the same.

mod answer;
mod call;
mod error;
mod figures;
mod guard;
mod hosts;
mod multipart;
mod peers;
mod send;
mod service_variables;
mod settings;
#[cfg(test)]
mod tests;
mod transport;

use std::fmt;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use http::Method;
use http::request::Parts;
use reqwest::Url;

use crate::handle::Handle;
use crate::http::{Input, Operation};
use crate::metrics::Metrics;
use crate::part::{self, Health, Launch, Part};

use error::Who;
use figures::{Breakers, Figures};
use hosts::Hosts;
use peers::{Book, Found};
use transport::Transport;

pub use answer::Answer;
pub use call::Call;
pub use error::{Error, Kind};
pub use multipart::Multipart;
pub use peers::PeerAddress;
pub use settings::{ClientSettings, ProxyUrl};

/// Calls to strangers, by URL. Cheap to clone.
#[derive(Clone)]
pub struct External(Arc<Room>);

/// Calls to the services beside this one, by their names. Cheap to clone.
#[derive(Clone)]
pub struct Peers(External);

/// One service beside this one. Cheap to clone.
#[derive(Clone)]
pub struct Peer {
    room: Arc<Room>,
    found: Arc<Found>,
}

/// What all calls share.
struct Room {
    settings: ClientSettings,
    transport: Transport,
    book: Book,
    hosts: Arc<Hosts>,
    figures: Figures,
}

/// One method each for the methods of HTTP.
macro_rules! methods {
    ($of:ident; $($(#[$doc:meta])* $name:ident $method:ident)*) => {$(
        $(#[$doc])*
        pub fn $name(&self, $of: &str) -> Call {
            self.request(Method::$method, $of)
        }
    )*};
}

impl External {
    methods! { url;
        /// `GET url`.
        get GET
        /// `HEAD url`.
        head HEAD
        /// `POST url`.
        post POST
        /// `PUT url`.
        put PUT
        /// `PATCH url`.
        patch PATCH
        /// `DELETE url`.
        delete DELETE
    }

    /// A call with any method. The URL is `http://` or `https://`; a user and a password in it become
    /// a header.
    pub fn request(&self, method: Method, url: &str) -> Call {
        let room = self.0.clone();
        let invalid = |who, why: &str| Error::new(Kind::Invalid, who, why);
        let Some(mut url) = Url::parse(url).ok().filter(Url::has_host) else {
            return Call::new(room, None, method, Err(invalid(None, "the URL is none")));
        };
        let who = Some(Who::Host(url.host_str().unwrap_or_default().into()));
        if !matches!(url.scheme(), "http" | "https") {
            let fault = invalid(who.clone(), "the URL is neither http nor https");
            return Call::new(room, who, method, Err(fault));
        }
        let (user, password) = (url.username().to_owned(), url.password().map(str::to_owned));
        // Neither can fail for a URL with a host.
        let _ = (url.set_username(""), url.set_password(None));
        let call = Call::new(room, who, method, Ok(url));
        if user.is_empty() && password.is_none() {
            return call;
        }
        call.basic(&decoded(&user), &decoded(&password.unwrap_or_default()))
    }

    fn find(&self, service: &str) -> Result<Peer, Error> {
        let found = self.0.book.find(service)?;
        Ok(Peer { room: self.0.clone(), found })
    }
}

/// `%40` in a URL's user is `@`.
fn decoded(text: &str) -> String {
    // A form's decoder does it, if `+` is kept from being a space.
    let pair = format!("x={}", text.replace('+', "%2B").replace('&', "%26"));
    let decoded: Vec<(String, String)> = serde_urlencoded::from_str(&pair).unwrap_or_default();
    decoded.into_iter().next().map(|(_, value)| value).unwrap_or_default()
}

impl Peers {
    /// The service that is called so, such as `off-piste`.
    ///
    /// # Errors
    /// [`Kind::Unknown`] if nobody has said where it is; the message names the variable and the
    /// setting.
    pub fn peer(&self, service: &str) -> Result<Peer, Error> {
        self.0.find(service)
    }
}

impl Peer {
    methods! { path;
        /// `GET path`.
        get GET
        /// `HEAD path`.
        head HEAD
        /// `POST path`.
        post POST
        /// `PUT path`.
        put PUT
        /// `PATCH path`.
        patch PATCH
        /// `DELETE path`.
        delete DELETE
    }

    /// A call with any method. The path may have a query, and begins with `/` or without; it holds
    /// no `..`.
    pub fn request(&self, method: Method, path: &str) -> Call {
        let who = Some(Who::Peer(self.found.name.clone()));
        Call::new(self.room.clone(), who, method, self.found.url(path))
    }

    /// The service's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.found.name
    }
}

impl Part for External {
    const NAME: &'static str = "client";

    type Settings = ClientSettings;

    async fn start(mut settings: ClientSettings, launch: &Launch) -> Result<Self, part::Error> {
        let version = launch.handle.version().unwrap_or("0");
        let own_name = || format!("{}/{version}", launch.name());
        let user_agent = settings.user_agent.clone().unwrap_or_else(own_name);
        let peers = std::mem::take(&mut settings.peers);
        let book = Book::new(launch.handle.config().clone(), launch.production(), peers);
        let problems = book.check();
        if !problems.is_empty() {
            return Err(problems.into());
        }
        Ok(Self(Arc::new(Room {
            book,
            hosts: Arc::new(Hosts::new(settings.breaker_failures, settings.breaker_pause)),
            transport: Transport::new(settings.clone(), user_agent),
            figures: Figures::default(),
            settings,
        })))
    }

    async fn health(&self) -> Health {
        let mut open: Vec<String> =
            self.0.hosts.open().into_iter().map(|(host, who)| format!("{who} ({host})")).collect();
        open.sort();
        if open.is_empty() {
            return Health::Up;
        }
        let more = open.len().saturating_sub(5);
        open.truncate(5);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        Health::Degraded(format!("calls fail at once to {}{more}", open.join(", ")))
    }

    fn snapshot(&self) -> serde_json::Value {
        let peers = self.0.book.known().into_iter();
        let peers: serde_json::Map<_, _> =
            peers.map(|(name, at)| (name.to_string(), at.into())).collect();
        serde_json::json!({ "peers": peers, "failing": self.0.hosts.snapshot() })
    }

    fn metrics(&self, metrics: &Metrics) {
        self.0.figures.register(metrics);
        metrics.collect(Breakers(self.0.clone()));
    }
}

crate::part!(External);

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
    /// Calls to strangers, as a handler's argument `external: External` would give it.
    ///
    /// # Panics
    /// If nothing asked for it: no route takes [`External`] or [`Peers`], and `App::enable::<External>()`
    /// was not said.
    #[must_use]
    #[track_caller]
    pub fn external(&self) -> External {
        self.part::<External>()
    }

    /// A service beside this one: `piton::app().peer("off-piste")?.get("user/me")`.
    ///
    /// # Errors
    /// Those of [`Peers::peer`].
    ///
    /// # Panics
    /// As [`external`](Self::external).
    #[track_caller]
    pub fn peer(&self, service: &str) -> Result<Peer, Error> {
        self.external().find(service)
    }
}

impl fmt::Debug for External {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("External").field(&self.snapshot()).finish()
    }
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Peers").field(&self.0.snapshot()).finish()
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Peer").field(&self.found.name).finish()
    }
}
