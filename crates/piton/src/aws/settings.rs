//! [`AwsSettings`]: region, credentials, endpoint and timeouts, the same for SQS and SES.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::config::types::address_settings::expected_because;
use crate::config::{HttpUrl, Reader, Setting};
use crate::parse_address::AddressError;

/// Access to an AWS service. What is not set comes from the machine: the variables `AWS_*`, a profile, the
/// role of the container or the instance.
#[derive(Clone, Debug, piton_macros::Settings)]
#[setting(check = Self::check)]
pub struct AwsSettings {
    /// The region, such as `eu-central-1`. **Default: that of the machine (`AWS_REGION`).**
    pub region_name: Option<String>,

    /// The id of the access key that signs requests. Leave it out where the machine has a role.
    /// **Default: the machine's credentials.**
    pub access_key_id: Option<String>,

    /// The secret of the access key. **Default: the machine's credentials.**
    pub secret_access_key: Option<SecretString>,

    /// The session token of a temporary access key. **Default: none.**
    pub session_token: Option<SecretString>,

    /// The URL of a compatible server (moto, LocalStack, for queues also ElasticMQ), or of an endpoint in
    /// a VPC. **Default: that of AWS for the region.**
    pub endpoint_url: Option<EndpointUrl>,

    /// Timeout of a connection attempt. **Default: `3s`.**
    #[setting(max = "1h")]
    pub connect_timeout: Duration,

    /// Timeout of one call, failed attempts included; receiving messages may take `wait_time` longer.
    /// Raise it if large attachments are sent over a slow line. **Default: `25s`.**
    #[setting(max = "1day")]
    pub timeout: Duration,
}

impl Default for AwsSettings {
    fn default() -> Self {
        Self {
            region_name: None,
            access_key_id: None,
            secret_access_key: None,
            session_token: None,
            endpoint_url: None,
            connect_timeout: Duration::from_secs(3),
            timeout: Duration::from_secs(25),
        }
    }
}

/// Returns the value unless its text is empty: a variable without a value counts as not set.
pub(super) fn non_empty<T: Clone>(value: &Option<T>, text: impl Fn(&T) -> &str) -> Option<T> {
    value.clone().filter(|value| !text(value).trim().is_empty())
}

impl AwsSettings {
    /// Returns the settings with empty values as not set.
    pub(super) fn without_empty(&self) -> Self {
        Self {
            region_name: non_empty(&self.region_name, |name| name),
            access_key_id: non_empty(&self.access_key_id, |id| id),
            secret_access_key: non_empty(&self.secret_access_key, |key| key.expose_secret()),
            session_token: non_empty(&self.session_token, |token| token.expose_secret()),
            endpoint_url: non_empty(&self.endpoint_url, |url| url.as_str()),
            ..self.clone()
        }
    }

    fn check(&self, from: &mut Reader<'_>) {
        for (name, why, fix) in self.without_empty().problems() {
            from.refuse(name, why, fix);
        }
    }

    /// Returns the settings that cannot work: name, reason and fix.
    fn problems(&self) -> Vec<(&'static str, &'static str, &'static str)> {
        const BOTH: &str = "set both, or neither to use the machine's credentials";
        let mut problems = Vec::new();
        let has_secret = self.secret_access_key.is_some();
        match &self.access_key_id {
            Some(_) if !has_secret => {
                problems.push(("secret_access_key", "the id of a key without its secret", BOTH));
            }
            None if has_secret => {
                problems.push(("access_key_id", "the secret of a key without its id", BOTH));
            }
            None if self.session_token.is_some() => {
                problems.push(("session_token", "a session token without its key", BOTH));
            }
            _ => {}
        }
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if self.region_name.as_ref().is_some_and(|name| !name.bytes().all(plain)) {
            let why = "the name of a region has only lower-case letters, digits and `-`";
            problems.push(("region_name", why, "eu-central-1"));
        }
        for (name, time) in [("connect_timeout", self.connect_timeout), ("timeout", self.timeout)] {
            if time.is_zero() {
                problems.push((name, "no server replies that fast", "30s"));
            }
        }
        problems
    }
}

/// The URL of a server with the API of an AWS service: `http` or `https`, without credentials.
#[derive(Clone)]
pub struct EndpointUrl(String);

impl fmt::Debug for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl EndpointUrl {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for EndpointUrl {
    fn expects() -> Cow<'static, str> {
        "an address such as `http://127.0.0.1:4566`, without user and password".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let text = value.as_str().ok_or_else(|| format!("expected {}", Self::expects()))?.trim();
        if text.is_empty() {
            return Ok(Self(String::new()));
        }
        let url: HttpUrl = text.parse().map_err(expected_because::<Self>)?;
        if url.has_query() {
            Err(expected_because::<Self>(AddressError::Query))
        } else {
            Ok(Self(text.into()))
        }
    }

    fn show(&self) -> Value {
        Value::from(self.0.as_str())
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^(https?://[^@]+)?$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> AwsSettings {
        AwsSettings { region_name: Some("eu-central-1".into()), ..AwsSettings::default() }
    }

    fn refused(settings: &AwsSettings) -> Vec<&'static str> {
        settings.problems().iter().map(|(name, ..)| *name).collect()
    }

    #[test]
    fn one_half_of_a_key_is_refused() {
        let (id, secret) = (Some("AKIA".to_owned()), Some(SecretString::from("hunter2")));
        assert!(refused(&settings()).is_empty());
        let only_id = AwsSettings { access_key_id: id.clone(), ..settings() };
        assert_eq!(refused(&only_id), ["secret_access_key"]);
        let only_secret = AwsSettings { secret_access_key: secret.clone(), ..settings() };
        assert_eq!(refused(&only_secret), ["access_key_id"]);
        let both =
            AwsSettings { access_key_id: id, secret_access_key: secret.clone(), ..settings() };
        assert!(refused(&both).is_empty());
        assert!(!format!("{both:?}").contains("hunter2"));
        assert_eq!(
            refused(&AwsSettings { session_token: secret, ..settings() }),
            ["session_token"]
        );
        assert_eq!(refused(&AwsSettings { timeout: Duration::ZERO, ..settings() }), ["timeout"]);
    }

    #[test]
    fn an_invalid_region_is_refused() {
        let named = |name: &str| AwsSettings { region_name: Some(name.to_owned()), ..settings() };
        assert!(refused(&named("us-gov-west-1")).is_empty());
        for wrong in ["EU-CENTRAL-1", "eu central", "eu-central-1.example.com/", "ü"] {
            assert_eq!(refused(&named(wrong)), ["region_name"], "{wrong}");
        }
    }

    #[test]
    fn an_endpoint_is_a_url_without_credentials() {
        let parse = |text: &str| EndpointUrl::parse(&json!(text));
        assert_eq!(parse("http://127.0.0.1:4566").unwrap().0, "http://127.0.0.1:4566");
        assert!(EndpointUrl::parse(&json!(4566)).is_err());
        assert!(parse("").unwrap().as_str().is_empty(), "counts as not set");
        for wrong in [
            "127.0.0.1:4566",
            "ftp://a",
            "https://me:hunter2@sqs",
            "http://",
            "http://a:x",
            "http://a:0",
            "http://a,b",
            "http://a?x=hunter2",
            "http://a#x",
            "http://:4566",
        ] {
            let error = parse(wrong).unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
