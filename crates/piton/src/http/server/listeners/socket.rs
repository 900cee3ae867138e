//! An accepted connection over TCP or a Unix socket, with the bytes that were read to find out its protocol.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// A connection over TCP or over a Unix socket.
///
/// One type for both, because the compiler would otherwise build hyper's connections twice: a branch
/// per read and write, against seconds of every build.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: SocketStream,
    /// Bytes that were read to find out the protocol, and are read again.
    ahead: Bytes,
}

#[derive(Debug)]
enum SocketStream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Self {
        Self { stream: SocketStream::Tcp(stream), ahead: Bytes::new() }
    }
}

impl From<UnixStream> for Socket {
    fn from(stream: UnixStream) -> Self {
        Self { stream: SocketStream::Unix(stream), ahead: Bytes::new() }
    }
}

impl Socket {
    /// Returns whether the connection begins with `preface`. Reads no further than the first byte that
    /// differs needs. Not cancel safe: bytes that were read are lost.
    pub async fn begins_with(&mut self, preface: &[u8]) -> io::Result<bool> {
        let mut ahead = Vec::with_capacity(MAX_AHEAD);
        while ahead.len() < preface.len() && preface.starts_with(&ahead) {
            if self.read_buf(&mut ahead).await? == 0 {
                break;
            }
        }
        let begins = ahead.starts_with(preface);
        self.ahead = ahead.into();
        Ok(begins)
    }

    /// Returns the bytes that arrive first, none if the stream ends. Not cancel safe: bytes that were read are lost.
    pub async fn first_bytes(&mut self) -> io::Result<&[u8]> {
        let mut ahead = Vec::with_capacity(MAX_AHEAD);
        self.read_buf(&mut ahead).await?;
        self.ahead = ahead.into();
        Ok(&self.ahead)
    }
}

/// Bytes to read ahead at most: a whole small request, so that it costs no second call of the system.
const MAX_AHEAD: usize = 2 << 10;

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.ahead.is_empty() {
            let length = this.ahead.len().min(buffer.remaining());
            buffer.put_slice(&this.ahead[..length]);
            this.ahead.advance(length);
            if this.ahead.is_empty() {
                // An empty `Bytes` keeps its memory, for as long as the connection lives.
                this.ahead = Bytes::new();
            }
            return Poll::Ready(Ok(()));
        }
        match &mut this.stream {
            SocketStream::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            SocketStream::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            SocketStream::Tcp(stream) => Pin::new(stream).poll_write(cx, buffer),
            SocketStream::Unix(stream) => Pin::new(stream).poll_write(cx, buffer),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            SocketStream::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, buffers),
            SocketStream::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, buffers),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            SocketStream::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            SocketStream::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            SocketStream::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            SocketStream::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    async fn sent(pieces: &[&str], preface: &str) -> (bool, String) {
        let (mut client, server) = UnixStream::pair().unwrap();
        let mut socket = Socket::from(server);
        let pieces: Vec<String> = pieces.iter().map(|piece| (*piece).to_owned()).collect();
        let writes = tokio::spawn(async move {
            for piece in pieces {
                client.write_all(piece.as_bytes()).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let begins = socket.begins_with(preface.as_bytes()).await.unwrap();
        writes.await.unwrap();
        let mut all = String::new();
        socket.read_to_string(&mut all).await.unwrap();
        (begins, all)
    }

    #[tokio::test]
    async fn bytes_that_were_read_ahead_are_read_again() {
        assert_eq!(sent(&["PRI * and more"], "PRI *").await, (true, "PRI * and more".into()));
        assert_eq!(sent(&["P", "RI", " * x"], "PRI *").await, (true, "PRI * x".into()));
        assert_eq!(sent(&["PR"], "PRI *").await, (false, "PR".into()));
        assert_eq!(sent(&[], "PRI *").await, (false, String::new()));
        let (mut client, server) = UnixStream::pair().unwrap();
        let mut socket = Socket::from(server);
        client.write_all(b"\x16\x03\x01").await.unwrap();
        drop(client);
        assert_eq!(socket.first_bytes().await.unwrap(), b"\x16\x03\x01");
        let mut all = Vec::new();
        socket.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"\x16\x03\x01");
        assert_eq!(socket.first_bytes().await.unwrap(), b"");
        let long = "PUT / ".repeat(1000);
        assert_eq!(sent(&[&long], "PRI *").await, (false, long.clone()));
    }
}
