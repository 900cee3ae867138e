//! The task of one stream, which ends it if its client takes nothing of the response.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};
use tracing::debug;

use super::connection_state::Http2State;
use super::stream_body::StreamProgress;

tokio::task_local! {
    /// The progress of the stream whose task runs.
    static PROGRESS: Arc<StreamProgress>;
}

/// Returns the progress of the stream whose task runs.
///
/// # Panics
/// Outside of the task of a stream.
pub(super) fn current_progress() -> Arc<StreamProgress> {
    PROGRESS.with(Arc::clone)
}

/// Starts the tasks of a connection's streams.
#[derive(Clone)]
pub(super) struct StreamExecutor {
    pub state: Arc<Http2State>,
    pub write_timeout: Duration,
}

impl<F> hyper::rt::Executor<F> for StreamExecutor
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        tokio::spawn(StreamTask {
            future,
            progress: Arc::new(StreamProgress::new(self.state.clone())),
            write_timeout: self.write_timeout,
            check: None,
            idle_checks: 0,
        });
    }
}

pin_project! {
    /// A stream, from its request to the end of its response.
    ///
    /// Dropping hyper's future is what resets a stream: hyper has no other way to end one.
    struct StreamTask<F> {
        #[pin]
        future: F,
        progress: Arc<StreamProgress>,
        write_timeout: Duration,
        // Set while bytes wait for the client, so that most streams need no timer.
        check: Option<Pin<Box<Sleep>>>,
        idle_checks: u8,
    }
}

impl<F: Future<Output = ()>> Future for StreamTask<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let (future, progress) = (this.future, &*this.progress);
        if PROGRESS.sync_scope(progress.clone(), || future.poll(cx)).is_ready() {
            return Poll::Ready(());
        }
        if !progress.is_waiting() {
            *this.check = None;
            return Poll::Pending;
        }
        let half = *this.write_timeout / 2;
        let check = this.check.get_or_insert_with(|| {
            *this.idle_checks = 0;
            Box::pin(tokio::time::sleep(half))
        });
        while check.as_mut().poll(cx).is_ready() {
            *this.idle_checks = if progress.take_moved() { 0 } else { *this.idle_checks + 1 };
            // Two, because the last write may have been just before the check that saw it.
            if *this.idle_checks == 2 {
                debug!("A stream is reset: its client takes nothing of the response");
                return Poll::Ready(());
            }
            check.as_mut().reset(Instant::now() + half);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use bytes::Buf;
    use http_body_util::BodyExt;

    use super::super::connection_state::ActiveStream;
    use super::super::stream_body::StreamBody;
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    /// Runs a stream that takes a byte at a time, `pause` apart. Returns the time that it lived.
    async fn lifetime(pause: Duration, bytes: &'static [u8]) -> Duration {
        let state = Arc::new(Http2State::default());
        let begin = Instant::now();
        let active = ActiveStream::begin(&state);
        let stream = async move {
            let mut body = StreamBody::new(Body::from(bytes), current_progress(), active);
            while let Some(Ok(frame)) = body.frame().await {
                let mut data = frame.into_data().unwrap();
                while data.has_remaining() {
                    tokio::time::sleep(pause).await;
                    data.advance(1);
                }
            }
        };
        let progress = Arc::new(StreamProgress::new(state));
        let (future, write_timeout) = (stream, LIMIT);
        StreamTask { future, progress, write_timeout, check: None, idle_checks: 0 }.await;
        begin.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_ends_its_stream() {
        let lived = lifetime(LIMIT * 100, b"never").await;
        assert!(lived >= LIMIT && lived <= LIMIT * 3 / 2 + Duration::from_millis(5), "{lived:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_little_but_steadily_gets_all() {
        let lived = lifetime(LIMIT / 2, b"slow but steady").await;
        assert!(lived >= LIMIT / 2 * 15, "{lived:?}");
    }
}
