//! The identity and state of one request: id, trace, caller, body, trusted proxies.

pub(crate) mod body_state;
pub(crate) mod caller;
pub(crate) mod current_request;
pub(crate) mod request_id;
pub(crate) mod trace_context;
pub(crate) mod trusted_proxies;

pub use request_id::RequestId;
pub use trace_context::{TRACEPARENT, TraceContext};
pub use trusted_proxies::{ClientIpHeader, Network};
