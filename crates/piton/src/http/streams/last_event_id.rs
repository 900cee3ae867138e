//! The argument `LastEventId`: the last event that a client received before it connects again.

use std::convert::Infallible;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use http::HeaderName;
use http::request::Parts;

use crate::http::routing::operation::{Input, Operation};

/// The header that a browser's `EventSource` sends when it connects again.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The id of the last event that the client has received, which it sends when it connects again
/// (`Last-Event-ID`). `None` at its first connection.
///
/// ```
/// use piton::http::{Event, LastEventId, Sse, Stream};
/// use piton::prelude::*;
///
/// /// Counts, and goes on where the client has been cut off.
/// #[get("/numbers")]
/// async fn numbers(last: LastEventId) -> Sse<impl Stream<Item = Event>> {
///     let first = last.parse::<u64>().map_or(0, |last| last + 1);
///     let numbers = (first..first + 10).map(|n| Event::new(n.to_string()).id(n.to_string()));
///     Sse::new(futures_util::stream::iter(numbers))
/// }
/// # fn main() {}
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastEventId(pub Option<String>);

impl LastEventId {
    /// Returns the id as text.
    #[must_use]
    pub fn get(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// Returns the id as a value. `None` if there is none, or if it is not such a value: clients can
    /// send any text.
    #[must_use]
    pub fn parse<T: FromStr>(&self) -> Option<T> {
        self.get()?.parse().ok()
    }
}

impl<S: Sync> FromRequestParts<S> for LastEventId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let id = parts.headers.get(LAST_EVENT_ID);
        // Browsers send it as UTF-8, which a `HeaderValue` accepts as opaque bytes only.
        let text = id.and_then(|id| std::str::from_utf8(id.as_bytes()).ok());
        Ok(Self(text.filter(|text| !text.is_empty()).map(str::to_owned)))
    }
}

impl Input for LastEventId {
    fn describe(operation: &mut Operation) {
        operation.header("Last-Event-ID");
    }
}
