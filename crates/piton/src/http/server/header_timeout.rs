//! Closes a connection whose client does not send the whole head of a request within
//! `http.header_timeout`.
//!
//! hyper has a timer for slow heads, which it arms and disarms for every request. Two flags read at
//! half the timeout do the same for 1,000 instructions a request less.

use std::future::Future;
use std::time::Duration;

use super::connection_state::ConnectionState;
use super::idle_watch::wait_until_idle;

/// Time for a client whose connection is closed to read the reason.
pub(super) const READ_REASON_GRACE: Duration = Duration::from_secs(1);

/// Returns once the client has not sent a whole head for at least `timeout`, and at most half as
/// long again. Cancel safe.
pub(super) async fn wait_for_header_timeout(state: &ConnectionState, timeout: Duration) {
    wait_until_idle(timeout, || state.take_activity()).await;
}

/// Closes a connection whose head is late. Nothing more is read, and the client gets
/// [`READ_REASON_GRACE`] to read the reason.
pub(super) async fn close_timed_out(
    state: &ConnectionState,
    connection: impl Future<Output = hyper::Result<()>>,
) {
    state.set_timed_out();
    let _ = tokio::time::timeout(READ_REASON_GRACE, connection).await;
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::body::Body;
    use http::Response;

    use super::super::connection_state::TrackedBody;
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_is_idle_after_the_limit() {
        let begin = tokio::time::Instant::now();
        wait_for_header_timeout(&ConnectionState::default(), LIMIT).await;
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
            async move { wait_for_header_timeout(&state, LIMIT).await }
        });
        tokio::time::sleep(LIMIT * 10 + Duration::from_secs(1)).await;
        assert!(!watch.is_finished());
        drop(answer);
        state.set_flushed();
        let begin = tokio::time::Instant::now();
        watch.await.unwrap();
        let waited = begin.elapsed();
        assert!(waited >= LIMIT && waited <= LIMIT * 3 / 2, "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_that_is_not_yet_written_is_not_idle() {
        let state = Arc::new(ConnectionState::default());
        state.begin();
        drop(TrackedBody::wrap(Response::new(Body::empty()), state.clone()));
        let watch = tokio::spawn({
            let state = state.clone();
            async move { wait_for_header_timeout(&state, LIMIT).await }
        });
        tokio::time::sleep(LIMIT * 10 + Duration::from_secs(1)).await;
        assert!(!watch.is_finished());
        state.set_flushed();
        watch.await.unwrap();
    }
}
