//! Ends a connection whose client does not read its response (`http.write_timeout`).
//!
//! Progress is what the client has received, not what the socket takes: its buffer may hold megabytes, and is
//! reported as writable only when a third of it is free, so that a client that reads 20 kB a second would
//! seem to have stopped. So the part of the buffer that is not yet sent is kept small, and a write that
//! waits means that the client receives nothing. The kernel's own `TCP_USER_TIMEOUT` was tried: it also ends
//! clients with small buffers that read steadily (decision 0023).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tracing::debug;

/// Maximum number of bytes that wait in the buffer of a socket to be sent. A waiting write goes on when half of
/// them are sent, so that a client that reads 1.1 kB a second is not cut off by the default timeout.
const MAX_UNSENT_BYTES: u32 = 64 << 10;

/// Keeps the unsent part of the socket's buffer small.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn limit_unsent(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    if let Err(error) = socket.set_tcp_notsent_lowat(MAX_UNSENT_BYTES) {
        debug!("Clients that read slowly may be cut off: {error}");
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn limit_unsent(_: &TcpStream) {}

/// The time at which a write that waits for the client fails.
#[derive(Debug)]
pub(super) struct WriteDeadline {
    timeout: Duration,
    /// Created by the first write that waits, which most connections never have.
    timer: Option<Pin<Box<Sleep>>>,
    is_waiting: bool,
}

impl WriteDeadline {
    pub fn new(timeout: Duration) -> Self {
        Self { timeout, timer: None, is_waiting: false }
    }

    /// Passes on the result of a write or flush. Begins to wait if that is pending, and ends with the wait.
    ///
    /// # Errors
    /// The result's own, or `TimedOut` once it has been pending for the timeout without a result between.
    pub fn check<R>(
        &mut self,
        polled: Poll<io::Result<R>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<R>> {
        if polled.is_ready() {
            self.is_waiting = false;
            return polled;
        }
        self.poll_timer(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timeout = self.timeout;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        if !self.is_waiting {
            timer.as_mut().reset(Instant::now() + timeout);
            self.is_waiting = true;
        }
        timer.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_write_that_waits_for_long_fails_and_a_slow_one_does_not() {
        let mut deadline = WriteDeadline::new(LIMIT);
        for _ in 0..20 {
            let pending = poll_fn(|cx| deadline.check(Poll::<io::Result<()>>::Pending, cx));
            assert!(tokio::time::timeout(LIMIT / 2, pending).await.is_err());
            poll_fn(|cx| deadline.check(Poll::Ready(Ok(())), cx)).await.unwrap();
        }
        let begin = tokio::time::Instant::now();
        let error = poll_fn(|cx| deadline.check(Poll::<io::Result<()>>::Pending, cx)).await;
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(begin.elapsed(), LIMIT);
    }
}
