//! The body of an open stream: the pieces of the handler, until the service stops or a time is up.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use futures_util::Stream;
use http_body::Frame;

use super::deadlines::StreamDeadlines;
use super::registry::{EndReason, StreamAdmission};
use crate::error::BoxError;

/// The pieces of a handler, written as they are sent.
pub(super) type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, BoxError>> + Send>>;

/// A body that ends between two pieces, never within one.
pub(super) struct LiveBody {
    pieces: Pieces,
    deadlines: StreamDeadlines,
    /// The piece sent when nothing else was for a while.
    heartbeat: Bytes,
    /// The piece sent last if the service stops.
    last: Bytes,
    has_ended: bool,
}

type PiecePoll = Poll<Option<Result<Frame<Bytes>, BoxError>>>;

impl LiveBody {
    /// Returns the body of an admitted stream. `heartbeat` and `last` may be empty: then nothing is
    /// sent.
    pub fn start(
        pieces: Pieces,
        admission: StreamAdmission,
        heartbeat: Bytes,
        last: Bytes,
    ) -> Body {
        let deadlines = StreamDeadlines::start(admission);
        Body::new(Self { pieces, deadlines, heartbeat, last, has_ended: false })
    }

    /// Ends the body, with the last piece if the service stops.
    fn end(&mut self, reason: EndReason) -> PiecePoll {
        self.has_ended = true;
        self.deadlines.set_reason(reason);
        if reason == EndReason::Stopped && !self.last.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.last)))));
        }
        Poll::Ready(None)
    }

    fn poll_pieces(&mut self, cx: &mut Context<'_>) -> PiecePoll {
        // Stands if the handler's stream panics, because the guard is dropped then.
        self.deadlines.set_reason(EndReason::Failed);
        let polled = self.pieces.as_mut().poll_next(cx);
        self.deadlines.set_reason(EndReason::ClientGone);
        match polled {
            Poll::Ready(Some(Ok(piece))) => {
                self.deadlines.record_activity();
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Poll::Ready(Some(Err(error))) => {
                self.deadlines.set_reason(EndReason::Failed);
                self.has_ended = true;
                Poll::Ready(Some(Err(error)))
            }
            Poll::Ready(None) => self.end(EndReason::Finished),
            Poll::Pending => self.poll_heartbeat(cx),
        }
    }

    fn poll_heartbeat(&mut self, cx: &mut Context<'_>) -> PiecePoll {
        if !self.heartbeat.is_empty() && self.deadlines.poll_heartbeat(cx).is_ready() {
            return Poll::Ready(Some(Ok(Frame::data(self.heartbeat.clone()))));
        }
        Poll::Pending
    }
}

impl http_body::Body for LiveBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> PiecePoll {
        if self.has_ended {
            return Poll::Ready(None);
        }
        // Asked first, because a handler's stream that is always ready would never be ended.
        match self.deadlines.poll_end(cx) {
            Poll::Ready(reason) => self.end(reason),
            Poll::Pending => self.poll_pieces(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.has_ended
    }
}
