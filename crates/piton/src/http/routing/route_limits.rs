//! Limits of single routes, in place of `http.body_limit` and `http.timeout`.

use std::time::Duration;

use crate::config::ByteSize;

/// The limits of a route that differ from the settings. `#[limits(body = "50MiB", timeout = "5m")]` makes them.
///
/// ```
/// use std::time::Duration;
///
/// use piton::config::ByteSize;
/// use piton::http::{RouteLimits, post};
/// use piton::prelude::*;
///
/// async fn import(body: axum::body::Body) -> NoContent { NoContent }
///
/// let limits = RouteLimits::new().body(ByteSize::mib(50)).timeout(Duration::from_secs(300));
/// let app = App::new("shop").route(post("/import", import).limits(limits));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouteLimits {
    body: Option<ByteSize>,
    timeout: Option<Duration>,
}

impl RouteLimits {
    /// Creates limits that are those of the settings.
    #[must_use]
    pub const fn new() -> Self {
        Self { body: None, timeout: None }
    }

    /// Sets the maximum size of a request's body; above it the client gets 413.
    #[must_use]
    pub const fn body(mut self, limit: ByteSize) -> Self {
        self.body = Some(limit);
        self
    }

    /// Sets the maximum time from the end of a request's head to its response; after it the client gets 503, or
    /// 408 if it has not sent its whole body.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Returns the maximum size of a body, if it is not that of the settings.
    #[must_use]
    pub const fn max_body(&self) -> Option<ByteSize> {
        self.body
    }

    /// Returns the time until a response, if it is not that of the settings.
    #[must_use]
    pub const fn max_time(&self) -> Option<Duration> {
        self.timeout
    }

    /// Returns these limits, with those of `other` where these have none.
    pub(super) fn or(self, other: Self) -> Self {
        Self { body: self.body.or(other.body), timeout: self.timeout.or(other.timeout) }
    }

    /// Returns whether all limits are those of the settings.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::new()
    }

    /// Returns the expression that makes these limits, for `routes --explain`.
    pub(super) fn explain(&self) -> Option<String> {
        let body = self
            .body
            .map(|limit| format!(".body(piton::config::ByteSize::bytes({}))", limit.as_u64()));
        let timeout = self.timeout.map(|timeout| {
            format!(".timeout(std::time::Duration::from_millis({}))", timeout.as_millis())
        });
        let calls: String = [body, timeout].into_iter().flatten().collect();
        (!calls.is_empty()).then(|| format!("piton::http::RouteLimits::new(){calls}"))
    }
}
