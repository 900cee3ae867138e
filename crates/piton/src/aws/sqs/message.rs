//! [`Message`]: a received message; [`Attribute`]: an attribute of a message.

use std::collections::BTreeMap;
use std::fmt;

use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{Message as Received, MessageAttributeValue};
use md5::{Digest, Md5};
use serde::de::DeserializeOwned;

use crate::aws::{Error, Kind};

/// A received message.
#[derive(Clone)]
pub struct Message {
    id: String,
    body: String,
    md5_of_body: String,
    md5_of_message_attributes: Option<String>,
    attributes: BTreeMap<String, String>,
    message_attributes: BTreeMap<String, Attribute>,
    receipt: String,
}

/// An attribute of a message, set by its sender.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Attribute {
    /// Text.
    String(String),
    /// A number, as text: up to 38 digits.
    Number(String),
    /// Bytes.
    Binary(Vec<u8>),
}

impl Message {
    /// Creates a message as a queue would deliver it, for tests of handlers.
    #[must_use]
    pub fn new(id: impl Into<String>, body: impl Into<String>) -> Self {
        let (id, body) = (id.into(), body.into());
        Self {
            id,
            md5_of_body: md5_hex(body.as_bytes()),
            body,
            md5_of_message_attributes: None,
            attributes: BTreeMap::new(),
            message_attributes: BTreeMap::new(),
            receipt: String::new(),
        }
    }

    pub(super) fn from_sdk(received: Received) -> Self {
        let attributes = received.attributes.unwrap_or_default().into_iter();
        let custom = received.message_attributes.unwrap_or_default().into_iter();
        Self {
            id: received.message_id.unwrap_or_default(),
            body: received.body.unwrap_or_default(),
            md5_of_body: received.md5_of_body.unwrap_or_default(),
            md5_of_message_attributes: received.md5_of_message_attributes,
            attributes: attributes.map(|(name, value)| (name.as_str().to_owned(), value)).collect(),
            message_attributes: custom.map(|(name, value)| (name, value.into())).collect(),
            receipt: received.receipt_handle.unwrap_or_default(),
        }
    }

    /// Returns the message id. A message that is delivered again has the same.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the body.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
    }

    /// Deserializes the body from JSON.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if the body is not JSON of that shape. The error names the place, and does not
    /// repeat the text.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        if crate::json_scanner::has_private_name(self.body.as_bytes()) {
            let why = "the body of the message has a name that begins with `$serde_json::private::`, \
                       which is reserved";
            return Err(Error::new(Kind::Invalid, why.to_owned()));
        }
        serde_json::from_str(&self.body).map_err(|error| {
            let why = match error.classify() {
                serde_json::error::Category::Data => "is not of the expected shape",
                _ => "is not JSON",
            };
            let (line, column) = (error.line(), error.column());
            let text = format!("the body of the message {why} (line {line}, column {column})");
            Error::new(Kind::Invalid, text)
        })
    }

    /// Returns the system attributes that the poll requested (`attribute_names`), such as
    /// `ApproximateReceiveCount` and `SentTimestamp`; of FIFO queues always `MessageGroupId`.
    #[must_use]
    pub fn attributes(&self) -> &BTreeMap<String, String> {
        &self.attributes
    }

    /// Returns the sender's attributes that the poll requested (`message_attribute_names`).
    #[must_use]
    pub fn message_attributes(&self) -> &BTreeMap<String, Attribute> {
        &self.message_attributes
    }

    /// Returns the MD5 of the body, in hexadecimal digits.
    #[must_use]
    pub fn md5_of_body(&self) -> &str {
        &self.md5_of_body
    }

    /// Returns the MD5 of the requested attributes, if there are any.
    #[must_use]
    pub fn md5_of_message_attributes(&self) -> Option<&str> {
        self.md5_of_message_attributes.as_deref()
    }

    /// Returns the receipt handle, with which [`Sqs::client`](super::Sqs::client) can delete this delivery
    /// or make it visible. It does not belong in a log, because everybody who has it can do so.
    #[must_use]
    pub fn receipt_handle(&self) -> &str {
        &self.receipt
    }

    /// Returns the message group in a FIFO queue.
    pub(super) fn group(&self) -> Option<&str> {
        self.attributes.get("MessageGroupId").map(String::as_str)
    }

    /// Returns whether the body has the MD5 that the queue reports.
    pub(super) fn is_intact(&self) -> bool {
        self.md5_of_body.is_empty() || self.md5_of_body == md5_hex(self.body.as_bytes())
    }
}

/// Shows neither body nor receipt handle, because neither belongs in a log.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("length", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(text) => write!(f, "String({} bytes)", text.len()),
            Self::Number(number) => write!(f, "Number({number})"),
            Self::Binary(bytes) => write!(f, "Binary({} bytes)", bytes.len()),
        }
    }
}

impl Attribute {
    /// Returns the text, or the number as text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) | Self::Number(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// Returns the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Binary(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl From<&str> for Attribute {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Attribute {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<Vec<u8>> for Attribute {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes)
    }
}

/// Implements the conversion of numbers to [`Attribute::Number`].
macro_rules! from_numbers {
    ($($number:ty)*) => {$(
        impl From<$number> for Attribute {
            fn from(number: $number) -> Self {
                Self::Number(number.to_string())
            }
        }
    )*};
}

from_numbers!(i8 i16 i32 i64 u8 u16 u32 u64 f32 f64);

impl From<MessageAttributeValue> for Attribute {
    fn from(value: MessageAttributeValue) -> Self {
        if let Some(bytes) = value.binary_value {
            return Self::Binary(bytes.into_inner());
        }
        let text = value.string_value.unwrap_or_default();
        // Compared by its beginning, because a type may have a custom suffix: `Number.float`.
        if value.data_type.starts_with("Number") { Self::Number(text) } else { Self::String(text) }
    }
}

impl TryFrom<Attribute> for MessageAttributeValue {
    type Error = Error;

    fn try_from(attribute: Attribute) -> Result<Self, Error> {
        let builder = Self::builder();
        let builder = match attribute {
            Attribute::String(text) => builder.data_type("String").string_value(text),
            Attribute::Number(number) if number.parse::<f64>().is_ok_and(f64::is_finite) => {
                builder.data_type("Number").string_value(number)
            }
            Attribute::Number(_) => {
                return Err(Error::new(
                    Kind::Invalid,
                    "an attribute of type number is not a valid number",
                ));
            }
            Attribute::Binary(bytes) => builder.data_type("Binary").binary_value(Blob::new(bytes)),
        };
        builder.build().map_err(|error| Error::new(Kind::Invalid, error.to_string()))
    }
}

/// Returns the MD5 in hexadecimal digits. SQS reports the MD5 of what it received, to detect corruption.
pub(super) fn md5_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let sum = Md5::digest(bytes);
    sum.iter().fold(String::with_capacity(32), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_body_nor_receipt_handle() {
        let received = Received::builder().message_id("1").body("hunter2").receipt_handle("secret");
        let shown = format!("{:?}", Message::from_sdk(received.build()));
        assert!(shown.contains("\"1\"") && !shown.contains("hunter2") && !shown.contains("secret"));
        assert!(!format!("{:?}", Attribute::from("hunter2")).contains("hunter2"));
    }

    #[test]
    fn a_corrupted_body_is_detected() {
        let received = |body: &str| {
            let received = Received::builder().body(body).md5_of_body(md5_hex(b"hello"));
            Message::from_sdk(received.build())
        };
        assert!(received("hello").is_intact() && !received("hullo").is_intact());
    }

    #[test]
    fn attributes_keep_their_type_both_ways() {
        for attribute in [Attribute::from("x"), 7.into(), 0.5.into(), vec![0, 255].into()] {
            let value = MessageAttributeValue::try_from(attribute.clone()).unwrap();
            assert_eq!(Attribute::from(value), attribute);
        }
        assert!(MessageAttributeValue::try_from(Attribute::from(f64::NAN)).is_err());
    }

    #[test]
    fn a_body_is_deserialized_from_json() {
        #[derive(serde::Deserialize)]
        struct Order {
            id: u32,
        }
        let order: Order = Message::new("1", r#"{"id":7}"#).json().unwrap();
        assert_eq!(order.id, 7);
        let wrong = Message::new("1", r#"{"id":"hunter2"}"#).json::<Order>().map(drop).unwrap_err();
        let text = wrong.to_string();
        assert!(text.contains("column 15") && !text.contains("hunter2"), "{text}");
    }
}
