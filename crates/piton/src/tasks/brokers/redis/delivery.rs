//! [`Delivery`]: an entry of the unacknowledged messages.

use piton_celery::python_json;
use serde_json::Value;

/// An entry of the unacknowledged messages: `[message, exchange, routing key]`.
pub(super) struct Delivery {
    pub message: Value,
    pub exchange: String,
    pub routing_key: String,
}

impl Delivery {
    pub fn read(value: &[u8]) -> Option<Self> {
        let entry: Value = python_json::from_slice(value).ok()?;
        let Value::Array(mut parts) = entry else { return None };
        let text = |at: usize| Some(parts.get(at)?.as_str()?.to_owned());
        let (exchange, routing_key) = (text(1)?, text(2)?);
        let message = parts.swap_remove(0);
        message.is_object().then_some(Self { message, exchange, routing_key })
    }

    pub fn id(&self) -> Option<String> {
        Some(self.message["headers"]["id"].as_str()?.to_owned())
    }
}
