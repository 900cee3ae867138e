//! Bounds the memory of request and response bodies: the limit of one body, and the budget of all
//! (`http.memory_budget`).
//!
//! A request is charged for its body as that arrives, not as it is announced: otherwise a client
//! could use up the budget by a header alone. The charge lasts until the request has ended, as most
//! handlers keep what they read from a body. A large body that a handler reads piece by piece and
//! releases, such as an upload to a file, is charged only for the pieces in memory. An extractor
//! that copies all pieces into a buffer of its own says so ([`BodyState::buffer`]), because the
//! pieces that it drops would release the charge of what it has copied.
//!
//! A response whose whole body is in memory is charged from when the handler returns it until all
//! of it is written to the socket, because a client that does not read keeps it in memory.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, header};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt, Limited};

use crate::error::Error;
use crate::http::extract::arguments::too_large;
use crate::memory::{MemoryBudget, MemoryCharge, SMALL};
use crate::part::BoxError;

/// Maximum part of a body that stays charged until the request has ended. Pieces after it are
/// charged only while they exist.
const MAX_KEPT: u64 = 4 << 20;

/// Pieces below this size are joined, as far as more of them can be read at once, and copied. As
/// hyper hands them over they keep the whole buffer that they were read into, 8 KiB or more: a body
/// sent byte by byte would take thousands of times its size.
const COPIED_BELOW: usize = 16 << 10;

/// The memory of a piece's entry in a list of pieces, in bytes.
const PIECE_OVERHEAD: u64 = 96;

/// Maximum size of a piece of a response handed to hyper, which holds one or two of them.
const WRITTEN_AT_ONCE: usize = 64 << 10;

/// Time for which the rest of a refused body is read and discarded. If the connection closes while
/// the client still sends, its system reports a reset, and the client may not see the response.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(3);

/// The error of a body for which there is no room in `http.memory_budget`.
#[derive(Debug)]
pub(crate) struct NoRoom;

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("http.memory_budget is used up")
    }
}

impl std::error::Error for NoRoom {}

/// The error of a body that takes more than all of `http.memory_budget`, so that to send it again
/// is of no use.
#[derive(Debug)]
pub(crate) struct NeverFits;

impl fmt::Display for NeverFits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body takes more than http.memory_budget allows for one request")
    }
}

impl std::error::Error for NeverFits {}

/// Returns the 503 for every request that finds the budget used up.
#[cold]
pub(crate) fn no_room() -> Error {
    Error::unavailable("too much is being sent and read at once; try again")
        .retry_after(Duration::from_secs(1))
        .caused_by(NoRoom)
}

/// The reason why a request is refused for its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    TooLarge,
    NoRoom,
}

impl Refused {
    pub fn error(&self) -> Error {
        match self {
            Self::TooLarge => too_large(),
            Self::NoRoom => no_room(),
        }
    }
}

/// The state of a request's body, shared by the body and the stack.
#[derive(Debug)]
pub(crate) struct BodyState {
    /// Set while the handler waits for the client to send more.
    waiting: AtomicBool,
    refused: OnceLock<Refused>,
    received: AtomicU64,
    /// Set if the handler keeps what it reads: the body then stays charged until the request ends.
    kept: AtomicBool,
    /// Set if whoever reads copies all pieces into a buffer of its own.
    buffered: AtomicBool,
    charge: MemoryCharge,
}

impl BodyState {
    fn new(budget: &Arc<MemoryBudget>) -> Arc<Self> {
        let (waiting, refused, received, kept, buffered) = Default::default();
        let charge = MemoryCharge::new(budget.clone());
        Arc::new(Self { waiting, refused, received, kept, buffered, charge })
    }

    /// Announces that the reader copies every piece into a buffer of its own and drops the piece.
    /// From then on each byte stays charged until the request ends, and pieces cost nothing beyond
    /// their bytes.
    pub fn buffer(&self) {
        self.buffered.store(true, Ordering::Relaxed);
    }

    fn is_buffered(&self) -> bool {
        self.buffered.load(Ordering::Relaxed)
    }

    pub fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Returns the reason why the body was cut off, if it was.
    pub(crate) fn refused(&self) -> Option<Refused> {
        self.refused.get().copied()
    }

    /// Charges a piece of the body, and returns it.
    ///
    /// # Errors
    /// There is no room for it now, or there could never be.
    fn take(self: &Arc<Self>, piece: Bytes, is_last: bool) -> Result<Bytes, Refused> {
        let length = piece.len() as u64;
        let is_buffered = self.is_buffered();
        let cost = if is_last || is_buffered { length } else { length + PIECE_OVERHEAD };
        if !self.charge.grow(cost) {
            let total = self.charge.bytes().saturating_add(cost);
            let could_fit = self.charge.budget().could_hold(total);
            return Err(if could_fit { Refused::NoRoom } else { Refused::TooLarge });
        }
        let received = self.received.fetch_add(length, Ordering::Relaxed) + length;
        if received <= MAX_KEPT || is_buffered {
            return Ok(piece);
        }
        let piece = Bytes::from_owner(Piece { bytes: piece, cost, state: self.clone() });
        if is_last {
            self.ended();
        }
        Ok(piece)
    }

    /// Decides at the end of a large body whether the handler has kept it.
    fn ended(&self) {
        let received = self.received.load(Ordering::Relaxed);
        let streamed = received.saturating_sub(MAX_KEPT);
        if self.charge.bytes() >= MAX_KEPT + streamed / 2 {
            self.kept.store(true, Ordering::Relaxed);
        }
    }
}

/// A piece of a large body. Releases its charge when dropped.
struct Piece {
    bytes: Bytes,
    cost: u64,
    state: Arc<BodyState>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if !self.state.kept.load(Ordering::Relaxed) {
            self.state.charge.shrink(self.cost);
        }
    }
}

/// Limits the body of a request, and charges it as it arrives.
///
/// # Errors
/// The announced body is larger than `limit`, or there is no room for it in the budget.
pub(crate) fn limit<B>(
    request: Request<B>,
    limit: usize,
    budget: &Arc<MemoryBudget>,
) -> Result<(Request<Body>, Option<Arc<BodyState>>), Refused>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    let (parts, body) = request.into_parts();
    // Nearly every GET ends here, so it costs no allocation.
    if body.is_end_stream() {
        return Ok((Request::from_parts(parts, Body::empty()), None));
    }
    let announced = body.size_hint().lower();
    if announced > limit as u64 {
        return Err(Refused::TooLarge);
    }
    if !budget.could_hold(announced.min(MAX_KEPT)) {
        return Err(Refused::TooLarge);
    }
    // A body beyond `MAX_KEPT` may be read piece by piece, so it may never take more than that.
    if !budget.has_room_for(announced.min(MAX_KEPT)) {
        // A client that waits for `100 Continue` has sent nothing yet, and reading would ask for
        // it.
        if !parts.headers.contains_key(header::EXPECT) {
            discard(Limited::new(body, limit));
        }
        return Err(Refused::NoRoom);
    }
    let state = BodyState::new(budget);
    let body = Bounded::new(Limited::new(body, limit), state.clone());
    Ok((Request::from_parts(parts, Body::new(body)), Some(state)))
}

/// Reads and discards the rest of a body for a while.
fn discard<B>(mut body: Limited<B>)
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    tokio::spawn(tokio::time::timeout(DISCARD_TIMEOUT, async move {
        while let Some(Ok(_)) = body.frame().await {}
    }));
}

/// A body that fails above its limit, or where there is no room for it.
struct Bounded<B> {
    /// `None` once the body was refused, or has ended.
    body: Option<Limited<B>>,
    /// Small pieces that are joined. Empty while nothing more can be read at once.
    joined: Vec<u8>,
    /// Set after a yield to the connection, which hands over its next piece only then.
    yielded: bool,
    /// The frame that ended the joining, or the error.
    next: Option<Result<Frame<Bytes>, BoxError>>,
    state: Arc<BodyState>,
}

impl<B> Bounded<B>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    fn new(body: Limited<B>, state: Arc<BodyState>) -> Self {
        Self { body: Some(body), joined: Vec::new(), yielded: false, next: None, state }
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
            self.state.waiting.store(polled.is_pending(), Ordering::Relaxed);
            let is_last = body.is_end_stream();
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
        // Nearly every body is one piece, which is handed on without a copy.
        let is_alone = is_last && self.joined.is_empty();
        piece.len() < COPIED_BELOW && !is_alone && !self.state.is_buffered()
    }

    fn take_joined(&mut self) -> Frame<Bytes> {
        self.yielded = false;
        // Without the capacity that a vector has in advance: the handler may keep the piece.
        Frame::data(std::mem::take(&mut self.joined).into_boxed_slice().into())
    }

    /// Returns whether nothing comes after what was handed over.
    fn has_ended(&self) -> bool {
        self.next.is_none() && self.body.as_ref().is_none_or(Limited::is_end_stream)
    }
}

impl<B> http_body::Body for Bounded<B>
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
            let _ = this.state.refused.set(refused);
            this.next = None;
            if let Some(rest) = this.body.take() {
                discard(rest);
            }
            match refused {
                Refused::NoRoom => BoxError::from(NoRoom),
                Refused::TooLarge => NeverFits.into(),
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

/// Charges a response whose whole body is in memory, until it is sent. If the client `can_retry`, a
/// response that does not fit is refused.
///
/// # Errors
/// There is no room for it.
pub(crate) fn charge(
    response: Response,
    budget: &Arc<MemoryBudget>,
    can_retry: bool,
) -> Result<Response, NoRoom> {
    // Small ones fit into the buffers that the system keeps for a connection anyway. Those of
    // unknown size are produced while they are sent.
    let size = response.body().size_hint().exact().filter(|size| *size > SMALL);
    let Some(size) = size else { return Ok(response) };
    let (head, mut body) = response.into_parts();
    let mut whole = Bytes::new();
    let first = match body.frame().now_or_never().flatten() {
        Some(Ok(frame)) if frame.data_ref().is_some_and(|data| data.len() as u64 == size) => {
            let charge = MemoryCharge::new(budget.clone());
            if !can_retry {
                charge.force(size);
            } else if !charge.grow(size) {
                return Err(NoRoom);
            }
            if let Ok(bytes) = frame.into_data() {
                whole = Bytes::from_owner(Whole { bytes, _charge: charge });
            }
            None
        }
        first => first,
    };
    Ok(Response::from_parts(head, Body::new(Sent { whole, first, rest: body })))
}

/// The body of a response, and its charge.
struct Whole {
    bytes: Bytes,
    _charge: MemoryCharge,
}

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The body of a large response, sent in pieces.
struct Sent {
    whole: Bytes,
    /// The first frame of a body that is not whole, because it was taken to find that out.
    first: Option<Result<Frame<Bytes>, axum::Error>>,
    rest: Body,
}

impl http_body::Body for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        if !this.whole.is_empty() {
            let length = this.whole.len().min(WRITTEN_AT_ONCE);
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

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};

    use super::*;

    const MIB: usize = 1 << 20;

    /// Returns a request whose body arrives in these pieces.
    fn request(pieces: Vec<Bytes>) -> Request<Body> {
        Request::new(Body::from_stream(stream::iter(pieces.into_iter().map(Ok::<_, NoRoom>))))
    }

    fn pieces(count: usize, size: usize) -> Vec<Bytes> {
        (0..count).map(|_| Bytes::from(vec![b'x'; size])).collect()
    }

    fn bounded(
        pieces: Vec<Bytes>,
        most: usize,
        budget: &Arc<MemoryBudget>,
    ) -> (Body, Arc<BodyState>) {
        let (request, state) = limit(request(pieces), most, budget).ok().unwrap();
        (request.into_body(), state.unwrap())
    }

    #[tokio::test]
    async fn a_body_is_charged_until_its_request_ends() {
        let budget = MemoryBudget::new(4 << 20);
        let (body, state) = bounded(pieces(2, MIB), 2 * MIB, &budget);
        assert_eq!(budget.used(), 0, "nothing has arrived");
        let whole = body.collect().await.unwrap().to_bytes();
        assert_eq!(whole.len(), 2 * MIB);
        drop(whole);
        assert!(budget.used() >= 2 << 20, "the handler may have kept it");
        drop(state);
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn a_body_for_which_there_is_no_room_is_cut_off() {
        let budget = MemoryBudget::new(2 << 20);
        let (body, state) = bounded(pieces(2, MIB), 2 * MIB, &budget);
        let error = body.collect().await.unwrap_err().into_inner();
        assert!(error.is::<NeverFits>(), "{error}");
        assert_eq!(state.refused(), Some(Refused::TooLarge));
        drop(state);
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn what_is_announced_and_would_not_fit_is_refused_at_once() {
        let budget = MemoryBudget::new(2 << 20);
        let request = Request::new(Body::from(vec![b'x'; 2 * MIB]));
        assert!(matches!(limit(request, 2 * MIB, &budget), Err(Refused::TooLarge)));
        let other = MemoryCharge::new(budget.clone());
        assert!(other.grow(1 << 20));
        let request = Request::new(Body::from(vec![b'x'; MIB]));
        assert!(matches!(limit(request, 2 * MIB, &budget), Err(Refused::NoRoom)));
        drop(other);
        let request = Request::new(Body::from(vec![b'x'; 2 * MIB]));
        assert!(matches!(limit(request, MIB, &budget), Err(Refused::TooLarge)));
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn a_small_piece_does_not_keep_the_buffer_it_was_read_into() {
        let budget = MemoryBudget::new(1 << 20);
        let buffer = Bytes::from(vec![b'x'; MIB]);
        let read: Vec<Bytes> = (0..100).map(|at| buffer.slice(at..=at)).collect();
        let (mut body, state) = bounded(read, MIB, &budget);
        let mut kept = Vec::new();
        while let Some(piece) = body.frame().await {
            kept.push(piece.unwrap().into_data().unwrap());
        }
        assert!(buffer.is_unique(), "a piece is a copy");
        assert_eq!((kept.len(), kept[0].len()), (1, 100), "what is there at once is joined");
        drop(state);
    }

    /// Returns a body that is pending after each piece, as hyper's is.
    fn trickle(pieces: Vec<Bytes>) -> Body {
        let pieces = stream::iter(pieces).then(|piece| async {
            tokio::task::yield_now().await;
            Ok::<_, NoRoom>(piece)
        });
        Body::from_stream(pieces)
    }

    #[tokio::test]
    async fn a_piece_that_arrives_alone_is_handed_on_and_costs_more_than_its_bytes() {
        let budget = MemoryBudget::new(1 << 20);
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        let pieces = stream::unfold(receiver, |mut receiver| async {
            receiver.recv().await.map(|piece: Bytes| (Ok::<_, NoRoom>(piece), receiver))
        });
        let request = Request::new(Body::from_stream(pieces));
        let (request, state) = limit(request, MIB, &budget).ok().unwrap();
        let mut body = request.into_body();
        for _ in 0..100 {
            sender.send(Bytes::from_static(b"x")).await.unwrap();
            assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "x");
        }
        assert!(budget.used() >= 100 * PIECE_OVERHEAD, "{}", budget.used());
        drop((sender, state));
    }

    #[tokio::test]
    async fn a_body_in_tiny_pieces_is_charged_for_its_bytes() {
        for is_buffered in [false, true] {
            let budget = MemoryBudget::new(16 << 20);
            let body = trickle(vec![Bytes::from_static(b"1234567"); 150_000]);
            let (request, state) = limit(Request::new(body), 2 * MIB, &budget).ok().unwrap();
            let state = state.unwrap();
            if is_buffered {
                state.buffer();
            }
            let mut body = request.into_body();
            let mut length = 0;
            while let Some(piece) = body.frame().await {
                length += piece.unwrap().into_data().unwrap().len();
            }
            assert_eq!((length, state.refused()), (7 * 150_000, None));
            assert!(budget.used() < (length + length / 8) as u64, "{}", budget.used());
        }
    }

    #[tokio::test]
    async fn a_large_body_that_is_copied_stays_charged() {
        let budget = MemoryBudget::new(32 << 20);
        let (mut body, state) = bounded(pieces(40, MIB), 64 * MIB, &budget);
        state.buffer();
        for read in 1..=28 {
            drop(body.frame().await.unwrap().unwrap());
            assert_eq!(budget.used(), read << 20);
        }
        let error = body.frame().await.unwrap().unwrap_err().into_inner();
        assert!(error.is::<NeverFits>(), "{error}");
        drop((body, state));
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn a_large_body_that_is_let_go_piece_by_piece_is_charged_for_what_is_alive() {
        let budget = MemoryBudget::new(8 << 20);
        let (mut body, state) = bounded(pieces(40, MIB), 64 * MIB, &budget);
        while let Some(piece) = body.frame().await {
            drop(piece.unwrap());
            assert!(budget.used() <= MAX_KEPT + 4096, "{}", budget.used());
        }
        drop((body, state));
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn a_large_body_that_is_kept_is_charged_whole() {
        let budget = MemoryBudget::new(32 << 20);
        let (body, state) = bounded(pieces(16, MIB), 16 * MIB, &budget);
        let whole = body.collect().await.unwrap().to_bytes();
        assert!(budget.used() >= 16 << 20, "{}", budget.used());
        drop((whole, state));
        assert_eq!(budget.used(), 0);
        let (body, _state) = bounded(pieces(40, MIB), 64 * MIB, &budget);
        assert!(body.collect().await.unwrap_err().into_inner().is::<NeverFits>());
    }

    #[tokio::test]
    async fn an_answer_is_charged_until_the_last_piece_is_gone() {
        let budget = MemoryBudget::new(4 << 20);
        let answer = || Response::new(Body::from(vec![b'x'; MIB]));
        let response = charge(answer(), &budget, true).unwrap();
        assert_eq!(response.body().size_hint().exact(), Some(1 << 20));
        let mut body = response.into_body();
        let (mut last, mut read) = (None, 0);
        while let Some(piece) = body.frame().await {
            let piece = piece.unwrap().into_data().unwrap();
            assert!(piece.len() <= WRITTEN_AT_ONCE);
            read += piece.len();
            last = Some(piece);
        }
        drop(body);
        assert_eq!((read, budget.used()), (MIB, 1 << 20));
        drop(last);
        assert_eq!(budget.used(), 0);

        let waiting: Vec<_> = (0..3).map(|_| charge(answer(), &budget, true).unwrap()).collect();
        assert!(charge(answer(), &budget, true).is_err());
        let done = charge(answer(), &budget, false).unwrap();
        assert_eq!(budget.used(), 4 << 20, "what was done is told all the same");
        drop((waiting, done));
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn answers_that_are_small_or_made_while_they_are_sent_are_not_charged() {
        let budget = MemoryBudget::new(1 << 20);
        let small = charge(Response::new(Body::from(vec![0; 1 << 16])), &budget, true).unwrap();
        let stream = stream::iter((0..64).map(|_| Ok::<_, NoRoom>(Bytes::from(vec![0; MIB]))));
        let body = Limited::new(Body::from_stream(stream), 64 * MIB);
        let streamed = charge(Response::new(Body::new(body)), &budget, true).unwrap();
        assert_eq!(budget.used(), 0);
        assert_eq!(streamed.into_body().collect().await.unwrap().to_bytes().len(), 64 * MIB);
        drop(small);
    }

    #[tokio::test]
    async fn a_body_of_known_size_that_comes_in_pieces_loses_none_of_them() {
        /// A body such as a file's, whose size is known before it is read.
        struct File(Vec<Bytes>);

        impl http_body::Body for File {
            type Data = Bytes;
            type Error = NoRoom;

            fn poll_frame(
                mut self: Pin<&mut Self>,
                _: &mut Context<'_>,
            ) -> Poll<Option<Result<Frame<Bytes>, NoRoom>>> {
                Poll::Ready(self.0.pop().map(|piece| Ok(Frame::data(piece))))
            }

            fn size_hint(&self) -> SizeHint {
                SizeHint::with_exact(self.0.iter().map(|piece| piece.len() as u64).sum())
            }
        }

        let budget = MemoryBudget::new(1 << 20);
        let file = Response::new(Body::new(File(pieces(4, MIB))));
        let response = charge(file, &budget, true).unwrap();
        assert_eq!((response.body().size_hint().exact(), budget.used()), (Some(4 << 20), 0));
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes().len(), 4 * MIB);
    }
}
