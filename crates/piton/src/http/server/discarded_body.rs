//! Discards the part of a request's body that no handler reads.

use bytes::Bytes;
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;

/// Reads and discards the rest of `body`, until its end, an error, or about `max_bytes`.
pub(super) async fn discard(body: &mut Incoming, max_bytes: usize) {
    let mut discarded = 0;
    // Asked first, because hyper does not report the end of a body that outlasts its response before the next
    // request.
    while discarded < max_bytes
        && !body.is_end_stream()
        && let Some(Ok(frame)) = body.frame().await
    {
        discarded += frame.data_ref().map_or(0, Bytes::len);
    }
}
