//! The state of a connection, shared by its stream, its service, the body of its response, and the watch
//! that closes it when a request's head is late (`header_timeout.rs`).

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::{Frame, SizeHint};

use crate::stop_signal::Stop;

/// The state of one connection.
#[derive(Debug, Default)]
pub(crate) struct ConnectionState {
    /// Set once a request has reached the router.
    served: AtomicBool,
    /// Set from a request's head to the end of its response's body.
    busy: AtomicBool,
    /// Set once the client has used up its time: what it sends now is not read.
    timed_out: AtomicBool,
    /// Set by each write and by the end of a response, and reset by the watch.
    moved: AtomicBool,
    /// The end of the protocol that the connection was switched to.
    upgrade_end: OnceLock<Stop>,
}

/// Tells the connection of a response with the status 101 when the new protocol has ended.
#[derive(Clone)]
pub(crate) struct UpgradeEnd(pub Stop);

impl ConnectionState {
    /// Records a request's head.
    pub fn begin(&self) {
        self.served.store(true, Ordering::Relaxed);
        self.busy.store(true, Ordering::Relaxed);
    }

    /// Records the end of a response.
    fn end(&self) {
        self.busy.store(false, Ordering::Relaxed);
        self.set_moved();
    }

    /// Records a write.
    pub fn set_moved(&self) {
        self.moved.store(true, Ordering::Relaxed);
    }

    /// Records that the client has used up its time.
    pub fn set_timed_out(&self) {
        self.timed_out.store(true, Ordering::Relaxed);
    }

    pub fn is_timed_out(&self) -> bool {
        self.timed_out.load(Ordering::Relaxed)
    }

    pub fn has_served(&self) -> bool {
        self.served.load(Ordering::Relaxed)
    }

    /// Records that `response` switches the connection to another protocol, if it does.
    pub fn record_upgrade<B>(&self, response: &mut Response<B>) {
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return;
        }
        if let Some(UpgradeEnd(end)) = response.extensions_mut().remove() {
            let _ = self.upgrade_end.set(end);
        }
    }

    /// Waits for the end of the protocol that the connection was switched to, if it was.
    pub async fn upgrade_ended(&self) {
        if let Some(end) = self.upgrade_end.get() {
            end.stopped().await;
        }
    }

    /// Returns whether a response was under way since the last call, and resets the record of writes.
    pub fn take_activity(&self) -> bool {
        let moved = self.moved.swap(false, Ordering::Relaxed);
        moved || self.busy.load(Ordering::Relaxed)
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
