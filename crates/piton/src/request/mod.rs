//! The identity of a request: its id, its trace, its caller.

pub(crate) mod trace_context;

pub use trace_context::{TRACEPARENT, TraceContext};
