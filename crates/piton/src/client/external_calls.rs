//! [`External`]: calls to external hosts by URL; the part `client`.

use std::fmt;
use std::sync::Arc;

use http::Method;
use percent_encoding::percent_decode_str;
use reqwest::Url;

use super::call::{Call, http_methods};
use super::circuit_breaker::CircuitBreakers;
use super::error::{Error, Kind, Target};
use super::metrics::{BreakerCollector, ClientMetrics};
use super::peers::{PeerDirectory, ResolvedPeer};
use super::settings::ClientSettings;
use super::shared_state::Inner;
use super::transport::Transport;
use crate::handle::Handle;
use crate::metrics::Metrics;
use crate::part::{self, Health, Launch, Part};

/// Maximum number of unavailable hosts that the health document lists.
const MAX_LISTED: usize = 5;

/// Calls to external hosts, by URL. Cheap to clone.
#[derive(Clone)]
pub struct External(pub(super) Arc<Inner>);

impl External {
    http_methods! { url;
        /// Starts a call `GET url`.
        get GET
        /// Starts a call `HEAD url`.
        head HEAD
        /// Starts a call `POST url`.
        post POST
        /// Starts a call `PUT url`.
        put PUT
        /// Starts a call `PATCH url`.
        patch PATCH
        /// Starts a call `DELETE url`.
        delete DELETE
    }

    /// Starts a call with any method. The URL is `http://` or `https://`; a user and a password in it
    /// become the header `Authorization`.
    pub fn request(&self, method: Method, url: &str) -> Call {
        let client = self.0.clone();
        let invalid = |target, why: &str| Error::new(Kind::Invalid, target, why);
        let Some(mut url) = Url::parse(url).ok().filter(Url::has_host) else {
            return Call::new(client, None, method, Err(invalid(None, "invalid URL")));
        };
        let target = Some(Target::Host(url.host_str().unwrap_or_default().into()));
        if !matches!(url.scheme(), "http" | "https") {
            let fault = invalid(target.clone(), "the URL is neither http nor https");
            return Call::new(client, target, method, Err(fault));
        }
        let (user, password) = (url.username().to_owned(), url.password().map(str::to_owned));
        // Cannot fail, because the URL has a host.
        let _ = (url.set_username(""), url.set_password(None));
        let call = Call::new(client, target, method, Ok(url));
        if user.is_empty() && password.is_none() {
            return call;
        }
        call.basic(&decode(&user), &decode(&password.unwrap_or_default()))
    }

    pub(super) fn resolve(&self, service: &str) -> Result<Arc<ResolvedPeer>, Error> {
        self.0.peers.resolve(service)
    }
}

/// Decodes a percent-encoded user or password of a URL.
fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

impl Part for External {
    const NAME: &'static str = "client";

    type Settings = ClientSettings;

    async fn start(mut settings: ClientSettings, launch: &Launch) -> Result<Self, part::Error> {
        let version = launch.handle.version().unwrap_or("0");
        let own_name = || format!("{}/{version}", launch.name());
        let user_agent = settings.user_agent.clone().unwrap_or_else(own_name);
        let peers = std::mem::take(&mut settings.peers);
        let peers = PeerDirectory::new(launch.handle.config().clone(), launch.production(), peers);
        let problems = peers.check_environment();
        if !problems.is_empty() {
            return Err(problems.into());
        }
        let breakers = CircuitBreakers::new(settings.breaker_failures, settings.breaker_pause);
        Ok(Self(Arc::new(Inner {
            peers: Arc::new(peers),
            breakers: Arc::new(breakers),
            transport: Transport::new(settings.clone(), user_agent),
            metrics: ClientMetrics::default(),
            settings,
        })))
    }

    async fn health(&self) -> Health {
        let open = self.0.breakers.open().into_iter();
        let mut open: Vec<String> =
            open.map(|(host, target)| format!("{target} ({host})")).collect();
        open.sort();
        if open.is_empty() {
            return Health::Up;
        }
        let more = open.len().saturating_sub(MAX_LISTED);
        open.truncate(MAX_LISTED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        Health::Degraded(format!("calls fail at once to {}{more}", open.join(", ")))
    }

    fn snapshot(&self) -> serde_json::Value {
        let peers = self.0.peers.known().into_iter();
        let peers: serde_json::Map<_, _> =
            peers.map(|(name, address)| (name.to_string(), address.into())).collect();
        serde_json::json!({ "peers": peers, "failing": self.0.breakers.snapshot() })
    }

    fn metrics(&self, metrics: &Metrics) {
        self.0.metrics.register(metrics);
        let (breakers, peers) = (self.0.breakers.clone(), self.0.peers.clone());
        metrics.collect(BreakerCollector { breakers, peers });
    }
}

crate::part!(External);

impl Handle {
    /// Returns the client for external hosts, as a handler's argument `external: External` does.
    ///
    /// # Panics
    /// If it was not started: no route takes [`External`] or [`Peers`](super::Peers), and
    /// `App::enable::<External>()` was not called.
    #[must_use]
    #[track_caller]
    pub fn external(&self) -> External {
        self.part::<External>()
    }
}

impl fmt::Debug for External {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("External").field(&self.snapshot()).finish()
    }
}
