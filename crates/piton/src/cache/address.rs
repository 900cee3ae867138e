//! The address of a Redis server, as it is written in settings.

use std::borrow::Cow;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::config::{Setting, redact};

/// What an address of a Redis server begins with.
const SCHEMES: [&str; 4] = ["redis://", "rediss://", "redis+unix://", "unix://"];

/// The address of a Redis server. It may hold a password, so what is shown of it has none.
#[derive(Clone)]
pub struct RedisUrl(SecretString);

impl RedisUrl {
    /// The whole address.
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "nobody connects to it"))]
    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether the way to it is encrypted.
    pub(super) fn is_tls(&self) -> bool {
        self.0.expose_secret().starts_with("rediss://")
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.show(), f)
    }
}

impl Setting for RedisUrl {
    fn expects() -> Cow<'static, str> {
        "an address such as `redis://user:password@host:6379/0`".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let text = value.as_str().unwrap_or_default().trim();
        if SCHEMES.iter().any(|scheme| text.starts_with(scheme)) {
            return Ok(Self(text.into()));
        }
        // Not a word of the value: there may be a password anywhere in it.
        Err(format!("expected {}", Self::expects()))
    }

    fn show(&self) -> Value {
        redact::shown(false, &Value::from(self.0.expose_secret()))
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^(rediss?|redis\\+unix|unix)://" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let url = RedisUrl::parse(&json!("rediss://me:hunter2@cache:6380/1")).unwrap();
        assert_eq!(url.show(), json!("rediss://***@cache:6380/1"));
        assert!(url.is_tls() && !format!("{url:?}").contains("hunter2"));
        let url = RedisUrl::parse(&json!("redis://:hunter2@cache")).unwrap();
        assert!(!url.show().to_string().contains("hunter2"));
        let error = RedisUrl::parse(&json!("rediz://me:hunter2@cache")).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
