//! The errors of hashing and checking passwords. None of them contains a password or a hash.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use http::StatusCode;

use crate::http::StatusMapping;

/// The error of hashing or checking a password. Branch on [`Error::kind`].
///
/// As the response of a handler [`Kind::Mismatch`] becomes 401, [`Kind::Empty`], [`Kind::TooLong`] and
/// [`Kind::Encoding`] 422, [`Kind::Busy`] 503 with `Retry-After`, and the others 500.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: Cow<'static, str>,
    retry_after: Option<Duration>,
}

/// The kinds of [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The password is not the one that was hashed.
    Mismatch,
    /// The hash is not a valid Argon2 hash.
    InvalidHash,
    /// The hash needs more memory than `password.memory_budget`, or more work than
    /// `password.work_limit`.
    TooCostly,
    /// The queue is longer than `password.max_waiting`, or its work would take longer than the request's
    /// timeout; or there is no memory; or the service is stopping. Try again later.
    Busy,
    /// The password is empty.
    Empty,
    /// The password is longer than 64 KiB.
    TooLong,
    /// The password has characters that `password.encoding` cannot encode.
    Encoding,
    /// Any other error: a bug in the framework.
    Other,
}

impl Error {
    /// Returns the kind of error.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns whether the password is to blame: it is wrong, or cannot have been hashed. Any other error is
    /// a fault or temporary.
    #[must_use]
    pub fn is_wrong_password(&self) -> bool {
        matches!(self.kind, Kind::Mismatch | Kind::Empty | Kind::TooLong | Kind::Encoding)
    }

    pub(super) fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), retry_after: None }
    }

    /// Sets the time after which the client should try again.
    pub(super) fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// Returns the value of `Retry-After`: whole seconds, at least one.
    fn seconds_to_wait(&self) -> Duration {
        let wait = self.retry_after.unwrap_or_default();
        Duration::from_secs(wait.as_millis().div_ceil(1000).try_into().unwrap_or(1).max(1))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// The message of Gnar Gear for an empty password.
pub(super) const EMPTY: &str = "Password cannot be empty";

fn known(error: &Error) -> Option<StatusMapping> {
    let of = |status: StatusCode, detail| Some(StatusMapping::from(status).detail(detail));
    match error.kind {
        Kind::Mismatch => of(StatusCode::UNAUTHORIZED, "the password is wrong"),
        Kind::Empty => of(StatusCode::UNPROCESSABLE_ENTITY, EMPTY),
        Kind::TooLong => of(StatusCode::UNPROCESSABLE_ENTITY, "the password is too long"),
        Kind::Encoding => {
            of(StatusCode::UNPROCESSABLE_ENTITY, "the password has characters that cannot be used")
        }
        Kind::Busy => of(StatusCode::SERVICE_UNAVAILABLE, "too many passwords are being checked")
            .map(|known| known.retry_after(error.seconds_to_wait())),
        Kind::InvalidHash | Kind::TooCostly | Kind::Other => None,
    }
}

crate::map_error!(|error| error.downcast_ref::<Error>().and_then(known));
