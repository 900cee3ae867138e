//! WebSockets (RFC 6455): the argument `WebSocketUpgrade` and the socket that it opens.
//!
//! A driver owns the connection, and the handler's `WebSocket` is a pair of channels to it. So pings,
//! the stop signal and the limits work whatever the handler waits for.

mod driver;
mod message;
mod origin;
mod session;
mod socket;
mod traffic;
mod upgrade;

pub use axum::extract::ws::Utf8Bytes;
pub use message::{CloseCode, CloseFrame, WebSocketMessage};
pub use session::SocketResult;
pub use socket::{WebSocket, WebSocketReceiver, WebSocketSender};
pub use upgrade::WebSocketUpgrade;

pub(super) use upgrade::SocketConfig;
