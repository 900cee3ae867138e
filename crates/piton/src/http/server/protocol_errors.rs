//! Puts the error format into the responses that hyper makes by itself: a head that is not HTTP never
//! reaches the router, and hyper responds with an empty 400, 414 or 431. A head that does not end in
//! time gets 408.
//!
//! Rewrites the bytes on the stream, because hyper has no hook for these responses. Only bytes
//! before the first request has reached the router are read: until then nothing written can be a
//! handler's, so that no handler's response can be mistaken for one of hyper's.

use std::io::{self, IoSlice};
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::StatusCode;
use hyper::rt::{Read, ReadBufCursor, Write};

use crate::error::problem_document;
use crate::http::server::connection_state::ConnectionState;
use crate::http::server::request_context::X_REQUEST_ID;
use crate::request::RequestId;

/// A stream that replaces hyper's own error responses.
pub(crate) struct ErrorRewritingIo<T> {
    stream: T,
    state: Arc<ConnectionState>,
    /// Set once the client has sent anything.
    has_received: bool,
    /// The rest of a replacement that is not written yet.
    replacement: Vec<u8>,
}

impl<T> ErrorRewritingIo<T> {
    pub fn new(stream: T, state: Arc<ConnectionState>) -> Self {
        Self { stream, state, has_received: false, replacement: Vec::new() }
    }

    fn replacement_for(&self, head: &[u8]) -> Option<Vec<u8>> {
        if self.state.has_served() { None } else { replacement_for(head) }
    }
}

/// Returns the response to send in the place of `head`, if hyper made that.
fn replacement_for(head: &[u8]) -> Option<Vec<u8>> {
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
    Some(error_response(status, detail))
}

fn error_response(status: StatusCode, detail: &str) -> Vec<u8> {
    let id = RequestId::new();
    let body = problem_document::bytes(status, detail, id);
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {}\r\ncontent-length: {}\r\n{X_REQUEST_ID}: {id}\r\nconnection: close\r\n\r\n",
        problem_document::MEDIA_TYPE,
        body.len(),
    );
    [head.into_bytes(), body].concat()
}

impl<T: Write + Unpin> ErrorRewritingIo<T> {
    /// Writes the rest of the replacement.
    fn poll_replacement(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.replacement.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.replacement))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.replacement.drain(..written);
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
        if this.state.is_timed_out() {
            // hyper sees a closed connection, so that it stops reading; the client reads the reason.
            if mem::take(&mut this.has_received) && !this.state.has_served() {
                let detail = "the head of the request did not arrive in time";
                this.replacement = error_response(StatusCode::REQUEST_TIMEOUT, detail);
            }
            return this.poll_replacement(cx);
        }
        let read = ready!(Pin::new(&mut this.stream).poll_read(cx, buffer));
        this.has_received = true;
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
        ready!(this.poll_replacement(cx))?;
        if let Some(replacement) = this.replacement_for(buffer) {
            this.replacement = replacement;
            return Poll::Ready(Ok(buffer.len()));
        }
        let written = ready!(Pin::new(&mut this.stream).poll_write(cx, buffer));
        this.state.set_moved();
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_replacement(cx))?;
        if let Some(first) = buffers.first()
            && let Some(replacement) = this.replacement_for(first)
        {
            this.replacement = replacement;
            return Poll::Ready(Ok(first.len()));
        }
        let written = ready!(Pin::new(&mut this.stream).poll_write_vectored(cx, buffers));
        this.state.set_moved();
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_replacement(cx))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_replacement(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_response_of_hyper_is_replaced_until_the_first_request_is_served() {
        let own = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
        let state = Arc::new(ConnectionState::default());
        let io = ErrorRewritingIo::new((), state.clone());
        let replacement = String::from_utf8(io.replacement_for(own).unwrap()).unwrap();
        assert!(
            replacement.starts_with(
                "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\n"
            )
        );
        assert!(replacement.ends_with('}'));
        assert_eq!(io.replacement_for(b"HTTP/1.1 404 Not Found\r\n\r\n"), None);
        state.begin();
        assert_eq!(io.replacement_for(own), None);
    }
}
