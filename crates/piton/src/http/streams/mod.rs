//! Responses that go on after `http.timeout`: server-sent events, WebSockets and streams of bytes.
//!
//! They have limits of their own (`http.streams`), are counted while they are open, and are ended by
//! the stop signal at once, between two events (`docs/decisions/0025-streams-end-at-the-stop-signal.md`).

pub(super) mod byte_stream;
mod deadlines;
pub(super) mod event;
pub(super) mod last_event_id;
mod live_body;
pub(super) mod registry;
pub(super) mod settings;
pub(super) mod sse;
pub(super) mod stream_item;
mod stream_metrics;
#[cfg(feature = "websocket")]
pub(super) mod websocket;
#[cfg(not(feature = "websocket"))]
#[path = "websocket_disabled.rs"]
mod websocket;
