//! The listener, its connections, and everything that stands around a handler.

pub(crate) mod body_budget;
#[cfg(feature = "compression")]
pub(crate) mod compression;
#[cfg(not(feature = "compression"))]
#[path = "compression_disabled.rs"]
pub(crate) mod compression;
pub(crate) mod connection_state;
pub(crate) mod cors;
mod cors_origin;
pub(crate) mod forwarded;
pub(crate) mod listener;
pub(crate) mod panics;
mod protocol_errors;
pub(crate) mod stack;
