//! A received message, and what is said of messages beside their bodies.

use std::collections::BTreeMap;
use std::fmt;

use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{Message as Received, MessageAttributeValue};
use md5::{Digest, Md5};
use serde::de::DeserializeOwned;

use crate::aws::{Error, Kind};

/// A message that was received.
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

/// One thing that is said of a message beside its body.
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
    /// A message as a queue would deliver it: for tests of callbacks.
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

    pub(super) fn of(received: Received) -> Self {
        let attributes = received.attributes.unwrap_or_default().into_iter();
        let said = received.message_attributes.unwrap_or_default().into_iter();
        Self {
            id: received.message_id.unwrap_or_default(),
            body: received.body.unwrap_or_default(),
            md5_of_body: received.md5_of_body.unwrap_or_default(),
            md5_of_message_attributes: received.md5_of_message_attributes,
            attributes: attributes.map(|(name, value)| (name.as_str().to_owned(), value)).collect(),
            message_attributes: said.map(|(name, value)| (name, value.into())).collect(),
            receipt: received.receipt_handle.unwrap_or_default(),
        }
    }

    /// What the queue calls it. A message that is delivered again has the same.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What was sent.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
    }

    /// The body, from JSON.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if the body is not JSON of that shape. The error says where, and nothing of
    /// what stands there.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        if crate::json_text::has_private_name(self.body.as_bytes()) {
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

    /// What the queue says of it, as far as the poll asked (`attribute_names`):
    /// `ApproximateReceiveCount`, `SentTimestamp` and their like; of FIFO queues always
    /// `MessageGroupId`.
    #[must_use]
    pub fn attributes(&self) -> &BTreeMap<String, String> {
        &self.attributes
    }

    /// What the sender said beside the body, as far as the poll asked (`message_attribute_names`).
    #[must_use]
    pub fn message_attributes(&self) -> &BTreeMap<String, Attribute> {
        &self.message_attributes
    }

    /// The MD5 of the body, in hexadecimal digits.
    #[must_use]
    pub fn md5_of_body(&self) -> &str {
        &self.md5_of_body
    }

    /// The MD5 of the attributes that were asked for, where there are any.
    #[must_use]
    pub fn md5_of_message_attributes(&self) -> Option<&str> {
        self.md5_of_message_attributes.as_deref()
    }

    /// By what this delivery of it is deleted or given back with [`Sqs::client`](super::Sqs::client).
    /// Whoever has it can do so: it does not belong in a log.
    #[must_use]
    pub fn receipt_handle(&self) -> &str {
        &self.receipt
    }

    /// The group in a FIFO queue.
    pub(super) fn group(&self) -> Option<&str> {
        self.attributes.get("MessageGroupId").map(String::as_str)
    }

    /// Whether the body is the one that the queue has.
    pub(super) fn is_whole(&self) -> bool {
        self.md5_of_body.is_empty() || self.md5_of_body == md5_hex(self.body.as_bytes())
    }
}

/// Without body and receipt: neither belongs in a log.
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
    /// The text, or the number as text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) | Self::Number(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// The bytes.
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

/// Numbers become [`Attribute::Number`].
macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl From<$number> for Attribute {
            fn from(number: $number) -> Self {
                Self::Number(number.to_string())
            }
        }
    )*};
}

numbers!(i8 i16 i32 i64 u8 u16 u32 u64 f32 f64);

impl From<MessageAttributeValue> for Attribute {
    fn from(value: MessageAttributeValue) -> Self {
        if let Some(bytes) = value.binary_value {
            return Self::Binary(bytes.into_inner());
        }
        let text = value.string_value.unwrap_or_default();
        // A type may have a name of the sender's own behind it: `Number.float`.
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
                    "an attribute is to be a number and is none",
                ));
            }
            Attribute::Binary(bytes) => builder.data_type("Binary").binary_value(Blob::new(bytes)),
        };
        builder.build().map_err(|error| Error::new(Kind::Invalid, error.to_string()))
    }
}

/// The MD5 in hexadecimal digits.
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
    fn neither_body_nor_receipt_is_shown() {
        let received = Received::builder().message_id("1").body("hunter2").receipt_handle("secret");
        let shown = format!("{:?}", Message::of(received.build()));
        assert!(shown.contains("\"1\"") && !shown.contains("hunter2") && !shown.contains("secret"));
        assert!(!format!("{:?}", Attribute::from("hunter2")).contains("hunter2"));
    }

    #[test]
    fn a_body_that_is_not_the_queues_is_known() {
        let received = |body: &str| {
            let received = Received::builder().body(body).md5_of_body(md5_hex(b"hello"));
            Message::of(received.build())
        };
        assert!(received("hello").is_whole() && !received("hullo").is_whole());
    }

    #[test]
    fn attributes_keep_their_kind_both_ways() {
        for attribute in [Attribute::from("x"), 7.into(), 0.5.into(), vec![0, 255].into()] {
            let value = MessageAttributeValue::try_from(attribute.clone()).unwrap();
            assert_eq!(Attribute::from(value), attribute);
        }
        assert!(MessageAttributeValue::try_from(Attribute::from(f64::NAN)).is_err());
    }

    #[test]
    fn a_body_is_read_as_json() {
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
