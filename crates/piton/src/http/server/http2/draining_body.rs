//! The body of an HTTP/2 request. What no handler reads of it is read and discarded.
//!
//! A response may be complete before its request is. h2 then resets the stream with NO_ERROR, which RFC 9113,
//! section 8.1 allows, but curl 7.88 and httpx 0.28 take the reset for a failure and drop the response: 19 of 40
//! uploads of 100 kB that were refused with 401 failed in curl. So the reset is sent only if the rest is large or
//! late.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::http::server::discarded_body::discard;

/// Maximum rest of a body that is discarded, in bytes.
const MAX_DISCARDED_BYTES: usize = 4 << 20;

/// Maximum time between two frames of a rest that is discarded. All streams of a connection share what the client sends.
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// Maximum time for the rest of a body to arrive.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(20);

/// The body of a request. Dropping it before its end discards the rest in a task of its own.
pub(super) struct DrainingBody(Option<Incoming>);

impl DrainingBody {
    pub fn new(incoming: Incoming) -> Self {
        Self(Some(incoming))
    }
}

impl Body for DrainingBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.0 {
            Some(incoming) => Pin::new(incoming).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or(SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Drop for DrainingBody {
    fn drop(&mut self) {
        let Some(mut incoming) = self.0.take().filter(|body| !body.is_end_stream()) else {
            return;
        };
        // Without a runtime the process ends, and its connections with it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let discarded = discard(&mut incoming, MAX_DISCARDED_BYTES, MAX_PAUSE);
                timeout(DISCARD_TIMEOUT, discarded).await
            });
        }
    }
}
