//! The stream under a connection, which puts our error format into the answers that hyper makes
//! by itself: a head that is not HTTP never reaches the router, and hyper answers it with an empty
//! 400, 414 or 431. A head that does not end in time is answered 408.
//!
//! Only what goes out before the first request has reached the router is looked at: until then
//! nothing written can be ours, so no answer of a handler can be mistaken for one of hyper's.

use std::io::{self, IoSlice};
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::StatusCode;
use hyper::rt::{Read, ReadBufCursor, Write};

use crate::context::RequestId;
use crate::error::problem;
use crate::http::server::connection_state::ConnectionState;
use crate::http::server::stack::X_REQUEST_ID;

/// A stream whose outgoing heads are looked at.
pub(crate) struct ErrorRewritingIo<T> {
    stream: T,
    exchange: Arc<ConnectionState>,
    /// Whether the client has sent anything.
    heard: bool,
    /// An answer put in the place of hyper's, as far as it is not written yet.
    instead: Vec<u8>,
}

impl<T> ErrorRewritingIo<T> {
    pub fn new(stream: T, exchange: Arc<ConnectionState>) -> Self {
        Self { stream, exchange, heard: false, instead: Vec::new() }
    }

    fn instead_of(&self, head: &[u8]) -> Option<Vec<u8>> {
        if self.exchange.has_served() { None } else { instead_of(head) }
    }
}

/// The answer to send in the place of `head`, if that is one that hyper made.
fn instead_of(head: &[u8]) -> Option<Vec<u8>> {
    let rest = head.strip_prefix(b"HTTP/1.1 4").or_else(|| head.strip_prefix(b"HTTP/1.0 4"))?;
    let (status, detail) = match rest.get(..2)? {
        b"00" => {
            (StatusCode::BAD_REQUEST, "the request is not HTTP as this service understands it")
        }
        b"14" => (StatusCode::URI_TOO_LONG, "the request's target is too long"),
        b"31" => {
            (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "the request's headers are too large")
        }
        _ => return None,
    };
    Some(answer(status, detail))
}

fn answer(status: StatusCode, detail: &str) -> Vec<u8> {
    let id = RequestId::new();
    let body = problem::bytes(status, detail, id);
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {}\r\ncontent-length: {}\r\n{X_REQUEST_ID}: {id}\r\nconnection: close\r\n\r\n",
        problem::MEDIA_TYPE,
        body.len(),
    );
    [head.into_bytes(), body].concat()
}

impl<T: Write + Unpin> ErrorRewritingIo<T> {
    /// Writes what is left of the answer put in hyper's place.
    fn poll_instead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.instead.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.instead))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.instead.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: Read + Write + Unpin> Read for ErrorRewritingIo<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.exchange.is_given_up() {
            // To hyper it looks as if the client had closed; the client reads why.
            if mem::take(&mut this.heard) && !this.exchange.has_served() {
                let detail = "the head of the request did not arrive in time";
                this.instead = answer(StatusCode::REQUEST_TIMEOUT, detail);
            }
            return this.poll_instead(cx);
        }
        let read = ready!(Pin::new(&mut this.stream).poll_read(cx, buffer));
        this.heard = true;
        Poll::Ready(read)
    }
}

impl<T: Write + Unpin> Write for ErrorRewritingIo<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_instead(cx))?;
        if let Some(instead) = this.instead_of(buffer) {
            this.instead = instead;
            return Poll::Ready(Ok(buffer.len()));
        }
        let written = ready!(Pin::new(&mut this.stream).poll_write(cx, buffer));
        this.exchange.moved();
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_instead(cx))?;
        if let Some(first) = buffers.first()
            && let Some(instead) = this.instead_of(first)
        {
            this.instead = instead;
            return Poll::Ready(Ok(first.len()));
        }
        let written = ready!(Pin::new(&mut this.stream).poll_write_vectored(cx, buffers));
        this.exchange.moved();
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_instead(cx))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_instead(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_hypers_own_is_replaced_until_the_first_request_is_served() {
        let own = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
        let exchange = Arc::new(ConnectionState::default());
        let polite = ErrorRewritingIo::new((), exchange.clone());
        let instead = String::from_utf8(polite.instead_of(own).unwrap()).unwrap();
        assert!(
            instead.starts_with(
                "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\n"
            )
        );
        assert!(instead.ends_with('}'));
        assert_eq!(polite.instead_of(b"HTTP/1.1 404 Not Found\r\n\r\n"), None);
        exchange.begin();
        assert_eq!(polite.instead_of(own), None);
    }
}
