//! The task of one stream, which ends it if its client takes nothing of the response.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use pin_project_lite::pin_project;
use tracing::debug;

use super::connection_state::Http2State;
use super::stream_body::StreamProgress;
use crate::http::server::idle_watch::wait_until_idle;

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
            idle: None,
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
        idle: Option<BoxFuture<'static, ()>>,
    }
}

impl<F: Future<Output = ()>> Future for StreamTask<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let (future, progress) = (this.future, this.progress);
        if PROGRESS.sync_scope(progress.clone(), || future.poll(cx)).is_ready() {
            return Poll::Ready(());
        }
        if !progress.is_waiting() {
            *this.idle = None;
            return Poll::Pending;
        }
        let idle = this.idle.get_or_insert_with(|| {
            let progress = progress.clone();
            wait_until_idle(*this.write_timeout, move || progress.take_progress()).boxed()
        });
        if idle.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        debug!("A stream is reset: its client takes nothing of the response");
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use bytes::Buf;
    use http_body_util::BodyExt;
    use tokio::time::Instant;

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
        StreamTask { future, progress, write_timeout, idle: None }.await;
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
