//! The response `ByteStream`: a body of any media type that is made while it is sent.

use std::fmt;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{HeaderValue, StatusCode, header};

use super::live_body::LiveBody;
use super::registry::{StreamKind, admit};
use super::stream_item::StreamItem;
use crate::http::routing::operation::{Operation, Output};

/// A response whose body is made while it is sent, such as lines of JSON as they come up. As an
/// [`Sse`](crate::http::Sse) it is limited by `http.streams` and ends between two pieces when the
/// service stops.
///
/// A body that should be finished despite a stop, such as a download, is an
/// `axum::body::Body::from_stream` instead: requests in flight have `http.drain_timeout`.
///
/// ```
/// use piton::bytes::Bytes;
/// use piton::http::{ByteStream, Stream};
/// use piton::prelude::*;
///
/// #[get("/lines")]
/// async fn lines() -> ByteStream<impl Stream<Item = Result<Bytes>>> {
///     let lines = futures_util::stream::iter(["{\"n\":1}\n", "{\"n\":2}\n"]);
///     ByteStream::new("application/x-ndjson", futures_util::StreamExt::map(lines, |line| {
///         Ok(Bytes::from(line))
///     }))
/// }
/// # fn main() {}
/// ```
#[must_use = "it is the response of a handler"]
pub struct ByteStream<S> {
    media_type: HeaderValue,
    pieces: S,
}

impl<S> ByteStream<S>
where
    S: Stream<Item: StreamItem<Bytes>> + Send + 'static,
{
    /// Makes the response of a stream of pieces. No piece is cut by a stop, so that a piece should be
    /// a whole record.
    ///
    /// # Panics
    /// If `media_type` is not valid in a header.
    pub fn new(media_type: &'static str, pieces: S) -> Self {
        Self { media_type: HeaderValue::from_static(media_type), pieces }
    }
}

impl<S> IntoResponse for ByteStream<S>
where
    S: Stream<Item: StreamItem<Bytes>> + Send + 'static,
{
    fn into_response(self) -> Response {
        let admission = match admit(StreamKind::Bytes) {
            Ok(admission) => admission,
            Err(refusal) => return refusal.into_response(),
        };
        let pieces = self.pieces.map(StreamItem::into_item);
        let body = LiveBody::start(Box::pin(pieces), admission, Bytes::new(), Bytes::new());
        ([(header::CONTENT_TYPE, self.media_type)], body).into_response()
    }
}

impl<S> Output for ByteStream<S> {
    fn describe(operation: &mut Operation) {
        operation.response_any(StatusCode::OK, "*/*");
        operation.error(StatusCode::TOO_MANY_REQUESTS, "Too many streams of this client are open.");
    }
}

impl<S> fmt::Debug for ByteStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteStream").field("media_type", &self.media_type).finish_non_exhaustive()
    }
}
