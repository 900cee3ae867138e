//! Classifies failures of a call by what the caller can do about them.
//!
//! The text of an error names the target and where a redirect led, without the parts of a URL that
//! may be secret, and never a header or any part of a body.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::private_addresses::PrivateAddress;
use super::redirects::Unfollowable;
use crate::http::{ErrorMapper, StatusMapping};

/// Maximum `Retry-After` that is passed on to this service's own clients. Limited, because it comes from
/// another server.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// The error of a call. Branch on [`Error::kind`].
///
/// Returned by a handler, [`Kind::Connect`], [`Kind::Timeout`], [`Kind::ConnectionLost`] and
/// [`Kind::CircuitOpen`] become 503 with a detail that names the unavailable peer or host, and so does a
/// [`Kind::Status`] of 429 or 503, with its `Retry-After` up to an hour; [`Kind::UnknownPeer`],
/// [`Kind::Invalid`] and [`Kind::Other`] become 500, and every other kind and status 502.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    target: Option<Target>,
    message: String,
    status: Option<StatusCode>,
    retry_after: Option<Duration>,
    source: Option<reqwest::Error>,
}

/// The kinds of [`Error`], by what the caller can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The address of the peer is not configured.
    UnknownPeer,
    /// The call cannot be sent as it is: its URL, a header or its body is wrong. A bug in the caller.
    Invalid,
    /// The address is private, and `client.refuse_private` is set.
    PrivateAddress,
    /// No connection could be made: nothing was sent.
    Connect,
    /// No response came in time. Whether the call took effect is unknown.
    Timeout,
    /// The connection broke before the response was complete. Whether the call took effect is unknown.
    ConnectionLost,
    /// The circuit breaker is open, because the host has failed too often: nothing was sent.
    /// [`Error::retry_after`] is the time until the next trial.
    CircuitOpen,
    /// The response is larger than `client.answer_limit`.
    TooLarge,
    /// The status of the response is 400 or above; see [`Error::status`].
    Status,
    /// The response cannot be decoded as requested.
    Decode,
    /// The response redirects more than `client.redirects` times, or to a target that is neither `http` nor
    /// `https`.
    Redirect,
    /// Any other failure, such as no CA certificates on this machine.
    Other,
}

/// The target of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A service of the same system, by its name.
    Peer(Arc<str>),
    /// An external host, by its name.
    Host(Arc<str>),
}

impl Target {
    pub fn name(&self) -> &Arc<str> {
        match self {
            Self::Peer(name) | Self::Host(name) => name,
        }
    }

    /// Returns the label in metrics. External hosts share one, because the number of series must be bounded.
    pub fn label(&self) -> &str {
        match self {
            Self::Peer(name) => name,
            Self::Host(_) => "external",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(name) => write!(f, "peer {name}"),
            Self::Host(name) => write!(f, "host {name}"),
        }
    }
}

impl Error {
    /// Returns the kind of the error.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Returns the name of the peer, or the external host. `None` if the URL has no host.
    #[must_use]
    pub fn peer(&self) -> Option<&str> {
        self.0.target.as_ref().map(|target| &**target.name())
    }

    /// Returns the status of the response, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// Returns the time to wait before trying again, if it is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    fn is_retryable_status(&self) -> bool {
        let (busy, too_many) = (StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS);
        self.status().is_some_and(|status| status == busy || status == too_many)
    }

    pub(super) fn new(kind: Kind, target: Option<Target>, message: impl Into<String>) -> Self {
        let message = message.into();
        Self(Box::new(Inner {
            kind,
            target,
            message,
            status: None,
            retry_after: None,
            source: None,
        }))
    }

    /// Converts an error of reqwest, and removes the URL from it, which may hold secrets.
    pub(super) fn from_reqwest(error: reqwest::Error, target: &Target) -> Self {
        let error = error.without_url();
        let (kind, message) = classify(&error);
        Self::new(kind, Some(target.clone()), message).caused_by(error)
    }

    pub(super) fn caused_by(mut self, source: reqwest::Error) -> Self {
        self.0.source = Some(source.without_url());
        self
    }

    /// Adds the target of the last redirect before the call failed.
    pub(super) fn redirected_to(mut self, location: Option<&str>) -> Self {
        let Some(location) = location else { return self };
        self.0.message = match self.0.kind {
            // Of another kind, because the invalid request is that of the redirect, not the call.
            Kind::Invalid | Kind::Redirect => {
                self.0.kind = Kind::Redirect;
                let too_many = causes_of(&self).all(|cause| !cause.is::<Unfollowable>());
                if too_many && self.0.source.as_ref().is_some_and(reqwest::Error::is_redirect) {
                    format!("too many redirects, the last to `{location}`")
                } else {
                    cannot_follow(location)
                }
            }
            Kind::PrivateAddress => format!(
                "it redirects to `{location}`, whose address is private, and such calls are refused"
            ),
            _ => format!("{}, after a redirect to `{location}`", self.0.message),
        };
        self
    }

    /// Returns the error of a redirect that cannot be followed.
    pub(super) fn redirect(target: &Target, location: &str) -> Self {
        Self::new(Kind::Redirect, Some(target.clone()), cannot_follow(location))
    }

    pub(super) fn timeout(target: &Target, after: Duration) -> Self {
        // Whole milliseconds, because what is left of a deadline has nanoseconds.
        let after = Duration::from_millis(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
        let message = format!("no response within {}", humantime::format_duration(after));
        Self::new(Kind::Timeout, Some(target.clone()), message)
    }

    pub(super) fn circuit_open(target: &Target, left: Duration) -> Self {
        let message = "it has failed too often, no calls are sent for a while";
        let mut new = Self::new(Kind::CircuitOpen, Some(target.clone()), message);
        new.0.retry_after = Some(left);
        new
    }

    pub(super) fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = Some(status);
        self
    }

    pub(super) fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.0.retry_after = wait;
        self
    }
}

fn cannot_follow(location: &str) -> String {
    format!("it redirects to `{location}`, which is not followed: only http and https are")
}

/// Iterates over the causes of a call's error.
fn causes_of(error: &Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    error.0.source.iter().flat_map(causes)
}

fn classify(error: &reqwest::Error) -> (Kind, &'static str) {
    if causes(error).any(|cause| cause.is::<PrivateAddress>()) {
        (Kind::PrivateAddress, "its address is private, and such calls are refused")
    } else if error.is_connect() {
        (Kind::Connect, why_no_connection(error))
    } else if error.is_timeout() {
        (Kind::Timeout, "no response in time")
    } else if error.is_redirect() {
        (Kind::Redirect, "too many redirects, or one that is not followed")
    } else if error.is_builder() {
        (Kind::Invalid, "the request is not valid")
    } else if error.is_decode() && !causes(error).any(|cause| cause.is::<hyper::Error>()) {
        (Kind::Decode, "the response cannot be decompressed")
    } else {
        (Kind::ConnectionLost, "the connection broke before the response was complete")
    }
}

fn why_no_connection(error: &reqwest::Error) -> &'static str {
    if error.is_dns() {
        return "its name cannot be resolved";
    }
    if error.is_timeout() {
        return "no connection in time";
    }
    let io = causes(error).find_map(|cause| cause.downcast_ref::<io::Error>());
    match io.map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => "connection refused",
        Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => {
            "no route to the host"
        }
        _ => "no connection could be made",
    }
}

/// Iterates over the error and its causes.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(Some(error as &(dyn StdError + 'static)), |&error| {
        // `io::Error::source` skips the error that it wraps, which is why that is read with `get_ref`.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        wrapped.map(|inner| inner as &(dyn StdError + 'static)).or_else(|| error.source())
    })
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(target) = &self.0.target {
            write!(f, "{target}: ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| source as _)
    }
}

/// Returns the status and detail that a handler's response has for an error of a call.
fn status_of(error: &(dyn StdError + 'static)) -> Option<StatusMapping> {
    let error = error.downcast_ref::<Error>()?;
    let target = match &error.0.target {
        Some(Target::Peer(name)) => format!("the peer `{name}`"),
        Some(Target::Host(name)) => format!("the host `{name}`"),
        None => return None,
    };
    let (status, what) = match error.kind() {
        Kind::UnknownPeer | Kind::Invalid | Kind::Other => return None,
        Kind::Connect | Kind::CircuitOpen => (StatusCode::SERVICE_UNAVAILABLE, "cannot be reached"),
        Kind::Timeout | Kind::ConnectionLost => {
            (StatusCode::SERVICE_UNAVAILABLE, "did not respond")
        }
        Kind::Status if error.is_retryable_status() => {
            (StatusCode::SERVICE_UNAVAILABLE, "is not available at the moment")
        }
        Kind::PrivateAddress => (StatusCode::BAD_GATEWAY, "may not be called"),
        _ => (StatusCode::BAD_GATEWAY, "gave no usable response"),
    };
    let mapping = StatusMapping::from(status).detail(format!("{target} {what}"));
    let unavailable = status == StatusCode::SERVICE_UNAVAILABLE;
    Some(match error.retry_after().filter(|_| unavailable) {
        Some(wait) => mapping.retry_after(wait.min(MAX_RETRY_AFTER)),
        None => mapping,
    })
}

inventory::submit! { ErrorMapper(status_of) }
