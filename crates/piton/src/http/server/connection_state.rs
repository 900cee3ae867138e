//! What a connection is doing, shared by those who serve it: the stream, the service, the body of
//! the answer, and the watch that closes it when nothing happens.
//!
//! hyper has a timer of its own for slow heads, which it arms and disarms for every request. A look
//! at two flags every now and then does the same for next to nothing.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::Response;
use http_body::{Frame, SizeHint};

/// The state of one connection.
#[derive(Debug, Default)]
pub(crate) struct ConnectionState {
    /// A request has reached the router at least once.
    served: AtomicBool,
    /// A request is being answered: from its head to the last of its answer's body.
    busy: AtomicBool,
    /// Nothing more is expected of the client: what it sends now comes too late.
    given_up: AtomicBool,
    /// An answer has ended, or some of one was written, since the last look.
    moved: AtomicBool,
}

impl ConnectionState {
    /// A request has come.
    pub fn begin(&self) {
        self.served.store(true, Ordering::Relaxed);
        self.busy.store(true, Ordering::Relaxed);
    }

    /// The last of the answer is on its way.
    fn end(&self) {
        self.busy.store(false, Ordering::Relaxed);
        self.moved();
    }

    /// Something was written.
    pub fn moved(&self) {
        self.moved.store(true, Ordering::Relaxed);
    }

    /// The client has had its time.
    pub fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    pub fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    pub fn has_served(&self) -> bool {
        self.served.load(Ordering::Relaxed)
    }

    /// Returns when the client has not sent a whole head for at least `limit`, and at most half as
    /// long again. Cancel safe.
    pub async fn idle_for(&self, limit: Duration) {
        let half = limit / 2;
        let mut looks = tokio::time::interval_at(tokio::time::Instant::now() + half, half);
        let mut still = 0;
        loop {
            looks.tick().await;
            let moved = self.moved.swap(false, Ordering::Relaxed);
            still = if moved || self.busy.load(Ordering::Relaxed) { 0 } else { still + 1 };
            // Whatever moved did so at the latest just before the look that did not count.
            if still == 2 {
                return;
            }
        }
    }
}

/// An answer's body, which says when it has ended.
pub(crate) struct TrackedBody {
    body: Body,
    exchange: Arc<ConnectionState>,
}

impl TrackedBody {
    pub fn wrap(response: Response<Body>, exchange: Arc<ConnectionState>) -> Response<Self> {
        response.map(|body| Self { body, exchange })
    }
}

impl Drop for TrackedBody {
    fn drop(&mut self) {
        self.exchange.end();
    }
}

impl http_body::Body for TrackedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_is_idle_after_the_limit() {
        let begin = tokio::time::Instant::now();
        ConnectionState::default().idle_for(LIMIT).await;
        let waited = begin.elapsed();
        assert!(waited >= LIMIT && waited <= LIMIT * 3 / 2, "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_takes_long_is_no_silence() {
        let exchange = Arc::new(ConnectionState::default());
        exchange.begin();
        let answer = TrackedBody::wrap(Response::new(Body::empty()), exchange.clone());
        let watch = tokio::spawn({
            let exchange = exchange.clone();
            async move { exchange.idle_for(LIMIT).await }
        });
        tokio::time::sleep(LIMIT * 10 + Duration::from_secs(1)).await;
        assert!(!watch.is_finished());
        drop(answer);
        let begin = tokio::time::Instant::now();
        watch.await.unwrap();
        let waited = begin.elapsed();
        assert!(waited >= LIMIT && waited <= LIMIT * 3 / 2, "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_slowly_is_not_idle() {
        let exchange = Arc::new(ConnectionState::default());
        let watch = tokio::spawn({
            let exchange = exchange.clone();
            async move { exchange.idle_for(LIMIT).await }
        });
        for _ in 0..20 {
            tokio::time::sleep(LIMIT / 2).await;
            exchange.moved();
        }
        assert!(!watch.is_finished());
        watch.await.unwrap();
    }
}
