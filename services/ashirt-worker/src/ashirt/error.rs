//! Errors of calls, by kinds that a caller can act on.

use std::error::Error as StdError;
use std::fmt;

/// Classifies errors by what a caller can do about them.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// No connection was made, so nothing was sent: check the address, or try again.
    Connect,
    /// No response came in time over an open connection. The call may have taken effect.
    Timeout,
    /// The connection broke before the response was complete. The call may have taken effect.
    Interrupted,
    /// 401: wrong keys, a wrong clock, or a write to what does not exist.
    Unauthorized,
    /// 404: not found, or no permission to read it.
    NotFound,
    /// Any other status from 400 to 499: the backend rejects the request; [`Error::reason`] says
    /// why.
    BadRequest,
    /// A status from 500 on: a fault of the backend, or of a proxy in front of it.
    Server,
    /// A redirect, which is not followed, because the signature is for the original address.
    Redirect,
    /// A response that ASHIRT does not send.
    Decode,
    /// A response longer than the limit.
    TooLarge,
    /// Invalid arguments; nothing was sent.
    Invalid,
}

impl Kind {
    /// Returns the value for metric labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Interrupted => "interrupted",
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "not_found",
            Self::BadRequest => "bad_request",
            Self::Server => "server",
            Self::Redirect => "redirect",
            Self::Decode => "decode",
            Self::TooLarge => "too_large",
            Self::Invalid => "invalid",
        }
    }
}

/// A failed call. It contains no secret, no signature, and of the response only its short `error`.
///
/// ```
/// # use ashirt_worker::ashirt::{Kind, SecretKey};
/// let error = "not base64".parse::<SecretKey>().unwrap_err();
/// assert_eq!(error.kind(), Kind::Invalid);
/// ```
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    call: Option<&'static str>,
    message: String,
    status: Option<u16>,
    reason: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self(Box::new(Inner {
            kind,
            call: None,
            message,
            status: None,
            reason: None,
            source: None,
        }))
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    pub(super) fn with_source(
        mut self,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into());
        self
    }

    pub(super) fn with_call(mut self, name: &'static str) -> Self {
        self.0.call = Some(name);
        self
    }

    pub(super) fn with_status(mut self, status: u16, reason: Option<String>) -> Self {
        self.0.status = Some(status);
        self.0.reason = reason;
        self
    }

    /// Returns the kind of the error.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Returns the status of the response, if that is why the call failed.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// Returns the `error` of the backend's response, at most 200 printable characters.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(call) = self.0.call {
            write!(f, "call ASHIRT's `{call}`: ")?;
        }
        f.write_str(&self.0.message)?;
        self.0.reason.as_deref().map_or(Ok(()), |reason| write!(f, ": {reason}"))
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
