//! The listener, its connections, and everything that happens around a handler.

mod access_log;
pub(crate) mod body_limit_errors;
mod connection;
mod connection_state;
pub(crate) mod content_coding;
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
#[cfg(test)]
mod tests;
