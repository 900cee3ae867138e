//! The state of a connection with HTTP/2: its streams, and whether anything happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::http::server::connection_state::ConnectionState;
use crate::http::server::idle_watch;

/// Number of cancelled streams from which on their share is limited. Pages that search while their user
/// types cancel some streams, too.
const MAX_CANCELLED_STREAMS: u64 = 100;

/// The state of one connection, shared by its streams.
#[derive(Debug, Default)]
pub(super) struct Http2State {
    /// The state by which a full listener chooses the connections that it closes.
    connection: Arc<ConnectionState>,
    /// Requests that reached the router.
    served: AtomicU64,
    /// Streams from their head to the end of their response.
    active: AtomicUsize,
    /// Requests that were cancelled before they had a response.
    cancelled: AtomicU64,
    /// Set when a stream begins or ends, and when bytes of a response are written; reset by the watch.
    has_progress: AtomicBool,
    goaway: Notify,
    abuse: Notify,
}

impl Http2State {
    pub fn new(connection: Arc<ConnectionState>) -> Self {
        Self { connection, ..Self::default() }
    }

    /// Waits until another connection needs the permit of this one. Cancel safe.
    pub async fn evicted(&self) {
        self.connection.eviction.notified().await;
    }

    pub fn has_served(&self) -> bool {
        self.served.load(Ordering::Relaxed) > 0
    }

    /// Records that bytes of a response were written.
    pub fn set_progress(&self) {
        self.has_progress.store(true, Ordering::Relaxed);
    }

    /// Asks for a GOAWAY, because a response was made while the service drains.
    pub fn ask_for_goaway(&self) {
        self.goaway.notify_one();
    }

    /// Waits until a GOAWAY was asked for. Cancel safe.
    pub async fn goaway_asked(&self) {
        self.goaway.notified().await;
    }

    /// Waits until the client has cancelled more requests than a good one does: each costs the service
    /// the begin of a handler, and the client two small frames (CVE-2023-44487). Cancel safe.
    pub async fn too_many_cancelled(&self) {
        self.abuse.notified().await;
    }

    /// Returns once no stream was open for at least `timeout`, and at most half as long again. Cancel
    /// safe.
    pub async fn wait_until_idle(&self, timeout: Duration) {
        idle_watch::wait_until_idle(timeout, || self.take_activity()).await;
    }

    fn take_activity(&self) -> bool {
        let has_progress = self.has_progress.swap(false, Ordering::Relaxed);
        has_progress || self.active.load(Ordering::Relaxed) > 0
    }

    fn add_cancelled(&self) {
        let cancelled = self.cancelled.fetch_add(1, Ordering::Relaxed) + 1;
        let served = self.served.load(Ordering::Relaxed);
        if cancelled > MAX_CANCELLED_STREAMS && cancelled > served / 2 {
            self.abuse.notify_one();
        }
    }
}

/// RAII guard of the count of open streams.
#[derive(Debug)]
pub(super) struct ActiveStream {
    state: Arc<Http2State>,
    is_answered: bool,
}

impl ActiveStream {
    /// Counts a request.
    pub fn begin(state: &Arc<Http2State>) -> Self {
        state.served.fetch_add(1, Ordering::Relaxed);
        if state.active.fetch_add(1, Ordering::Relaxed) == 0 {
            state.connection.begin();
        }
        Self { state: state.clone(), is_answered: false }
    }

    /// Records that the request has its response, so that its end is not a cancellation.
    pub fn set_answered(&mut self) {
        self.is_answered = true;
    }
}

impl Drop for ActiveStream {
    fn drop(&mut self) {
        if self.state.active.fetch_sub(1, Ordering::Relaxed) == 1 {
            // A stream that begins at this moment may be taken for none: an eviction is graceful.
            self.state.connection.set_idle();
        }
        self.state.set_progress();
        if !self.is_answered {
            self.state.add_cancelled();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn is_abuse(cancelled: usize, answered: usize) -> bool {
        let state = Arc::new(Http2State::default());
        for _ in 0..answered {
            ActiveStream::begin(&state).set_answered();
        }
        for _ in 0..cancelled {
            drop(ActiveStream::begin(&state));
        }
        state.too_many_cancelled().now_or_never().is_some()
    }

    #[test]
    fn a_client_that_cancels_most_requests_is_noticed() {
        assert!(!is_abuse(100, 0));
        assert!(is_abuse(101, 0));
        assert!(!is_abuse(200, 300));
        assert!(is_abuse(301, 300));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_when_its_last_stream_has_ended() {
        let limit = Duration::from_secs(10);
        let state = Arc::new(Http2State::default());
        let stream = ActiveStream::begin(&state);
        let watch = tokio::spawn({
            let state = state.clone();
            async move { state.wait_until_idle(limit).await }
        });
        tokio::time::sleep(limit * 10 + Duration::from_secs(1)).await;
        assert!(!watch.is_finished());
        drop(stream);
        let begin = tokio::time::Instant::now();
        watch.await.unwrap();
        let waited = begin.elapsed();
        assert!(waited >= limit && waited <= limit * 3 / 2, "{waited:?}");
    }
}
