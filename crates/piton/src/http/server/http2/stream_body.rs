//! The body of a response over HTTP/2, which counts the bytes that the client has not taken yet.
//!
//! h2 keeps in memory whatever it is given until the client's window has room for it. So a body gives
//! more only when little of it is left there, and the client that closes its window keeps a piece
//! of each response and not the whole.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::{Buf, Bytes};
use futures_util::task::AtomicWaker;
use http_body::{Frame, SizeHint};

use super::connection_state::{ActiveStream, Http2State};

/// Maximum number of unsent bytes in h2 with which a body still gives it more: the size of a frame, so
/// that small responses end with their last frame of data.
const MAX_UNSENT: usize = 16 << 10;

/// The progress of one response, shared by its body and the task of its stream.
#[derive(Debug)]
pub(super) struct StreamProgress {
    connection: Arc<Http2State>,
    /// Bytes that h2 holds.
    unsent: AtomicUsize,
    /// Set by each write, and reset by the watch.
    has_progress: AtomicBool,
    body: AtomicWaker,
}

impl StreamProgress {
    pub fn new(connection: Arc<Http2State>) -> Self {
        Self {
            connection,
            unsent: AtomicUsize::new(0),
            has_progress: AtomicBool::new(false),
            body: AtomicWaker::new(),
        }
    }

    /// Returns whether bytes wait for the client.
    pub fn is_waiting(&self) -> bool {
        self.unsent.load(Ordering::Relaxed) > 0
    }

    /// Returns whether bytes were written since the last call.
    pub fn take_progress(&self) -> bool {
        self.has_progress.swap(false, Ordering::Relaxed)
    }

    fn is_full(&self) -> bool {
        // Acquires what `sent` releases, so that a waker registered before is not missed.
        self.unsent.load(Ordering::Acquire) > MAX_UNSENT
    }

    fn sent(&self, count: usize) {
        self.has_progress.store(true, Ordering::Relaxed);
        self.connection.set_progress();
        let before = self.unsent.fetch_sub(count, Ordering::AcqRel);
        if before > MAX_UNSENT && before - count <= MAX_UNSENT {
            self.body.wake();
        }
    }
}

/// The body of a response.
pub(super) struct StreamBody {
    body: Body,
    progress: Arc<StreamProgress>,
    _active: ActiveStream,
}

impl StreamBody {
    pub fn new(body: Body, progress: Arc<StreamProgress>, active: ActiveStream) -> Self {
        Self { body, progress, _active: active }
    }
}

impl http_body::Body for StreamBody {
    type Data = CountedBytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<CountedBytes>, axum::Error>>> {
        let this = self.get_mut();
        if this.progress.is_full() {
            this.progress.body.register(cx.waker());
            if this.progress.is_full() {
                return Poll::Pending;
            }
        }
        let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            frame.map(|frame| frame.map_data(|bytes| CountedBytes::new(bytes, &this.progress)))
        }))
    }

    fn is_end_stream(&self) -> bool {
        // Not before the rest is sent: hyper would end the stream's task, and nobody would notice a
        // client that takes nothing.
        self.body.is_end_stream() && !self.progress.is_full()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Bytes of a response, counted until they are written.
#[derive(Debug)]
pub(super) struct CountedBytes {
    bytes: Bytes,
    progress: Arc<StreamProgress>,
}

impl CountedBytes {
    fn new(bytes: Bytes, progress: &Arc<StreamProgress>) -> Self {
        progress.unsent.fetch_add(bytes.len(), Ordering::AcqRel);
        Self { bytes, progress: progress.clone() }
    }
}

impl Buf for CountedBytes {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.progress.sent(count);
    }
}

impl Drop for CountedBytes {
    fn drop(&mut self) {
        if !self.bytes.is_empty() {
            self.progress.sent(self.bytes.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use http_body::Body as _;
    use http_body_util::BodyExt;

    use super::*;

    fn body(bytes: &'static [u8]) -> StreamBody {
        let state = Arc::new(Http2State::default());
        let progress = Arc::new(StreamProgress::new(state.clone()));
        StreamBody::new(Body::from(bytes), progress, ActiveStream::begin(&state))
    }

    #[test]
    fn a_small_body_ends_with_its_data() {
        let mut body = body(b"small");
        let frame = body.frame().now_or_never().unwrap().unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap().chunk(), b"small");
        assert!(body.is_end_stream());
    }

    #[tokio::test]
    async fn a_large_body_ends_when_most_of_it_is_sent() {
        static LARGE: [u8; 40_000] = [7; 40_000];
        let mut body = body(&LARGE);
        let frame = body.frame().await.unwrap().unwrap();
        let mut data = frame.into_data().unwrap();
        assert!(!body.is_end_stream());
        assert!(body.frame().now_or_never().is_none(), "there is no more before it is sent");
        let end = tokio::spawn(async move { body.frame().await.is_none() });
        tokio::task::yield_now().await;
        data.advance(20_000);
        tokio::task::yield_now().await;
        assert!(!end.is_finished());
        data.advance(10_000);
        assert!(end.await.unwrap());
        drop(data);
    }
}
