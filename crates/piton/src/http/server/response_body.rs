//! Charges response bodies in memory to `http.memory_budget`, from when the handler returns them until
//! they are written to the socket: a client that does not read keeps them in memory.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::FutureExt;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;

use super::body_limit_errors::BudgetExhausted;
use crate::memory::{MemoryBudget, MemoryCharge, SMALL};

/// Maximum size of a piece of a response handed to hyper, which holds one or two of them.
pub(super) const MAX_WRITTEN_AT_ONCE: usize = 64 << 10;

/// Charges a response whose whole body is in memory, until it is sent. If the client `can_retry`, a
/// response that does not fit is refused.
///
/// # Errors
/// There is no room for it.
pub(crate) fn charge(
    response: Response,
    budget: &Arc<MemoryBudget>,
    can_retry: bool,
) -> Result<Response, BudgetExhausted> {
    // Small ones fit into the buffers that the system keeps for a connection anyway. Those of
    // unknown size are produced while they are sent.
    let size = response.body().size_hint().exact().filter(|size| *size > SMALL);
    let Some(size) = size else { return Ok(response) };
    let (mut head, mut body) = response.into_parts();
    let mut whole = Bytes::new();
    let first = match body.frame().now_or_never().flatten() {
        Some(Ok(frame)) if frame.data_ref().is_some_and(|data| data.len() as u64 == size) => {
            let charge = MemoryCharge::new(budget.clone());
            if !can_retry {
                charge.force(size);
            } else if !charge.grow(size) {
                return Err(BudgetExhausted);
            }
            if let Ok(bytes) = frame.into_data() {
                whole = Bytes::from_owner(ChargedBytes { bytes, _charge: charge });
            }
            None
        }
        first => {
            head.extensions.insert(StreamedBodyMark);
            first
        }
    };
    Ok(Response::from_parts(head, Body::new(ChargedBody { whole, first, rest: body })))
}

/// Marks a response of known size whose body is made while it is sent.
#[derive(Clone)]
struct StreamedBodyMark;

/// Returns whether the body is made while it is sent. A body of known size below [`SMALL`] is taken
/// as one in memory.
pub(super) fn is_streamed(response: &Response) -> bool {
    response.body().size_hint().exact().is_none()
        || response.extensions().get::<StreamedBodyMark>().is_some()
}

/// The body of a response, and its charge.
struct ChargedBytes {
    bytes: Bytes,
    _charge: MemoryCharge,
}

impl AsRef<[u8]> for ChargedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The body of a large response, sent in pieces.
struct ChargedBody {
    whole: Bytes,
    /// The first frame of a body that is not whole, because it was taken to find that out.
    first: Option<Result<Frame<Bytes>, axum::Error>>,
    rest: Body,
}

impl http_body::Body for ChargedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        if !this.whole.is_empty() {
            let length = this.whole.len().min(MAX_WRITTEN_AT_ONCE);
            // `split_to` at the end would leave an empty piece that keeps the charge.
            let piece = if length == this.whole.len() {
                std::mem::take(&mut this.whole)
            } else {
                this.whole.split_to(length)
            };
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        match this.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None => Pin::new(&mut this.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.whole.is_empty() && self.first.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let first = self.first.as_ref().and_then(|first| first.as_ref().ok()?.data_ref());
        let before = self.whole.len() + first.map_or(0, Bytes::len);
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + before as u64);
        }
        hint.set_lower(rest.lower() + before as u64);
        hint
    }
}
