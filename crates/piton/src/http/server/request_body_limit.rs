//! Limits the body of a request (`http.body_limit`) and charges it to `http.memory_budget`.
//!
//! A request is charged for its body as that arrives, not as it is announced: otherwise a client
//! could use up the budget by a header alone. The charge lasts until the request has ended, because
//! most handlers keep what they read from a body. A large body that a handler reads piece by piece
//! and releases, such as an upload to a file, is charged only for the pieces in memory. An extractor
//! that copies all pieces into a buffer of its own announces it ([`BodyReader`](crate::request::body_state::BodyReader)), because the
//! pieces that it drops would release the charge of what it has copied.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http::Request;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::Limited;

use super::body_limit_errors::{BodyExceedsBudget, BudgetExhausted};
use super::in_flight::{BodyWaitGuard, BodyWaits};
use crate::config::ByteSize;
use crate::error::BoxError;
use crate::memory::MemoryBudget;
use crate::request::body_state::{BodyRefusal, BodyState, MAX_KEPT};

/// Pieces below this size are joined, as far as more of them can be read at once, and copied. As
/// hyper hands them over they keep the whole buffer that they were read into, 8 KiB or more: a body
/// sent byte by byte would take thousands of times its size.
const COPIED_BELOW: usize = 16 << 10;

/// Limits the body of a request, and charges it as it arrives.
///
/// # Errors
/// The announced body is larger than `limit`, or there is no room for it in the budget.
pub(crate) fn limit<B>(
    request: Request<B>,
    limit: usize,
    budget: &Arc<MemoryBudget>,
    waits: &Arc<BodyWaits>,
) -> Result<(Request<Body>, Option<Arc<BodyState>>), BodyRefusal>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    let (parts, body) = request.into_parts();
    // Nearly every GET ends here, so it costs no allocation.
    if body.is_end_stream() {
        return Ok((Request::from_parts(parts, Body::empty()), None));
    }
    let announced = body.size_hint().lower();
    let max_size = ByteSize::bytes(limit as u64);
    if announced > max_size.as_u64() {
        return Err(BodyRefusal::AboveLimit(max_size));
    }
    if !budget.could_hold(announced.min(MAX_KEPT)) {
        return Err(BodyRefusal::TooLarge);
    }
    // A body beyond `MAX_KEPT` may be read piece by piece, so it may never take more than that.
    if !budget.has_room_for(announced.min(MAX_KEPT)) {
        return Err(BodyRefusal::BudgetExhausted);
    }
    let state = BodyState::new(max_size, budget);
    let body = BudgetedBody::new(Limited::new(body, limit), state.clone(), waits.clone());
    Ok((Request::from_parts(parts, Body::new(body)), Some(state)))
}

/// A body that fails above its limit, or where there is no room for it.
struct BudgetedBody<B> {
    /// `None` once the body was refused, or has ended.
    body: Option<Limited<B>>,
    /// Small pieces that are joined. Empty while nothing more can be read at once.
    joined: Vec<u8>,
    /// Set after a yield to the connection, which hands over its next piece only then.
    yielded: bool,
    /// The frame that ended the joining, or the error.
    next: Option<Result<Frame<Bytes>, BoxError>>,
    state: Arc<BodyState>,
    waits: Arc<BodyWaits>,
    /// Held while the reader waits for the client.
    wait: Option<BodyWaitGuard>,
}

impl<B> BudgetedBody<B>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    fn new(body: Limited<B>, state: Arc<BodyState>, waits: Arc<BodyWaits>) -> Self {
        let (joined, yielded, next, wait) = Default::default();
        Self { body: Some(body), joined, yielded, next, state, waits, wait }
    }

    fn set_waiting(&mut self, waiting: bool) {
        self.state.set_waiting(waiting);
        if waiting != self.wait.is_some() {
            self.wait = waiting.then(|| BodyWaitGuard::new(&self.waits));
        }
    }

    /// Returns the next frame, with small pieces joined.
    fn poll_joined(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            if let Some(next) = self.next.take() {
                return Poll::Ready(Some(next));
            }
            let Some(body) = &mut self.body else { return Poll::Ready(None) };
            let polled = Pin::new(&mut *body).poll_frame(cx);
            if polled.is_pending() && !self.joined.is_empty() && !self.yielded {
                self.yielded = true;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let is_last = body.is_end_stream();
            self.set_waiting(polled.is_pending());
            let frame = match polled {
                Poll::Pending if self.joined.is_empty() => return Poll::Pending,
                Poll::Pending => return Poll::Ready(Some(Ok(self.take_joined()))),
                Poll::Ready(None) => {
                    self.body = None;
                    if self.joined.is_empty() {
                        return Poll::Ready(None);
                    }
                    return Poll::Ready(Some(Ok(self.take_joined())));
                }
                Poll::Ready(Some(frame)) => frame,
            };
            self.yielded = false;
            match frame.map(Frame::into_data) {
                Ok(Ok(piece)) if self.is_joinable(&piece, is_last) => {
                    self.joined.extend_from_slice(&piece);
                    if is_last || self.joined.len() >= COPIED_BELOW {
                        return Poll::Ready(Some(Ok(self.take_joined())));
                    }
                    continue;
                }
                Ok(Ok(piece)) => self.next = Some(Ok(Frame::data(piece))),
                Ok(Err(trailers)) => self.next = Some(Ok(trailers)),
                Err(error) => self.next = Some(Err(error)),
            }
            if !self.joined.is_empty() {
                return Poll::Ready(Some(Ok(self.take_joined())));
            }
        }
    }

    fn is_joinable(&self, piece: &Bytes, is_last: bool) -> bool {
        // Nearly every body is one piece, which is forwarded without a copy.
        let is_alone = is_last && self.joined.is_empty();
        piece.len() < COPIED_BELOW && !is_alone && !self.state.is_buffered()
    }

    fn take_joined(&mut self) -> Frame<Bytes> {
        self.yielded = false;
        // `into_boxed_slice` drops unused capacity, because the handler may keep the piece.
        Frame::data(std::mem::take(&mut self.joined).into_boxed_slice().into())
    }

    /// Returns whether nothing comes after what was handed over.
    fn has_ended(&self) -> bool {
        self.next.is_none() && self.body.as_ref().is_none_or(Limited::is_end_stream)
    }
}

impl<B> Drop for BudgetedBody<B> {
    fn drop(&mut self) {
        // The time after it is the handler's own.
        self.state.set_waiting(false);
    }
}

impl<B> http_body::Body for BudgetedBody<B>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let frame = match this.poll_joined(cx) {
            Poll::Ready(Some(Ok(frame))) => frame,
            Poll::Ready(None) => {
                this.state.ended();
                return Poll::Ready(None);
            }
            other => return other,
        };
        let piece = match frame.into_data() {
            Ok(piece) => piece,
            Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
        };
        let taken = this.state.take(piece, this.has_ended());
        let taken = taken.map(Frame::data).map_err(|refused| {
            this.state.refuse(refused);
            this.next = None;
            this.body = None;
            match refused {
                BodyRefusal::BudgetExhausted => BoxError::from(BudgetExhausted),
                _ => BodyExceedsBudget.into(),
            }
        });
        Poll::Ready(Some(taken))
    }

    fn is_end_stream(&self) -> bool {
        self.joined.is_empty() && self.has_ended()
    }

    fn size_hint(&self) -> SizeHint {
        let next = self.next.as_ref().and_then(|next| next.as_ref().ok()?.data_ref());
        let before = (self.joined.len() + next.map_or(0, Bytes::len)) as u64;
        let rest = self.body.as_ref().map_or(SizeHint::with_exact(0), Limited::size_hint);
        let mut hint = SizeHint::new();
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + before);
        }
        hint.set_lower(rest.lower() + before);
        hint
    }
}
