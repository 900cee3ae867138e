//! HTTP/2 (RFC 9113) by hyper, with limits for each connection and each stream.
//!
//! h2 refuses floods of reset streams, CONTINUATION and empty DATA frames by itself. Added here: the
//! time without a request (`connection_state.rs`), the time in which a client takes nothing of a response
//! (`stream_task.rs`), the bytes of a response that wait for the client's window (`stream_body.rs`),
//! and the number of requests that a client cancels.

mod connection;
mod connection_state;
mod draining_body;
mod stream_body;
mod stream_task;

use std::time::Duration;

use crate::http::settings::HttpSettings;

/// The first bytes of a connection (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The settings of every connection with HTTP/2.
#[derive(Clone)]
pub(super) struct Http2Config {
    max_streams: u32,
    window: u32,
    /// Maximum size of a header list, with 32 bytes for each field (RFC 9113, section 6.5.2).
    max_header_bytes: u32,
    ping_interval: Duration,
    write_timeout: Duration,
}

impl Http2Config {
    /// Returns the settings, or `None` if HTTP/2 is switched off.
    pub fn new(settings: &HttpSettings) -> Option<Self> {
        let http2 = &settings.http2;
        let window = u32::try_from(http2.window.as_u64()).unwrap_or(u32::MAX >> 1);
        http2.enabled.then_some(Self {
            max_streams: http2.max_streams,
            window,
            max_header_bytes: u32::try_from(settings.header_limit.as_u64()).unwrap_or(u32::MAX),
            ping_interval: http2.ping_interval,
            write_timeout: settings.write_timeout,
        })
    }

    /// Returns the first bytes of a connection by prior knowledge.
    pub fn preface(&self) -> &'static [u8] {
        PREFACE
    }
}
