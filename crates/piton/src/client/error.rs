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

use super::guard::{Private, Unfollowable};
use crate::http::{ErrorMapper, StatusMapping};

/// The longest that our own clients are told to wait, on the word of somebody else.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// Why a call did not give what it should. [`Error::kind`] is what to branch on.
///
/// As the answer of a handler [`Kind::Connect`], [`Kind::Timeout`], [`Kind::Lost`] and [`Kind::Open`]
/// become 503 with a detail that says who is away, and so does a [`Kind::Status`] of 429 or 503, with
/// its `Retry-After` up to an hour; [`Kind::Unknown`], [`Kind::Invalid`] and [`Kind::Other`] become 500,
/// and every other kind and status 502.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    who: Option<Who>,
    message: String,
    status: Option<StatusCode>,
    retry_after: Option<Duration>,
    source: Option<reqwest::Error>,
}

/// What kind of error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Nobody has said where the peer is.
    Unknown,
    /// The call cannot be sent as it is: its URL, a header or its body is wrong. A bug in the caller.
    Invalid,
    /// The address is private, and `client.refuse_private` is set.
    Refused,
    /// There was no connection: nothing was sent.
    Connect,
    /// There was no answer in time. Whether the call did its work is not known.
    Timeout,
    /// The connection broke before the answer was whole. Whether the call did its work is not known.
    Lost,
    /// The host has failed too often: nothing was sent. [`Error::retry_after`] says how long.
    Open,
    /// The answer is larger than `client.answer_limit`.
    TooLarge,
    /// The answer's status is 400 or above; see [`Error::status`].
    Status,
    /// The answer is not what it is read as.
    Decode,
    /// More redirects than `client.redirects`, or one to a target that is neither `http` nor
    /// `https`.
    Redirect,
    /// Anything else, such as no certificates on this machine.
    Other,
}

/// Who was called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// A service beside this one, by its name.
    Peer(Arc<str>),
    /// A stranger, by the host's name.
    Host(Arc<str>),
}

impl Who {
    pub fn name(&self) -> &Arc<str> {
        match self {
            Self::Peer(name) | Self::Host(name) => name,
        }
    }

    /// How figures call them: their number must have a bound.
    pub fn label(&self) -> &str {
        match self {
            Self::Peer(name) => name,
            Self::Host(_) => "external",
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(name) => write!(f, "peer {name}"),
            Self::Host(name) => write!(f, "host {name}"),
        }
    }
}

impl Error {
    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Who was called: the name of the peer, or the stranger's host. `None` where a URL names nobody.
    #[must_use]
    pub fn peer(&self) -> Option<&str> {
        self.0.who.as_ref().map(|who| &**who.name())
    }

    /// The status of the answer, where there was one.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// When to try again, where that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    fn asks_to_come_back(&self) -> bool {
        let (busy, too_many) = (StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS);
        self.status().is_some_and(|status| status == busy || status == too_many)
    }

    pub(super) fn new(kind: Kind, who: Option<Who>, message: impl Into<String>) -> Self {
        let message = message.into();
        Self(Box::new(Inner { kind, who, message, status: None, retry_after: None, source: None }))
    }

    /// What the library says, without the URL.
    pub(super) fn of(error: reqwest::Error, who: &Who) -> Self {
        let error = error.without_url();
        let (kind, message) = classify(&error);
        Self::new(kind, Some(who.clone()), message).caused_by(error)
    }

    pub(super) fn caused_by(mut self, source: reqwest::Error) -> Self {
        self.0.source = Some(source.without_url());
        self
    }

    /// Adds the target of the last redirect before the call failed.
    pub(super) fn redirected_to(mut self, target: Option<&str>) -> Self {
        let Some(target) = target else { return self };
        self.0.message = match self.0.kind {
            // The redirect is what cannot be sent then, and not the call.
            Kind::Invalid | Kind::Redirect => {
                self.0.kind = Kind::Redirect;
                let too_many = causes_of(&self).all(|cause| !cause.is::<Unfollowable>());
                if too_many && self.0.source.as_ref().is_some_and(reqwest::Error::is_redirect) {
                    format!("it redirects too often, at last to `{target}`")
                } else {
                    cannot_follow(target)
                }
            }
            Kind::Refused => format!(
                "it redirects to `{target}`, whose address is private, and such calls are refused"
            ),
            _ => format!("{}, after a redirect to `{target}`", self.0.message),
        };
        self
    }

    /// Returns the error of a redirect that cannot be followed.
    pub(super) fn redirect(who: &Who, target: &str) -> Self {
        Self::new(Kind::Redirect, Some(who.clone()), cannot_follow(target))
    }

    pub(super) fn timeout(who: &Who, after: Duration) -> Self {
        // Whole milliseconds: nobody wants to read nanoseconds.
        let after = Duration::from_millis(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
        let message = format!("no answer within {}", humantime::format_duration(after));
        Self::new(Kind::Timeout, Some(who.clone()), message)
    }

    pub(super) fn open(who: &Who, left: Duration) -> Self {
        let message = "it has failed too often, nothing is sent for a while";
        let mut new = Self::new(Kind::Open, Some(who.clone()), message);
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

fn cannot_follow(target: &str) -> String {
    format!("it redirects to `{target}`, where nothing is sent: only http and https are followed")
}

/// Iterates over the causes of a call's error.
fn causes_of(error: &Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    error.0.source.iter().flat_map(causes)
}

fn classify(error: &reqwest::Error) -> (Kind, &'static str) {
    if causes(error).any(|cause| cause.is::<Private>()) {
        (Kind::Refused, "its address is private, and such calls are refused")
    } else if error.is_connect() {
        (Kind::Connect, why_no_connection(error))
    } else if error.is_timeout() {
        (Kind::Timeout, "no answer in time")
    } else if error.is_redirect() {
        (Kind::Redirect, "it redirects too often, or to where nothing is sent")
    } else if error.is_builder() {
        (Kind::Invalid, "the call cannot be sent as it is")
    } else if error.is_decode() && !causes(error).any(|cause| cause.is::<hyper::Error>()) {
        (Kind::Decode, "the answer cannot be unpacked")
    } else {
        (Kind::Lost, "the connection broke before the answer was whole")
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
            "there is no way to it"
        }
        _ => "no connection could be made",
    }
}

/// The error and its causes.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(Some(error as &(dyn StdError + 'static)), |&error| {
        // What an I/O error wraps is not its source, but the source of what it wraps.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        wrapped.map(|inner| inner as &(dyn StdError + 'static)).or_else(|| error.source())
    })
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(who) = &self.0.who {
            write!(f, "{who}: ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| source as _)
    }
}

fn known(error: &(dyn StdError + 'static)) -> Option<StatusMapping> {
    let error = error.downcast_ref::<Error>()?;
    let who = match &error.0.who {
        Some(Who::Peer(name)) => format!("the peer `{name}`"),
        Some(Who::Host(name)) => format!("the host `{name}`"),
        None => return None,
    };
    let (status, what) = match error.kind() {
        Kind::Unknown | Kind::Invalid | Kind::Other => return None,
        Kind::Connect | Kind::Open => (StatusCode::SERVICE_UNAVAILABLE, "cannot be reached"),
        Kind::Timeout | Kind::Lost => (StatusCode::SERVICE_UNAVAILABLE, "did not answer"),
        Kind::Status if error.asks_to_come_back() => {
            (StatusCode::SERVICE_UNAVAILABLE, "cannot answer now")
        }
        Kind::Refused => (StatusCode::BAD_GATEWAY, "may not be called"),
        _ => (StatusCode::BAD_GATEWAY, "gave no usable answer"),
    };
    let known = StatusMapping::from(status).detail(format!("{who} {what}"));
    let unavailable = status == StatusCode::SERVICE_UNAVAILABLE;
    Some(match error.retry_after().filter(|_| unavailable) {
        Some(wait) => known.retry_after(wait.min(LONGEST_RETRY_AFTER)),
        None => known,
    })
}

inventory::submit! { ErrorMapper(known) }
