//! The behaviour that users of the framework see, through its public interface.

#![expect(clippy::unwrap_used, reason = "a test that unwraps fails with the line")]

mod admin;
#[cfg(feature = "cache")]
mod cached;
mod config;
mod connection_edges;
#[cfg(feature = "compression")]
mod content_coding;
#[cfg(feature = "validation")]
mod converters;
#[cfg(feature = "openapi")]
mod document_round_trip;
#[cfg(feature = "files")]
mod downloads;
mod encoded_requests;
mod explain;
mod failures;
#[cfg(feature = "jwt")]
mod flask;
#[cfg(feature = "jwt")]
mod flask_settings;
mod gate;
#[cfg(all(feature = "api-key", feature = "jwt"))]
mod guards;
#[cfg(feature = "http2")]
mod http2;
#[cfg(all(feature = "api-key", feature = "sqlite"))]
mod keys;
mod launch;
mod listeners;
mod malformed_requests;
mod manifest;
mod memory;
mod mounting;
#[cfg(feature = "openapi")]
mod openapi;
#[cfg(feature = "openapi")]
mod openapi_flat;
#[cfg(feature = "openapi")]
mod openapi_plain;
#[cfg(all(feature = "openapi", feature = "validation"))]
mod openapi_rules;
#[cfg(all(feature = "jwt", feature = "openapi"))]
mod openapi_tokens;
mod parts;
#[cfg(feature = "password")]
mod passwords;
#[cfg(feature = "jwt")]
mod pem;
mod route_limits;
mod routes;
#[cfg(all(feature = "sqlite", feature = "tasks"))]
mod schedules;
mod serving;
mod stack;
#[cfg(feature = "files")]
mod static_files;
mod steps;
mod streams;
#[cfg(all(feature = "sqlite", feature = "tasks"))]
mod tasks;
mod test_app;
#[cfg(feature = "websocket")]
mod test_app_websocket;
#[cfg(all(feature = "client", feature = "http2", feature = "tls"))]
mod tls;
#[cfg(feature = "jwt")]
mod tokens;
#[cfg(feature = "multipart")]
mod uploads;
#[cfg(feature = "websocket")]
mod websocket;
