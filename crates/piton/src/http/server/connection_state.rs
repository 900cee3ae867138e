//! The state of a connection, shared by its stream, its service, the body of its response, and the watch
//! that closes it when it is idle.
//!
//! hyper has a timer for slow heads, which it arms and disarms for every request. Two flags read at
//! half the timeout do the same for 1,000 instructions a request less.

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
    /// Set once a request has reached the router.
    served: AtomicBool,
    /// Set from a request's head to the end of its response's body.
    busy: AtomicBool,
    /// Set once the client has used up its time: what it sends now is not read.
    timed_out: AtomicBool,
    /// Set by each write and by the end of a response, and reset by the watch.
    moved: AtomicBool,
}

impl ConnectionState {
    /// Records a request's head.
    pub fn begin(&self) {
        self.served.store(true, Ordering::Relaxed);
        self.busy.store(true, Ordering::Relaxed);
    }

    /// Records the end of a response.
    fn end(&self) {
        self.busy.store(false, Ordering::Relaxed);
        self.set_moved();
    }

    /// Records a write.
    pub fn set_moved(&self) {
        self.moved.store(true, Ordering::Relaxed);
    }

    /// Records that the client has used up its time.
    pub fn set_timed_out(&self) {
        self.timed_out.store(true, Ordering::Relaxed);
    }

    pub fn is_timed_out(&self) -> bool {
        self.timed_out.load(Ordering::Relaxed)
    }

    pub fn has_served(&self) -> bool {
        self.served.load(Ordering::Relaxed)
    }

    /// Returns once the client has not sent a whole head for at least `timeout`, and at most half as
    /// long again. Cancel safe.
    pub async fn idle_for(&self, timeout: Duration) {
        let half = timeout / 2;
        let mut checks = tokio::time::interval_at(tokio::time::Instant::now() + half, half);
        let mut idle_checks = 0;
        loop {
            checks.tick().await;
            let moved = self.moved.swap(false, Ordering::Relaxed);
            let is_active = moved || self.busy.load(Ordering::Relaxed);
            idle_checks = if is_active { 0 } else { idle_checks + 1 };
            // Two, because the last write may have been just before the check that saw it.
            if idle_checks == 2 {
                return;
            }
        }
    }
}

/// The body of a response. Records in the connection's state when it has ended.
pub(crate) struct TrackedBody {
    body: Body,
    state: Arc<ConnectionState>,
}

impl TrackedBody {
    pub fn wrap(response: Response<Body>, state: Arc<ConnectionState>) -> Response<Self> {
        response.map(|body| Self { body, state })
    }
}

impl Drop for TrackedBody {
    fn drop(&mut self) {
        self.state.end();
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
    async fn a_response_that_takes_long_is_not_idle() {
        let state = Arc::new(ConnectionState::default());
        state.begin();
        let answer = TrackedBody::wrap(Response::new(Body::empty()), state.clone());
        let watch = tokio::spawn({
            let state = state.clone();
            async move { state.idle_for(LIMIT).await }
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
        let state = Arc::new(ConnectionState::default());
        let watch = tokio::spawn({
            let state = state.clone();
            async move { state.idle_for(LIMIT).await }
        });
        for _ in 0..20 {
            tokio::time::sleep(LIMIT / 2).await;
            state.set_moved();
        }
        assert!(!watch.is_finished());
        watch.await.unwrap();
    }
}
