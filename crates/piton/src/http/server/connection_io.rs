//! The stream below hyper: fails a write for which the client takes too long (`write_timeout.rs`),
//! replaces hyper's own error responses (`protocol_errors.rs`), and closes the connection so that the
//! client can still read the last response.
//!
//! Closing a socket with unread data in its buffer resets the connection, and the client's system then
//! drops the response that its program has not read yet. So only the sending side is closed at first, and
//! the rest of the client's data is read and discarded for a while (RFC 9112 section 9.6).

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::connection_state::ConnectionState;
use super::protocol_errors::{head_timeout, replacement};
use super::write_timeout::WriteDeadline;

/// Time for which a closed connection is read and discarded.
pub(super) const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

/// Maximum number of bytes read and discarded on a closed connection, and of the body of one request.
pub(super) const MAX_DISCARDED_BYTES: usize = 64 << 20;

/// The stream of a connection.
pub(super) struct ConnectionIo<T> {
    stream: T,
    state: Arc<ConnectionState>,
    write_deadline: WriteDeadline,
    /// The rest of a replacement that is not written yet.
    replacement: Vec<u8>,
    /// Number of bytes of the last read.
    last_read: usize,
    /// Maximum number of bytes of the next head that came with the request before it.
    max_pipelined: usize,
    closing: Option<Closing>,
}

/// The progress of closing a connection whose sending side is closed.
enum Closing {
    /// The rest of what the client sends is discarded.
    Lingering {
        timeout: Pin<Box<Sleep>>,
        discarded: usize,
    },
    Done,
}

impl<T> ConnectionIo<T> {
    pub fn new(stream: T, state: Arc<ConnectionState>, write_timeout: Duration) -> Self {
        let (replacement, last_read, max_pipelined, closing) = Default::default();
        let write_deadline = WriteDeadline::new(write_timeout);
        Self { stream, state, write_deadline, replacement, last_read, max_pipelined, closing }
    }

    /// Counts what was written. Fails a write that waits for the client for too long.
    fn check_written(
        &mut self,
        written: Poll<io::Result<usize>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(count)) = &written {
            self.state.add_written(*count);
        }
        self.write_deadline.check(written, cx)
    }

    /// Stores the replacement of `head`, if `head` is a response that hyper made. Returns whether it is.
    fn replaces(&mut self, head: &[u8]) -> bool {
        // While a request is under way, and until its response is written, the bytes may be a handler's.
        if !self.state.is_idle() {
            return false;
        }
        let head_size = self.max_pipelined + self.state.received();
        let Some(replacement) = replacement(head, head_size) else { return false };
        self.replacement = replacement;
        self.state.set_unfinished();
        true
    }
}

impl<T: AsyncWrite + Unpin> ConnectionIo<T> {
    /// Writes the rest of the replacement.
    fn poll_replacement(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.replacement.is_empty() {
            let written = Pin::new(&mut self.stream).poll_write(cx, &self.replacement);
            let written = ready!(self.write_deadline.check(written, cx))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.replacement.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> ConnectionIo<T> {
    /// Tells the client that its head was late. hyper sees a closed connection, so that it stops reading.
    fn poll_timed_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closing.is_none() {
            // A kept connection on which nothing was sent is closed without a response.
            if self.state.received() == 0 || !self.state.is_idle() {
                return Poll::Ready(Ok(()));
            }
            // The bytes may also be the rest of a body whose response is written already.
            if !self.state.is_unfinished() && !self.state.is_draining() {
                self.replacement = head_timeout();
            }
            self.state.set_unfinished();
        }
        // hyper closes without a shutdown if the stream ends in the middle of a head.
        self.poll_close(cx)
    }

    /// Closes the sending side. If the client has not sent its whole request, or sends another, discards
    /// what it sends until it closes its side, or for [`LINGER_TIMEOUT`].
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closing.is_none() {
            ready!(self.poll_replacement(cx))?;
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.closing = Some(match self.has_unread(cx) {
                true => Closing::Lingering {
                    timeout: Box::pin(tokio::time::sleep(LINGER_TIMEOUT)),
                    discarded: 0,
                },
                false => Closing::Done,
            });
        }
        if let Some(Closing::Lingering { timeout, discarded }) = &mut self.closing {
            if poll_discard(&mut self.stream, cx, discarded).is_pending()
                && timeout.as_mut().poll(cx).is_pending()
            {
                return Poll::Pending;
            }
            self.closing = Some(Closing::Done);
        }
        Poll::Ready(Ok(()))
    }

    /// Returns whether the client sends more than was read.
    fn has_unread(&mut self, cx: &mut Context<'_>) -> bool {
        if self.state.is_unfinished() {
            return true;
        }
        let mut first = [0; 1];
        let mut buffer = ReadBuf::new(&mut first);
        let read = Pin::new(&mut self.stream).poll_read(cx, &mut buffer);
        matches!(read, Poll::Ready(Ok(()))) && !buffer.filled().is_empty()
    }
}

/// Reads and discards until the end of the stream, an error, or [`MAX_DISCARDED_BYTES`].
fn poll_discard(
    stream: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
    discarded: &mut usize,
) -> Poll<()> {
    let mut space = [0; 8 << 10];
    while *discarded < MAX_DISCARDED_BYTES {
        let mut buffer = ReadBuf::new(&mut space);
        if ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer)).is_err()
            || buffer.filled().is_empty()
        {
            break;
        }
        *discarded += buffer.filled().len();
    }
    Poll::Ready(())
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for ConnectionIo<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.state.is_timed_out() {
            return this.poll_timed_out(cx);
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
        this.last_read = buffer.filled().len() - before;
        this.state.add_received(this.last_read);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ConnectionIo<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_replacement(cx))?;
        if this.replaces(buffer) {
            return Poll::Ready(Ok(buffer.len()));
        }
        let written = Pin::new(&mut this.stream).poll_write(cx, buffer);
        this.check_written(written, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_replacement(cx))?;
        if let Some(first) = buffers.first()
            && this.replaces(first)
        {
            return Poll::Ready(Ok(first.len()));
        }
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, buffers);
        this.check_written(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_replacement(cx))?;
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        ready!(this.write_deadline.check(flushed, cx))?;
        if this.state.set_flushed() {
            this.max_pipelined = this.last_read;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_close(cx)
    }
}
