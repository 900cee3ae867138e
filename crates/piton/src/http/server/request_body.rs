//! The body of an HTTP/1 request, and the part of it that no handler reads.
//!
//! A response may be ready before the body has arrived: a refusal by a guard, or a handler that takes no
//! body. hyper then closes the connection, without `connection: close` in the response and with data
//! unread, which resets it: the client loses the response, or its next request. So a small rest is read
//! and discarded, and the connection is kept; with a large or unknown rest the response says `connection:
//! close` (RFC 9112 section 9.6), and the rest is discarded until the response is written, because a client that
//! does not read before it has sent everything would wait for the server as the server waits for it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::connection_io::{LINGER_TIMEOUT, MAX_DISCARDED_BYTES};
use super::connection_state::ConnectionState;
use super::discarded_body::discard;

/// Maximum rest of a body that is read to keep the connection. Reading it takes the client as long as a new
/// connection or less, up to some hundred kilobytes.
const MAX_DRAINED_BYTES: usize = 256 << 10;

/// Maximum number of times that the connection is let read on before its response is decided.
const MAX_YIELDS: usize = 2;

/// The body of a request. When it is dropped, its connection gets the part that was not read.
pub(super) struct RequestBody {
    /// `None` once it has ended.
    incoming: Option<Incoming>,
    /// `None` for a request without a body.
    state: Option<Arc<ConnectionState>>,
    /// Set if the client sends the body only when it is asked to.
    awaits_continue: bool,
}

/// The part of a body that was dropped unread.
#[derive(Debug)]
pub(super) struct UnreadBody {
    incoming: Incoming,
    awaits_continue: bool,
}

/// The owner of the body of a connection's request.
#[derive(Debug, Default)]
pub(super) enum BodyHandover {
    /// A handler may read it.
    #[default]
    Reading,
    /// A body that was dropped before the response was ready.
    Unread(UnreadBody),
    /// A handler may read it although the head of the response is on its way.
    Answered,
    /// The rest is discarded, to keep the connection.
    Draining,
}

impl RequestBody {
    /// Wraps the body of `request`. Returns whether there is one.
    pub fn wrap(request: Request<Incoming>, state: &Arc<ConnectionState>) -> (Request<Self>, bool) {
        if request.body().is_end_stream() {
            // Nearly every request ends here.
            let empty =
                |incoming| Self { incoming: Some(incoming), state: None, awaits_continue: false };
            return (request.map(empty), false);
        }
        *state.body.lock() = BodyHandover::Reading;
        let awaits_continue = awaits_continue(request.headers());
        let wrap = |incoming| Self {
            incoming: Some(incoming),
            state: Some(state.clone()),
            awaits_continue,
        };
        (request.map(wrap), true)
    }
}

fn awaits_continue(headers: &HeaderMap) -> bool {
    headers
        .get(header::EXPECT)
        .is_some_and(|expected| expected.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        // hyper does not report the end of a body that outlasts its response before the next request.
        let Some(incoming) = this.incoming.as_mut().filter(|body| !body.is_end_stream()) else {
            return Poll::Ready(None);
        };
        this.awaits_continue = false;
        let polled = Pin::new(incoming).poll_frame(cx);
        match &polled {
            Poll::Ready(None) => this.incoming = None,
            Poll::Ready(Some(Err(_))) => {
                this.incoming = None;
                this.state.iter().for_each(|state| state.set_unfinished());
            }
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or(SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let Some(state) = self.state.take() else { return };
        let Some(incoming) = self.incoming.take().filter(|body| !body.is_end_stream()) else {
            return;
        };
        let unread = UnreadBody { incoming, awaits_continue: self.awaits_continue };
        let mut handover = state.body.lock();
        if matches!(*handover, BodyHandover::Answered) {
            drop(handover);
            unread.finish_late(state);
        } else {
            *handover = BodyHandover::Unread(unread);
        }
    }
}

/// Discards the unread body of a request whose response is ready. Adds `connection: close` to the response
/// unless the body has ended, its rest is small, or the handler is still reading it.
pub(super) async fn settle<B>(state: &Arc<ConnectionState>, response: &mut http::Response<B>) {
    if let Some(unread) = take_unread(state) {
        // A body that was too late is not waited for any longer.
        let may_keep = response.status() != StatusCode::REQUEST_TIMEOUT;
        unread.finish(state, may_keep).await;
    }
    // With a 101 the header names the upgrade (RFC 9110, section 7.8).
    if state.is_unfinished() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

fn take_unread(state: &ConnectionState) -> Option<UnreadBody> {
    match std::mem::replace(&mut *state.body.lock(), BodyHandover::Answered) {
        BodyHandover::Unread(unread) => Some(unread),
        _ => None,
    }
}

impl UnreadBody {
    /// Discards what has arrived, and the rest in the background.
    async fn finish(mut self, state: &Arc<ConnectionState>, may_keep: bool) {
        if self.awaits_continue {
            // Reading would ask the client for the body. Whether it sends the body unasked is unknown.
            state.set_unfinished();
            return;
        }
        for _ in 0..=MAX_YIELDS {
            if discard_arrived(&mut self.incoming) {
                return;
            }
            if self.rest().is_some() {
                break;
            }
            // hyper hands over the end of a chunked body only when the connection is polled again.
            tokio::task::yield_now().await;
        }
        self.finish_in_background(state.clone(), may_keep);
    }

    /// Discards the rest of a body that the handler has dropped after its response's head was sent.
    fn finish_late(mut self, state: Arc<ConnectionState>) {
        if !discard_arrived(&mut self.incoming) {
            self.finish_in_background(state, true);
        }
    }

    fn finish_in_background(self, state: Arc<ConnectionState>, may_keep: bool) {
        if may_keep && self.rest().is_some_and(|rest| rest <= MAX_DRAINED_BYTES as u64) {
            *state.body.lock() = BodyHandover::Draining;
            tokio::spawn(drain(self.incoming, state));
        } else {
            state.set_unfinished();
            tokio::spawn(discard_until_written(self.incoming, state));
        }
    }

    /// Returns the number of bytes to come, if the client has announced it.
    fn rest(&self) -> Option<u64> {
        self.incoming.size_hint().exact()
    }
}

/// Discards what can be read at once. Returns whether the body has ended.
fn discard_arrived(incoming: &mut Incoming) -> bool {
    use futures_util::FutureExt;
    while !incoming.is_end_stream() {
        match incoming.frame().now_or_never() {
            Some(Some(Ok(_))) => {}
            Some(Some(Err(_))) | None => return false,
            Some(None) => return true,
        }
    }
    true
}

/// Discards the body. A client that does not send it is ended by `http.header_timeout`.
async fn drain(mut incoming: Incoming, state: Arc<ConnectionState>) {
    discard(&mut incoming, MAX_DRAINED_BYTES, Duration::MAX).await;
    let mut handover = state.body.lock();
    // The next request may have begun.
    if matches!(*handover, BodyHandover::Draining) {
        *handover = BodyHandover::Answered;
        state.reset_received();
    }
}

/// Discards the body until the response is written. The connection then discards the rest itself
/// (`connection_io.rs`), for as long again.
async fn discard_until_written(mut incoming: Incoming, state: Arc<ConnectionState>) {
    tokio::select! {
        () = discard(&mut incoming, MAX_DISCARDED_BYTES, Duration::MAX) => {}
        () = state.last_response_written.notified() => {}
        () = tokio::time::sleep(LINGER_TIMEOUT) => {}
    }
}
