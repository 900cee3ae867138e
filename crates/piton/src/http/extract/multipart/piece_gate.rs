//! Hands the pieces of a body to the parser, no faster than that takes them.
//!
//! The parser reads its source until that has nothing more at the moment, and so would collect as much as the client
//! sends at once. The gate has nothing more after each piece, and ends the body if the parser collects too much where it
//! looks for the headers of a part, for which it has no limit.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::Stream;

use super::errors::HeadersTooLarge;
use crate::error::BoxError;

/// Maximum number of bytes to read in search of a part's headers. More than a piece of the connection, which may hold
/// the end of the part before it.
const MAX_HEADER_SEARCH: usize = 128 << 10;

/// The bytes that the parser may still read before it has found the headers of a part.
#[derive(Clone, Debug, Default)]
pub(super) struct HeaderSearch(Arc<AtomicUsize>);

impl HeaderSearch {
    /// Begins a search for the headers of the next part.
    pub fn begin(&self) {
        self.0.store(MAX_HEADER_SEARCH, Ordering::Relaxed);
    }

    /// Ends the search: what follows is the content of a part.
    pub fn end(&self) {
        self.0.store(usize::MAX, Ordering::Relaxed);
    }

    /// Returns whether the search may go on after `bytes` more.
    fn take(&self, bytes: usize) -> bool {
        let left = self.0.load(Ordering::Relaxed);
        if left == usize::MAX {
            return true;
        }
        self.0.store(left.saturating_sub(bytes), Ordering::Relaxed);
        left > 0
    }
}

/// The body of a request, one piece at a time.
pub(super) struct PieceGate {
    body: BodyDataStream,
    search: HeaderSearch,
    /// Set after a piece: the parser works on that before it gets another.
    is_closed: bool,
}

impl PieceGate {
    pub fn new(body: Body, search: HeaderSearch) -> Self {
        Self { body: body.into_data_stream(), search, is_closed: false }
    }
}

impl Stream for PieceGate {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.is_closed) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match Pin::new(&mut self.body).poll_next(cx) {
            Poll::Ready(Some(Ok(piece))) => {
                self.is_closed = true;
                let piece = self.search.take(piece.len()).then_some(piece);
                Poll::Ready(Some(piece.ok_or_else(|| HeadersTooLarge.into())))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into_inner()))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}
