//! The state of an HTTP/1 connection, shared by its stream, its service, the bodies of its request and
//! response, the watch for late heads (`header_timeout.rs`), and the table from which a
//! full listener closes idle connections (`connection_table.rs`).

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::request_body::BodyHandover;
use crate::stop_signal::Stop;
use crate::support::coarse_clock;

/// The phases of a connection, in the order in which a request passes them.
mod phase {
    /// No request has reached the router.
    pub const NEW: u8 = 0;
    /// A request or its response is under way.
    pub const BUSY: u8 = 1;
    /// The whole response is in hyper's buffers.
    pub const ENDED: u8 = 2;
    /// The response is written, and the connection is kept alive.
    pub const IDLE: u8 = 3;
}

/// The state of one connection.
#[derive(Debug)]
pub(crate) struct ConnectionState {
    phase: AtomicU8,
    /// Set when a response has been written, and reset by the watch for late heads.
    answered: AtomicBool,
    /// Set once the client has used up its time: what it sends now is not read.
    timed_out: AtomicBool,
    /// Set once the connection must end although part of a request was not read.
    unfinished: AtomicBool,
    /// The time since which no request is under way, in milliseconds of the coarse clock.
    idle_since: AtomicU64,
    /// Number of bytes received since then.
    received: AtomicUsize,
    /// Number of bytes written. A change means that the client receives. It wraps, because only its changes matter.
    pub(crate) written: AtomicUsize,
    /// Set while the connection has no permit (`connection_permits.rs`).
    in_reserve: AtomicBool,
    /// The part of the request's body that no handler has read.
    pub(super) body: Mutex<BodyHandover>,
    /// Notified when the last response of a connection with an unfinished request is written.
    pub(super) last_response_written: Notify,
    /// Notified to end the connection because its permit is needed.
    pub(super) eviction: Notify,
    /// Set once the connection speaks another protocol than HTTP/1.
    upgraded: AtomicBool,
    /// The end of the protocol that the connection was switched to.
    upgrade_end: OnceLock<Stop>,
}

/// Links the connection of a response with the status 101 and its new protocol.
#[derive(Clone)]
pub(crate) struct UpgradeLink {
    /// The end of the new protocol, for the connection.
    pub end: Stop,
    /// The state of the connection, for the new protocol. Set before the response is written.
    pub connection: Arc<OnceLock<Arc<ConnectionState>>>,
}

impl Default for ConnectionState {
    fn default() -> Self {
        Self {
            phase: AtomicU8::new(phase::NEW),
            answered: AtomicBool::default(),
            timed_out: AtomicBool::default(),
            unfinished: AtomicBool::default(),
            idle_since: AtomicU64::new(coarse_clock::now_ms()),
            received: AtomicUsize::default(),
            written: AtomicUsize::default(),
            in_reserve: AtomicBool::default(),
            body: Mutex::default(),
            last_response_written: Notify::default(),
            eviction: Notify::default(),
            upgraded: AtomicBool::default(),
            upgrade_end: OnceLock::default(),
        }
    }
}

impl ConnectionState {
    fn phase(&self) -> u8 {
        self.phase.load(Ordering::Relaxed)
    }

    /// Records that a request has begun.
    pub fn begin(&self) {
        self.phase.store(phase::BUSY, Ordering::Relaxed);
    }

    /// Records that the whole response is in hyper's buffers.
    fn end(&self) {
        // After an upgrade hyper writes no more responses.
        if !self.upgraded.load(Ordering::Relaxed) {
            self.phase.store(phase::ENDED, Ordering::Relaxed);
        }
    }

    /// Records that hyper's buffers are written. Returns whether that was the end of a response.
    pub fn set_flushed(&self) -> bool {
        if self.phase() != phase::ENDED {
            return false;
        }
        self.idle_since.store(coarse_clock::now_ms(), Ordering::Relaxed);
        self.received.store(0, Ordering::Relaxed);
        self.answered.store(true, Ordering::Relaxed);
        self.phase.store(phase::IDLE, Ordering::Relaxed);
        if self.is_unfinished() {
            self.last_response_written.notify_one();
        }
        true
    }

    /// Records that no stream is open any more, on a connection with HTTP/2.
    #[cfg_attr(not(feature = "http2"), expect(dead_code, reason = "HTTP/2 alone counts streams"))]
    pub fn set_idle(&self) {
        self.idle_since.store(coarse_clock::now_ms(), Ordering::Relaxed);
        self.phase.store(phase::IDLE, Ordering::Relaxed);
    }

    /// Returns whether no request is under way and every response is written.
    pub fn is_idle(&self) -> bool {
        matches!(self.phase(), phase::NEW | phase::IDLE)
    }

    /// Returns whether a request has reached the router.
    pub fn has_served(&self) -> bool {
        self.phase() != phase::NEW
    }

    /// Returns the time since which the connection is idle, in milliseconds of the coarse clock.
    pub fn idle_since(&self) -> u64 {
        self.idle_since.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    pub fn set_idle_since_for_test(&self, ms: u64) {
        self.idle_since.store(ms, Ordering::Relaxed);
    }

    /// Records whether the connection has no permit.
    pub fn set_in_reserve(&self, in_reserve: bool) {
        self.in_reserve.store(in_reserve, Ordering::Relaxed);
    }

    pub fn is_in_reserve(&self) -> bool {
        self.in_reserve.load(Ordering::Relaxed)
    }

    /// Counts bytes of requests.
    pub fn add_received(&self, count: usize) {
        // One task alone writes it, so that no atomic addition is needed.
        let before = self.received.load(Ordering::Relaxed);
        self.received.store(before.saturating_add(count), Ordering::Relaxed);
    }

    /// Counts bytes of responses.
    pub fn add_written(&self, count: usize) {
        let before = self.written.load(Ordering::Relaxed);
        self.written.store(before.wrapping_add(count), Ordering::Relaxed);
    }

    /// Returns the number of bytes received since the connection is idle, or switched to another protocol.
    pub fn received(&self) -> usize {
        self.received.load(Ordering::Relaxed)
    }

    /// Sets the number of received bytes to zero.
    pub fn reset_received(&self) {
        self.received.store(0, Ordering::Relaxed);
    }

    /// Returns whether the rest of a body is discarded, to keep the connection.
    pub fn is_draining(&self) -> bool {
        matches!(*self.body.lock(), BodyHandover::Draining)
    }

    /// Records that the client has used up its time.
    pub fn set_timed_out(&self) {
        self.timed_out.store(true, Ordering::Relaxed);
    }

    pub fn is_timed_out(&self) -> bool {
        self.timed_out.load(Ordering::Relaxed)
    }

    /// Records that the connection ends before the client has sent the rest of its request.
    pub fn set_unfinished(&self) {
        self.unfinished.store(true, Ordering::Relaxed);
    }

    pub fn is_unfinished(&self) -> bool {
        self.unfinished.load(Ordering::Relaxed)
    }

    /// Records that `response`, to a `CONNECT` or not, switches the connection to another protocol, if it does.
    pub fn record_upgrade<B>(self: &Arc<Self>, is_connect: bool, response: &mut Response<B>) {
        let is_tunnel = is_connect && response.status().is_success();
        if response.status() != StatusCode::SWITCHING_PROTOCOLS && !is_tunnel {
            return;
        }
        self.upgraded.store(true, Ordering::Relaxed);
        self.reset_received();
        if let Some(UpgradeLink { end, connection }) = response.extensions_mut().remove() {
            let _ = self.upgrade_end.set(end);
            let _ = connection.set(self.clone());
        }
    }

    /// Waits for the end of the protocol that the connection was switched to, if it was.
    pub async fn upgrade_ended(&self) {
        if let Some(end) = self.upgrade_end.get() {
            end.stopped().await;
        }
    }

    /// Returns whether a request was under way since the last call.
    pub fn take_activity(&self) -> bool {
        let answered = self.answered.swap(false, Ordering::Relaxed);
        answered || !self.is_idle()
    }
}

/// The body of a response. Records in the connection's state when it has ended.
pub(crate) struct TrackedBody {
    body: Body,
    state: Arc<ConnectionState>,
}

impl TrackedBody {
    pub fn wrap(response: Response<Body>, state: Arc<ConnectionState>) -> Response<Self> {
        response.map(|body| Self { body, state })
    }
}

impl Drop for TrackedBody {
    fn drop(&mut self) {
        self.state.end();
    }
}

impl http_body::Body for TrackedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_idle_once_its_response_is_written() {
        let state = Arc::new(ConnectionState::default());
        assert!(state.is_idle() && !state.has_served());
        assert!(!state.set_flushed());
        state.begin();
        let response = TrackedBody::wrap(Response::new(Body::empty()), state.clone());
        assert!(!state.set_flushed() && !state.is_idle(), "its response is not whole");
        drop(response);
        assert!(!state.is_idle(), "its response is not written");
        state.add_received(7);
        assert!(state.set_flushed() && state.is_idle() && state.has_served());
        assert_eq!(state.received(), 0);
    }
}
