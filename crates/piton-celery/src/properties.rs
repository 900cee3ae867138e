//! The properties of a message: where it was sent, and how its body is encoded.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::lenient;

/// The delivery mode of tasks: AMQP's "persistent". Redis ignores it.
pub const PERSISTENT: u8 = 2;

/// The delivery mode of events and replies: AMQP's "transient". Redis ignores it.
pub const TRANSIENT: u8 = 1;

/// The properties of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Properties {
    /// The id of the task. Messages that are no tasks have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// The queue for replies of the backend `rpc://`. Nothing else uses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// [`PERSISTENT`] or [`TRANSIENT`].
    #[serde(deserialize_with = "lenient::clamped_u8")]
    pub delivery_mode: u8,
    /// The time that the message may wait, as text of milliseconds. Redis ignores it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiration: Option<String>,
    /// The queue that the message was sent to.
    #[serde(deserialize_with = "lenient::null_as_default")]
    pub delivery_info: DeliveryInfo,
    /// The priority: on Redis 0 is served first, and 9 last. A number beyond 0 to 255 is read as the nearer of
    /// the two, which is the same queue.
    #[serde(deserialize_with = "lenient::clamped_u8")]
    pub priority: u8,
    /// The encoding of the body.
    #[serde(
        skip_serializing_if = "BodyEncoding::is_text",
        deserialize_with = "lenient::null_as_default"
    )]
    pub body_encoding: BodyEncoding,
    /// The id of this delivery, by which it is acknowledged. A Python worker loses a message without it.
    #[serde(deserialize_with = "lenient::null_as_default")]
    pub delivery_tag: String,
    /// All other properties.
    #[serde(flatten, serialize_with = "extra_properties")]
    pub extra: Map<String, Value>,
}

const PROPERTIES: [&str; 8] = [
    "correlation_id",
    "reply_to",
    "delivery_mode",
    "expiration",
    "delivery_info",
    "priority",
    "body_encoding",
    "delivery_tag",
];

fn extra_properties<S: Serializer>(
    extra: &Map<String, Value>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    lenient::undefined_fields(extra, &PROPERTIES, serializer)
}

impl Default for Properties {
    fn default() -> Self {
        Self {
            correlation_id: None,
            reply_to: None,
            delivery_mode: PERSISTENT,
            expiration: None,
            delivery_info: DeliveryInfo::default(),
            priority: 0,
            // Of a message: without the property its body is text.
            body_encoding: BodyEncoding::Text,
            delivery_tag: String::new(),
            extra: Map::new(),
        }
    }
}

impl Properties {
    /// Returns the properties of a message to a queue. `delivery_tag` is unique, by custom a UUID.
    #[must_use]
    pub fn new(queue: impl Into<String>, delivery_tag: impl Into<String>) -> Self {
        let delivery_info = DeliveryInfo { routing_key: queue.into(), ..DeliveryInfo::default() };
        Self {
            delivery_info,
            delivery_tag: delivery_tag.into(),
            body_encoding: BodyEncoding::Base64,
            ..Self::default()
        }
    }

    /// Returns the properties of an event or of a reply.
    pub(crate) fn transient(
        exchange: impl Into<String>,
        routing_key: impl Into<String>,
        delivery_tag: impl Into<String>,
    ) -> Self {
        let mut properties = Self::new(routing_key, delivery_tag);
        properties.delivery_info.exchange = exchange.into();
        properties.delivery_mode = TRANSIENT;
        properties
    }
}

/// The queue that a message was sent to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct DeliveryInfo {
    /// The exchange. Empty means that the routing key is the name of the queue.
    #[serde(deserialize_with = "lenient::null_as_default")]
    pub exchange: String,
    /// The routing key. Empty in messages to all workers.
    #[serde(deserialize_with = "lenient::null_as_default")]
    pub routing_key: String,
    /// True if the message was restored after a worker had received it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redelivered: Option<bool>,
    /// All other members.
    #[serde(flatten, serialize_with = "extra_delivery_info")]
    pub extra: Map<String, Value>,
}

const DELIVERY_INFO: [&str; 3] = ["exchange", "routing_key", "redelivered"];

fn extra_delivery_info<S: Serializer>(
    extra: &Map<String, Value>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    lenient::undefined_fields(extra, &DELIVERY_INFO, serializer)
}

/// The encoding of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
#[non_exhaustive]
pub enum BodyEncoding {
    /// The body is the text itself. Written by leaving the property out.
    #[default]
    Text,
    /// `base64`, the default of Celery.
    Base64,
    /// Another encoding, which cannot be decoded.
    Other(String),
}

impl BodyEncoding {
    fn is_text(&self) -> bool {
        *self == Self::Text
    }
}

impl From<String> for BodyEncoding {
    fn from(name: String) -> Self {
        match name.as_str() {
            "base64" => Self::Base64,
            "" => Self::Text,
            _ if name.eq_ignore_ascii_case("utf-8") => Self::Text,
            _ => Self::Other(name),
        }
    }
}

impl From<BodyEncoding> for String {
    fn from(encoding: BodyEncoding) -> Self {
        match encoding {
            BodyEncoding::Text => "utf-8".to_owned(),
            BodyEncoding::Base64 => "base64".to_owned(),
            BodyEncoding::Other(name) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_field_is_among_the_defined_properties() {
        let names = |value: Value| {
            let mut names: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
            names.sort_unstable();
            names
        };
        let sorted = |mut names: Vec<&'static str>| {
            names.sort_unstable();
            names
        };
        let mut properties = Properties::new("celery", "tag");
        properties.correlation_id = Some("id".into());
        properties.reply_to = Some("oid".into());
        properties.expiration = Some("1000".into());
        properties.delivery_info.redelivered = Some(true);
        assert_eq!(names(json!(properties)), sorted(PROPERTIES.to_vec()));
        assert_eq!(names(json!(properties.delivery_info)), sorted(DELIVERY_INFO.to_vec()));
    }

    #[test]
    fn missing_and_null_properties_are_the_defaults() {
        let read = |value| serde_json::from_value::<Properties>(value).unwrap();
        assert_eq!(read(json!({})), Properties::default());
        let nulls = json!({"delivery_info": null, "body_encoding": null, "delivery_tag": null});
        assert_eq!(read(nulls), Properties::default());
        assert_eq!(read(json!({"body_encoding": "UTF-8"})), Properties::default());
        assert_eq!(read(json!({"priority": -3})).priority, 0);
        assert_eq!(read(json!({"priority": 1000})).priority, 255);
    }
}
