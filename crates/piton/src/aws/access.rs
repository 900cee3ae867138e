//! How a service of Amazon is reached: where, as whom, and how long that may take. Both parts have
//! the same settings for it, and the same way from settings to a client.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::trouble::Help;
use super::{Error, Kind};
use crate::address::AddressError;
use crate::config::{HttpUrl, Reader, Setting, expected_because};
use crate::part::Launch;

/// What the settings of a section say of it.
#[derive(Clone, Debug)]
pub(super) struct Access {
    pub region_name: Option<String>,
    pub access_key_id: Option<String>,
    pub secret_access_key: Option<SecretString>,
    pub session_token: Option<SecretString>,
    pub endpoint_url: Option<EndpointUrl>,
    pub connect_timeout: Duration,
    pub timeout: Duration,
    /// Why nobody is asked: nothing says where Amazon is, and this is no machine of Amazon's.
    pub nowhere: Option<String>,
}

/// What says on a developer's machine where Amazon is, and who one is there.
const MACHINES: [&str; 7] = [
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_CONFIG_FILE",
    "AWS_ENDPOINT_URL",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
];

/// Whether the machine says where Amazon is.
fn the_machine_knows() -> bool {
    let profile = std::env::var_os("HOME").map(|home| Path::new(&home).join(".aws/config"));
    MACHINES.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
        || profile.is_some_and(|profile| profile.is_file())
}

/// Makes `access()` and the check of a section that has all the fields of [`Access`].
macro_rules! access {
    ($settings:ty) => {
        impl $settings {
            pub(super) fn access(&self) -> $crate::aws::access::Access {
                use ::secrecy::ExposeSecret as _;
                use $crate::aws::access::given;
                $crate::aws::access::Access {
                    region_name: given(&self.region_name, |name| name),
                    access_key_id: given(&self.access_key_id, |id| id),
                    secret_access_key: given(&self.secret_access_key, |secret| {
                        secret.expose_secret()
                    }),
                    session_token: given(&self.session_token, |token| token.expose_secret()),
                    endpoint_url: given(&self.endpoint_url, |url| url.as_str()),
                    connect_timeout: self.connect_timeout,
                    timeout: self.timeout,
                    nowhere: None,
                }
            }
        }
    };
}
pub(super) use access;

/// What is set to an empty text, as by a variable without a value, is not set.
pub(super) fn given<T: Clone>(value: &Option<T>, text: impl Fn(&T) -> &str) -> Option<T> {
    value.clone().filter(|value| !text(value).trim().is_empty())
}

impl Access {
    /// Refuses what cannot work.
    pub fn check(&self, from: &mut Reader<'_>) {
        for (name, why, fix) in self.problems() {
            from.refuse(name, why, fix);
        }
    }

    fn problems(&self) -> Vec<(&'static str, &'static str, &'static str)> {
        const BOTH: &str = "set both, or neither to take the machine's own credentials";
        let mut problems = Vec::new();
        let secret = self.secret_access_key.is_some();
        match &self.access_key_id {
            Some(_) if !secret => {
                problems.push(("secret_access_key", "a key's id without its secret", BOTH));
            }
            None if secret => {
                problems.push(("access_key_id", "a key's secret without its id", BOTH));
            }
            None if self.session_token.is_some() => {
                problems.push(("session_token", "a token of a session without its key", BOTH));
            }
            _ => {}
        }
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if self.region_name.as_ref().is_some_and(|name| !name.bytes().all(plain)) {
            let why = "the name of a region is made of small letters, digits and `-`";
            problems.push(("region_name", why, "eu-central-1"));
        }
        for (name, time) in [("connect_timeout", self.connect_timeout), ("timeout", self.timeout)] {
            if time.is_zero() {
                problems.push((name, "no server is as fast as that", "30s"));
            }
        }
        problems
    }

    /// In development, with nothing set here or on the machine, nobody is asked: the SDK would look for
    /// the machine's role in a network that is not Amazon's, again and again. A test asks nobody unless
    /// it says whom, as what the machine knows is a developer's own account.
    pub fn of(self, section: &'static str, launch: &Launch) -> Self {
        if self.region_name.is_some() || self.endpoint_url.is_some() {
            return self;
        }
        if !launch.reads_process_env() {
            let why = format!(
                "a test asks nobody unless it says whom: set {section}.endpoint_url, or {section}.region_name"
            );
            return Self { nowhere: Some(why), ..self };
        }
        if launch.production() || the_machine_knows() {
            return self;
        }
        let why = format!("no region is set: {}", Help::of(section, launch).region());
        Self { nowhere: Some(why), ..self }
    }

    /// Whether there is somebody to ask.
    ///
    /// # Errors
    /// [`Kind::Misconfigured`], with what to set.
    pub fn known(&self) -> Result<(), Error> {
        match &self.nowhere {
            Some(why) => Err(Error::new(Kind::Misconfigured, why.clone())),
            None => Ok(()),
        }
    }

    /// What a client is made of. Talks to nobody unless region or credentials are not set: then the
    /// machine is asked for the region.
    pub async fn load(&self) -> SdkConfig {
        if self.nowhere.is_some() {
            // Neither region nor credentials: each call fails, and says so.
            return SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build();
        }
        let client = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .build_https();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(client)
            .timeout_config(self.timeouts(Duration::ZERO));
        if let Some(region) = &self.region_name {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(url) = &self.endpoint_url {
            loader = loader.endpoint_url(&url.0);
        }
        if let Some(credentials) = self.credentials() {
            loader = loader.credentials_provider(credentials);
        }
        loader.load().await
    }

    /// The timeouts of a call that may take `longer` than others, as one that waits for a message.
    pub fn timeouts(&self, longer: Duration) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect_timeout)
            .operation_timeout(self.timeout + longer)
            .build()
    }

    fn credentials(&self) -> Option<aws_sdk_sqs::config::Credentials> {
        let (id, secret) = (self.access_key_id.as_ref()?, self.secret_access_key.as_ref()?);
        let token = self.session_token.as_ref().map(|token| token.expose_secret().to_owned());
        let secret = secret.expose_secret();
        Some(aws_sdk_sqs::config::Credentials::new(id, secret, token, None, "settings"))
    }
}

/// The address of something that speaks as Amazon does: `http` or `https`, and no credentials in it.
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

    fn access() -> Access {
        Access {
            region_name: Some("eu-central-1".into()),
            access_key_id: None,
            secret_access_key: None,
            session_token: None,
            endpoint_url: None,
            connect_timeout: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            nowhere: None,
        }
    }

    fn refused(access: &Access) -> Vec<&'static str> {
        access.problems().iter().map(|(name, ..)| *name).collect()
    }

    #[test]
    fn one_half_of_a_key_is_refused() {
        let (id, secret) = (Some("AKIA".to_owned()), Some(SecretString::from("hunter2")));
        assert!(refused(&access()).is_empty());
        let only_id = Access { access_key_id: id.clone(), ..access() };
        assert_eq!(refused(&only_id), ["secret_access_key"]);
        let only_secret = Access { secret_access_key: secret.clone(), ..access() };
        assert_eq!(refused(&only_secret), ["access_key_id"]);
        let both = Access { access_key_id: id, secret_access_key: secret.clone(), ..access() };
        assert!(refused(&both).is_empty() && both.credentials().is_some());
        assert!(!format!("{both:?}").contains("hunter2"));
        assert_eq!(refused(&Access { session_token: secret, ..access() }), ["session_token"]);
        assert_eq!(refused(&Access { timeout: Duration::ZERO, ..access() }), ["timeout"]);
    }

    #[test]
    fn what_cannot_be_a_region_is_refused() {
        let named = |name: &str| Access { region_name: Some(name.to_owned()), ..access() };
        assert!(refused(&named("us-gov-west-1")).is_empty());
        for wrong in ["EU-CENTRAL-1", "eu central", "eu-central-1.example.com/", "ü"] {
            assert_eq!(refused(&named(wrong)), ["region_name"], "{wrong}");
        }
    }

    #[test]
    fn an_endpoint_is_an_address_without_credentials() {
        let parse = |text: &str| EndpointUrl::parse(&json!(text));
        assert_eq!(parse("http://127.0.0.1:4566").unwrap().0, "http://127.0.0.1:4566");
        assert!(EndpointUrl::parse(&json!(4566)).is_err());
        assert!(parse("").unwrap().as_str().is_empty(), "as good as none");
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
