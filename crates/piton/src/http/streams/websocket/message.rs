//! The messages of a WebSocket, and the codes by which one is closed.

use axum::extract::ws::{self, Utf8Bytes};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Result;

/// A message of a WebSocket. Pings and pongs never reach the handler: the socket replies to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebSocketMessage {
    /// Text.
    Text(Utf8Bytes),
    /// Bytes.
    Binary(Bytes),
}

impl WebSocketMessage {
    /// Makes a text message with a value as JSON.
    ///
    /// # Errors
    /// The value does not serialize: a bug in the service.
    pub fn json(value: &(impl Serialize + ?Sized)) -> Result<Self> {
        Ok(serde_json::to_string(value)?.into())
    }

    /// Returns the text, or `None` for bytes.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// Returns the bytes of either kind.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// Returns the message, deserialized from JSON.
    ///
    /// # Errors
    /// It is not JSON of that type: a mistake of the client, which [`CloseCode::POLICY`] tells it.
    pub fn parse_json<T: DeserializeOwned>(&self) -> std::result::Result<T, serde_json::Error> {
        serde_json::from_slice(self.as_bytes())
    }
}

macro_rules! message_from {
    ($($type:ty => $kind:ident),* $(,)?) => {
        $(impl From<$type> for WebSocketMessage {
            fn from(content: $type) -> Self {
                Self::$kind(content.into())
            }
        })*
    };
}

message_from!(
    String => Text,
    &str => Text,
    Utf8Bytes => Text,
    Vec<u8> => Binary,
    Bytes => Binary,
);

impl From<WebSocketMessage> for ws::Message {
    fn from(message: WebSocketMessage) -> Self {
        match message {
            WebSocketMessage::Text(text) => Self::Text(text),
            WebSocketMessage::Binary(bytes) => Self::Binary(bytes),
        }
    }
}

/// The reason for which a WebSocket is closed (RFC 6455, section 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// 1000: done.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the service stops, or a time is up. Clients connect again.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the client does not speak the protocol.
    pub const PROTOCOL: Self = Self(1002);
    /// 1007: text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: the client has sent what it may not send.
    pub const POLICY: Self = Self(1008);
    /// 1009: a message above `http.streams.max_message_size`.
    pub const TOO_BIG: Self = Self(1009);
    /// 1011: a fault of the service.
    pub const INTERNAL: Self = Self(1011);
    /// 1013: `http.memory_budget` is used up. Clients try again later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
}

/// The last frame of a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseFrame {
    /// The code.
    pub code: CloseCode,
    /// The reason as text for a developer; may be empty.
    pub reason: Utf8Bytes,
}

/// Maximum length of a reason, because a control frame has at most 125 bytes (section 5.5).
const MAX_REASON_BYTES: usize = 123;

impl CloseFrame {
    /// Makes a frame. A reason above 123 bytes is cut.
    #[must_use]
    pub fn new(code: CloseCode, reason: &str) -> Self {
        let end = reason.floor_char_boundary(MAX_REASON_BYTES);
        Self { code, reason: reason[..end].into() }
    }
}

impl From<CloseFrame> for ws::CloseFrame {
    fn from(frame: CloseFrame) -> Self {
        Self { code: frame.code.0, reason: frame.reason }
    }
}

impl From<ws::CloseFrame> for CloseFrame {
    fn from(frame: ws::CloseFrame) -> Self {
        Self { code: CloseCode(frame.code), reason: frame.reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_cut_to_what_a_frame_holds_and_never_within_a_character() {
        let frame = CloseFrame::new(CloseCode::POLICY, &"é".repeat(100));
        assert_eq!(frame.reason.len(), 122);
        assert_eq!(CloseFrame::new(CloseCode::NORMAL, "bye").reason.as_str(), "bye");
    }
}
