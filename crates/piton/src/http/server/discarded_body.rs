//! Discards the part of a request's body that no handler reads.

use std::time::Duration;

use bytes::Bytes;
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

/// Reads and discards the rest of `body`, until its end, an error, about `max_bytes`, or `max_pause` without a frame.
pub(super) async fn discard(body: &mut Incoming, max_bytes: usize, max_pause: Duration) {
    let mut discarded = 0;
    // Asked first, because hyper does not report the end of a body that outlasts its response before the next
    // request.
    while discarded < max_bytes
        && !body.is_end_stream()
        && let Ok(Some(Ok(frame))) = timeout(max_pause, body.frame()).await
    {
        discarded += frame.data_ref().map_or(0, Bytes::len);
    }
}
