//! The listeners, their connections, and everything that happens around a handler.

mod accepted_connection;
mod access_log;
pub(crate) mod body_limit_errors;
mod connection;
mod connection_io;
pub(crate) mod connection_limit;
mod connection_permits;
pub(crate) mod connection_state;
mod connection_table;
pub(crate) mod content_coding;
pub(crate) mod cors;
mod cors_origin;
mod discarded_body;
mod error_format;
mod header_timeout;
#[cfg(feature = "http2")]
mod http2;
#[cfg(not(feature = "http2"))]
#[path = "http2_disabled.rs"]
mod http2;
mod idle_watch;
mod in_flight;
pub(crate) mod listener;
pub(crate) mod listeners;
mod load_shedding;
pub(crate) mod panics;
mod path_redaction;
mod plain_http;
pub(crate) mod probe_paths;
mod protocol_errors;
mod request_body;
mod request_body_limit;
pub(crate) mod request_context;
mod request_target;
mod response_body;
mod response_headers;
pub(crate) mod stack;
pub(crate) mod stack_config;
mod streamed_body;
#[cfg(test)]
mod tests;
#[cfg(feature = "tls")]
pub(crate) mod tls;
#[cfg(not(feature = "tls"))]
#[path = "tls_disabled.rs"]
pub(crate) mod tls;
mod write_timeout;
