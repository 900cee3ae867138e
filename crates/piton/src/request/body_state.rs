//! The state of one request's body: what has arrived, what it is charged for, and why it was refused.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::config::ByteSize;
use crate::memory::{MemoryBudget, MemoryCharge};

/// Maximum part of a body that stays charged until the request has ended. Pieces after it are
/// charged only while they exist.
pub(crate) const MAX_KEPT: u64 = 4 << 20;

/// The memory of a piece's entry in a list of pieces, in bytes.
pub(crate) const PIECE_OVERHEAD: u64 = 96;

/// The reason why a request is refused for its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyRefusal {
    /// The body is larger than the limit of its route. Responded with 413.
    AboveLimit(ByteSize),
    /// The body is larger than the whole budget. Responded with 413.
    TooLarge,
    /// Other requests use up `http.memory_budget` at the moment. Responded with 503.
    BudgetExhausted,
    /// The body has a `Content-Encoding` that is not decoded. Responded with 415.
    UnsupportedCoding,
}

/// The treatment of the pieces of a body by its reader.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyReader {
    /// True if the reader copies every piece into a buffer of its own and drops the piece: from then on each byte stays
    /// charged until the request ends, and pieces cost nothing beyond their bytes. False if it keeps nothing, or charges
    /// what it keeps itself: every piece is then charged only while it exists, so that a hundred uploads at once do not
    /// take [`MAX_KEPT`] each of the budget.
    pub buffers: bool,
}

/// The state of a request's body, shared by the body and the stack.
#[derive(Debug)]
pub(crate) struct BodyState {
    /// Maximum size of the body.
    limit: ByteSize,
    /// Set while the handler waits for the client to send more.
    waiting: AtomicBool,
    waits: Mutex<BodyWaitTime>,
    refused: OnceLock<BodyRefusal>,
    received: AtomicU64,
    /// Set if the handler keeps what it reads: the body then stays charged until the request ends.
    kept: AtomicBool,
    /// Set if the reader copies all pieces into a buffer of its own.
    buffered: AtomicBool,
    /// Set if the reader releases every piece before it asks for many more.
    streamed: AtomicBool,
    charge: MemoryCharge,
}

/// The time that the client has let the handler wait for its body.
#[derive(Debug, Default)]
struct BodyWaitTime {
    /// The time of the waits that have ended.
    ended: Duration,
    /// The beginning of the wait under way.
    since: Option<Instant>,
}

impl BodyState {
    pub fn new(limit: ByteSize, budget: &Arc<MemoryBudget>) -> Arc<Self> {
        let (waiting, waits, refused, received, kept, buffered, streamed) = Default::default();
        let charge = MemoryCharge::new(budget.clone());
        Arc::new(Self {
            limit,
            waiting,
            waits,
            refused,
            received,
            kept,
            buffered,
            streamed,
            charge,
        })
    }

    /// Returns the maximum size of the body.
    pub fn limit(&self) -> ByteSize {
        self.limit
    }

    /// Announces what the reader does with the pieces.
    pub fn announce(&self, reader: BodyReader) {
        let flag = if reader.buffers { &self.buffered } else { &self.streamed };
        flag.store(true, Ordering::Relaxed);
    }

    pub fn is_buffered(&self) -> bool {
        self.buffered.load(Ordering::Relaxed)
    }

    /// Returns whether the handler waits for the client to send more.
    pub fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Returns the time that the handler has waited for the client so far.
    pub fn waited(&self) -> Duration {
        let waits = self.waits.lock();
        waits.ended + waits.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Returns the reason why the body was cut off, if it was.
    pub fn refused(&self) -> Option<BodyRefusal> {
        self.refused.get().copied()
    }

    /// Charges a piece of the body, and returns it.
    ///
    /// # Errors
    /// There is no room for it now, or there could never be.
    pub fn take(self: &Arc<Self>, piece: Bytes, is_last: bool) -> Result<Bytes, BodyRefusal> {
        let length = piece.len() as u64;
        let is_buffered = self.is_buffered();
        let cost = if is_last || is_buffered { length } else { length + PIECE_OVERHEAD };
        if !self.charge.grow(cost) {
            let total = self.charge.bytes().saturating_add(cost);
            let could_fit = self.charge.budget().could_hold(total);
            return Err(if could_fit {
                BodyRefusal::BudgetExhausted
            } else {
                BodyRefusal::TooLarge
            });
        }
        let received = self.received.fetch_add(length, Ordering::Relaxed) + length;
        let is_streamed = self.streamed.load(Ordering::Relaxed);
        if is_buffered || (received <= MAX_KEPT && !is_streamed) {
            return Ok(piece);
        }
        let piece = Bytes::from_owner(ChargedPiece { bytes: piece, cost, state: self.clone() });
        if is_last {
            self.ended();
        }
        Ok(piece)
    }

    /// Records whether the reader waits for the client.
    pub fn set_waiting(&self, waiting: bool) {
        // Most polls change nothing, and a body has one reader, so that nothing comes in between.
        if self.is_waiting() == waiting {
            return;
        }
        self.waiting.store(waiting, Ordering::Relaxed);
        let mut waits = self.waits.lock();
        let since = std::mem::replace(&mut waits.since, waiting.then(Instant::now));
        waits.ended += since.map_or(Duration::ZERO, |since| since.elapsed());
    }

    /// Records why the body was cut off.
    pub fn refuse(&self, refusal: BodyRefusal) {
        let _ = self.refused.set(refusal);
    }

    /// Decides at the end of a large body whether the handler has kept it.
    pub fn ended(&self) {
        if self.streamed.load(Ordering::Relaxed) {
            return;
        }
        let received = self.received.load(Ordering::Relaxed);
        let streamed = received.saturating_sub(MAX_KEPT);
        if self.charge.bytes() >= MAX_KEPT + streamed / 2 {
            self.kept.store(true, Ordering::Relaxed);
        }
    }
}

/// A piece of a large body. Releases its charge when dropped.
struct ChargedPiece {
    bytes: Bytes,
    cost: u64,
    state: Arc<BodyState>,
}

impl AsRef<[u8]> for ChargedPiece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for ChargedPiece {
    fn drop(&mut self) {
        if !self.state.kept.load(Ordering::Relaxed) {
            self.state.charge.shrink(self.cost);
        }
    }
}
