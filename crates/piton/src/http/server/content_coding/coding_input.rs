//! The compressed bytes that a decoder reads, a few at a time.
//!
//! A decoder reads on until it has output, and some inputs have none: 2 MiB of empty gzip members take a
//! second, during which neither other tasks run nor the request can be cancelled. So the decoder yields
//! after a few kilobytes of input.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

/// Maximum number of compressed bytes that are decoded without a yield. The worst are gzip members of 20
/// bytes, at 10 µs each: 2 ms.
const MAX_UNYIELDED_BYTES: usize = 4 << 10;

/// A reader of compressed bytes that is pending now and then, for other tasks to run.
pub(super) struct CodingInput<R> {
    reader: R,
    /// Number of bytes that were read since the last yield.
    unyielded: usize,
}

impl<R> CodingInput<R> {
    pub fn new(reader: R) -> Self {
        Self { reader, unyielded: 0 }
    }
}

impl<R: AsyncBufRead + Unpin> AsyncBufRead for CodingInput<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if this.unyielded >= MAX_UNYIELDED_BYTES {
            this.unyielded = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let bytes = ready!(Pin::new(&mut this.reader).poll_fill_buf(cx))?;
        Poll::Ready(Ok(&bytes[..bytes.len().min(MAX_UNYIELDED_BYTES - this.unyielded)]))
    }

    fn consume(self: Pin<&mut Self>, count: usize) {
        let this = self.get_mut();
        this.unyielded += count;
        Pin::new(&mut this.reader).consume(count);
    }
}

impl<R: AsyncBufRead + Unpin> AsyncRead for CodingInput<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let bytes = ready!(self.as_mut().poll_fill_buf(cx))?;
        let count = bytes.len().min(buffer.remaining());
        buffer.put_slice(&bytes[..count]);
        self.consume(count);
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn a_reader_yields_and_loses_nothing() {
        let bytes = vec![7; 3 * MAX_UNYIELDED_BYTES];
        let mut input = CodingInput::new(bytes.as_slice());
        let mut read = Vec::new();
        let mut polls = 0;
        {
            let mut reading = std::pin::pin!(input.read_to_end(&mut read));
            poll_fn(|cx| {
                polls += 1;
                reading.as_mut().poll(cx)
            })
            .await
            .unwrap();
        }
        assert_eq!((read == bytes, polls), (true, 4));
    }
}
