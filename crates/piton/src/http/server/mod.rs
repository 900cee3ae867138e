//! The listener, its connections, and everything that happens around a handler.

mod access_log;
pub(crate) mod body_limit_errors;
#[cfg(feature = "compression")]
pub(crate) mod compression;
#[cfg(not(feature = "compression"))]
#[path = "compression_disabled.rs"]
pub(crate) mod compression;
mod connection;
pub(crate) mod connection_state;
pub(crate) mod cors;
mod cors_origin;
mod error_format;
mod header_timeout;
mod in_flight;
pub(crate) mod listener;
mod load_shedding;
pub(crate) mod panics;
mod path_redaction;
pub(crate) mod probe_paths;
mod protocol_errors;
mod request_body_limit;
pub(crate) mod request_context;
mod response_body;
mod response_headers;
pub(crate) mod stack;
pub(crate) mod stack_config;
mod streamed_body;
#[cfg(test)]
mod tests;
