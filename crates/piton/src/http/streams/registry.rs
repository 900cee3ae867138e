//! The open streams of an app: their limits and their metrics.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tracing::warn;

use super::stream_metrics::RegistryCollector;
use super::websocket::SocketConfig;
use crate::context;
use crate::error::Error;
use crate::handle::Handle;
use crate::http::server::connection_limit;
use crate::http::settings::HttpSettings;
use crate::stop_signal::Stop;
use crate::support::log_throttle::LogThrottle;

/// Time after which a refused client may try again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The kinds of streams, as the label `kind` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamKind {
    Sse,
    WebSocket,
    Bytes,
}

pub(super) const KINDS: [(StreamKind, &str); 3] =
    [(StreamKind::Sse, "sse"), (StreamKind::WebSocket, "websocket"), (StreamKind::Bytes, "bytes")];

/// The reasons why streams end, as the label `reason` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndReason {
    /// The handler or the client has closed it properly.
    Finished,
    /// The service stops.
    Stopped,
    /// `http.streams.idle_timeout` has passed.
    Idle,
    /// `http.streams.max_duration` has passed.
    MaxDuration,
    /// The client has disconnected without closing the stream.
    ClientGone,
    /// The handler's stream gave an error, or its task failed.
    Failed,
}

pub(super) const REASONS: [(EndReason, &str); 6] = [
    (EndReason::Finished, "finished"),
    (EndReason::Stopped, "stopped"),
    (EndReason::Idle, "idle_timeout"),
    (EndReason::MaxDuration, "max_duration"),
    (EndReason::ClientGone, "client_gone"),
    (EndReason::Failed, "failed"),
];

/// The limits of `http.streams` that refuse a stream, as the label `limit` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    MaxOpen,
    MaxPerClient,
}

pub(super) const LIMITS: [(Limit, &str); 2] =
    [(Limit::MaxOpen, "max_open"), (Limit::MaxPerClient, "max_per_client")];

/// The times that every stream observes. `None` for no limit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct StreamTimes {
    pub heartbeat: Option<Duration>,
    pub idle_timeout: Option<Duration>,
    pub max_duration: Option<Duration>,
}

/// The state of an app's streams, as its handle has it.
pub(super) type StreamState = (Arc<StreamRegistry>, SocketConfig);

/// The open streams of an app.
pub(crate) struct StreamRegistry {
    pub(super) times: StreamTimes,
    max_open: usize,
    max_per_client: usize,
    pub(super) open: [AtomicUsize; KINDS.len()],
    pub(super) ended: [[AtomicU64; REASONS.len()]; KINDS.len()],
    pub(super) refused: [AtomicU64; LIMITS.len()],
    by_client: Mutex<HashMap<IpAddr, usize>>,
    refused_log: LogThrottle,
}

impl StreamRegistry {
    /// Gives `handle` its registry, once, and registers the metrics.
    pub(crate) fn install(handle: &Handle, http: &HttpSettings) {
        let streams = &handle.inner().streams;
        if streams.get::<StreamState>().is_none() {
            let registry = Arc::new(Self::new(http));
            streams.set::<StreamState>((
                registry.clone(),
                SocketConfig::new(http, handle.production()),
            ));
            handle.metrics().collect(RegistryCollector(registry));
        }
    }

    pub(super) fn new(http: &HttpSettings) -> Self {
        let settings = &http.streams;
        let limit = |time: Duration| (!time.is_zero()).then_some(time);
        let max_open = || (connection_limit::max_connections(http) / 2).max(1);
        Self {
            times: StreamTimes {
                heartbeat: Some(settings.heartbeat),
                idle_timeout: limit(settings.idle_timeout),
                max_duration: limit(settings.max_duration),
            },
            max_open: settings.max_open.unwrap_or_else(max_open),
            max_per_client: settings.max_per_client,
            open: Default::default(),
            ended: Default::default(),
            refused: Default::default(),
            by_client: Mutex::default(),
            refused_log: LogThrottle::default(),
        }
    }

    /// Returns the number of open streams of all kinds.
    fn open_count(&self) -> usize {
        self.open.iter().map(|open| open.load(Ordering::Relaxed)).sum()
    }

    /// Counts a new stream, unless a limit is reached.
    pub(super) fn open(
        self: &Arc<Self>,
        kind: StreamKind,
        client: Option<IpAddr>,
    ) -> Result<OpenStream, Limit> {
        let client = client.map(network);
        // One lock for both limits, so that many clients at once do not pass them together.
        let mut by_client = self.by_client.lock();
        if self.open_count() >= self.max_open {
            return Err(Limit::MaxOpen);
        }
        if let Some(client) = client {
            let count = by_client.entry(client).or_default();
            if *count >= self.max_per_client {
                return Err(Limit::MaxPerClient);
            }
            *count += 1;
        }
        self.open[kind as usize].fetch_add(1, Ordering::Relaxed);
        Ok(OpenStream { registry: self.clone(), kind, client, reason: EndReason::ClientGone })
    }

    /// Counts and logs a refused stream. Returns the response to it.
    #[cold]
    fn refuse(&self, limit: Limit) -> Error {
        self.refused[limit as usize].fetch_add(1, Ordering::Relaxed);
        let (setting, error) = match limit {
            Limit::MaxOpen => ("max_open", Error::unavailable("too many streams are open")),
            Limit::MaxPerClient => {
                let detail = "too many streams of this client are open";
                ("max_per_client", Error::too_many_requests(detail))
            }
        };
        if let Some(count) = self.refused_log.pass() {
            warn!(count, "Refused streams: more would be open than http.streams.{setting} allows");
        }
        error.retry_after(RETRY_AFTER)
    }
}

/// Returns the network that counts as one client: the address, or the `/64` of an IPv6 address,
/// because one subscriber has at least such a network.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let prefix = u128::from(address) & (u128::from(u64::MAX) << 64);
            Ipv6Addr::from(prefix).into()
        }
        canonical => canonical,
    }
}

/// RAII guard of one open stream. Counts its end, as [`EndReason::ClientGone`] unless another reason
/// was set.
pub(super) struct OpenStream {
    registry: Arc<StreamRegistry>,
    kind: StreamKind,
    client: Option<IpAddr>,
    reason: EndReason,
}

impl OpenStream {
    /// Sets the reason that is counted when the stream is dropped.
    pub fn set_reason(&mut self, reason: EndReason) {
        self.reason = reason;
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let Self { registry, kind, client, reason } = self;
        let kind = *kind as usize;
        registry.open[kind].fetch_sub(1, Ordering::Relaxed);
        registry.ended[kind][*reason as usize].fetch_add(1, Ordering::Relaxed);
        let Some(client) = client else { return };
        let mut by_client = registry.by_client.lock();
        if let Some(count) = by_client.get_mut(client) {
            *count -= 1;
            if *count == 0 {
                by_client.remove(client);
            }
        }
    }
}

/// The permission of a stream to begin, with its times and the stop signal. Without an app, as in a
/// unit test of a handler, nothing is limited or counted.
#[derive(Default)]
pub(super) struct StreamAdmission {
    pub open: Option<OpenStream>,
    pub times: StreamTimes,
    pub stopping: Option<Stop>,
}

/// Admits a stream of the current request.
///
/// # Errors
/// 503 or 429 with `Retry-After` if a limit of `http.streams` is reached.
pub(super) fn admit(kind: StreamKind) -> Result<StreamAdmission, Error> {
    let Ok(handle) = context::try_app() else { return Ok(StreamAdmission::default()) };
    let stopping = Some(handle.stopping());
    let Some((registry, _)) = handle.inner().streams.get::<StreamState>() else {
        return Ok(StreamAdmission { stopping, ..StreamAdmission::default() });
    };
    let client = context::current(|request| request.client()).flatten();
    let open = registry.open(kind, client).map_err(|limit| registry.refuse(limit))?;
    Ok(StreamAdmission { open: Some(open), times: registry.times, stopping })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::streams::settings::StreamSettings;

    fn registry(max_open: usize, max_per_client: usize) -> Arc<StreamRegistry> {
        let streams =
            StreamSettings { max_open: Some(max_open), max_per_client, ..Default::default() };
        let http = HttpSettings { streams, ..HttpSettings::default() };
        Arc::new(StreamRegistry::new(&http))
    }

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn a_client_and_all_clients_have_a_limit_and_an_end_makes_room() {
        let registry = registry(3, 2);
        let open = |client: &str| registry.open(StreamKind::Sse, address(client));
        let (first, _second) = (open("10.0.0.1").unwrap(), open("10.0.0.1").unwrap());
        assert_eq!(open("10.0.0.1").err(), Some(Limit::MaxPerClient));
        let _third = open("10.0.0.2").unwrap();
        assert_eq!(open("10.0.0.3").err(), Some(Limit::MaxOpen));
        drop(first);
        assert_eq!(registry.by_client.lock()[&address("10.0.0.1").unwrap()], 1);
        let _again = open("10.0.0.1").unwrap();
        assert_eq!(registry.open_count(), 3);
    }

    #[test]
    fn an_ipv6_network_is_one_client_and_a_mapped_address_is_that_of_ipv4() {
        let of = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("::ffff:10.0.0.1"), "10.0.0.1");
        assert_eq!(of("10.0.0.1"), "10.0.0.1");
    }
}
