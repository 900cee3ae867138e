//! The state of one request that any code below its handler may read, through the task-local context.

use std::cell::{Cell, OnceCell};
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Instant;

use http::HeaderValue;

use super::body_state::BodyState;
use super::caller::Caller;
use super::request_id::RequestId;
use super::trace_context::TraceContext;
use crate::memory::MemoryCharge;
use crate::metrics::{PathIndex, UNMATCHED};

/// The state of the request that is being handled.
#[derive(Clone)]
pub(crate) struct CurrentRequest {
    pub id: RequestId,
    /// The address of the connection's other end; `None` without a connection, as in a test.
    pub peer: Option<IpAddr>,
    /// The client's address, if the connection's other end is a trusted proxy.
    pub proxied_client: Option<IpAddr>,
    /// The trace of the client's `traceparent` header, if it sent one.
    pub trace: Option<TraceContext>,
    /// The `tracestate` header of other vendors, forwarded unchanged.
    pub trace_state: Option<HeaderValue>,
    /// The metrics series of the matched route. `UNMATCHED` before routing.
    pub path: Cell<PathIndex>,
    /// The caller, once a guard or an argument has authenticated it.
    pub caller: OnceCell<Arc<dyn Caller>>,
    /// The time at which the client gets 503 if there is no response yet.
    pub deadline: Option<Instant>,
    /// The memory charged to this request beyond its body, once there is any.
    pub memory: OnceCell<Arc<MemoryCharge>>,
    /// The state of its body, if it has one. Weak, because a task that a handler starts must not
    /// keep the body charged after the request has ended.
    pub body: Weak<BodyState>,
}

impl CurrentRequest {
    pub fn new(id: RequestId, peer: Option<IpAddr>, trace: Option<TraceContext>) -> Self {
        Self {
            id,
            peer,
            proxied_client: None,
            trace,
            trace_state: None,
            path: Cell::new(UNMATCHED),
            caller: OnceCell::new(),
            deadline: None,
            memory: OnceCell::new(),
            body: Weak::new(),
        }
    }

    /// Returns the address of the client as logs and limits name it.
    pub fn client(&self) -> Option<IpAddr> {
        self.proxied_client.or(self.peer)
    }

    /// Ends what belongs to the request only until its response has begun: its deadline, its body, and
    /// the memory charged to it. For a stream that goes on.
    pub fn outlive_response(&mut self) {
        self.deadline = None;
        self.memory = OnceCell::new();
        self.body = Weak::new();
    }
}
