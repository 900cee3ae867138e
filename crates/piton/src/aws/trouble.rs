//! How the last call went, for the health answer.

use std::sync::{Mutex, PoisonError};

use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};

use super::access::Access;
use super::{Error, Kind};
use crate::config;
use crate::part::{Health, Launch};
use crate::secrets::redact_credentials;

/// Why the last call failed, if it did and not by the caller's own fault.
#[derive(Default)]
pub(super) struct Trouble {
    last: Mutex<Option<String>>,
    help: Help,
    /// The configured endpoint or region, with the name of the setting.
    place: Option<String>,
}

/// What to set where region or credentials are missing: the service's own variables by name.
#[derive(Default)]
pub(super) struct Help {
    prefix: String,
    section: &'static str,
}

impl Help {
    pub fn of(section: &'static str, launch: &Launch) -> Self {
        Self { prefix: launch.handle.config().prefix().to_owned(), section }
    }

    fn variable(&self, name: &str) -> String {
        config::variable(&self.prefix, &format!("{}.{name}", self.section))
    }

    pub fn region(&self) -> String {
        format!("set {}, or AWS_REGION", self.variable("region_name"))
    }

    fn keys(&self) -> String {
        let (id, secret) = (self.variable("access_key_id"), self.variable("secret_access_key"));
        format!("set {id} and {secret}, or AWS_*")
    }

    /// The SDK says in words of its own what is missing: of a signature that it cannot make, say.
    fn with(&self, what: &str, error: Error) -> Error {
        let text = error.to_string().to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
        let missing = |thing: &str, advice: String| {
            Error::new(Kind::Misconfigured, format!("{what}: {thing}: {advice}"))
        };
        if error.kind() != Kind::Misconfigured {
            error
        } else if has(&["missing region", "signing region", "region must be set"]) {
            missing("no region is set", self.region())
        } else if has(&["no providers in chain", "identity resolver"]) {
            missing("no credentials were found", self.keys())
        } else if has(&["credential", "identity"]) {
            error.with(&self.keys())
        } else {
            error
        }
    }
}

impl Trouble {
    pub fn new(help: Help, access: &Access) -> Self {
        let endpoint = access.endpoint_url.as_ref();
        let endpoint = endpoint.map(|url| ("endpoint_url", url.as_str()));
        let region = access.region_name.as_deref().map(|name| ("region_name", name));
        let place = endpoint.or(region);
        let place = place
            .map(|(name, value)| format!("{}={}", help.variable(name), redact_credentials(value)));
        Self { last: Mutex::default(), help, place }
    }

    /// Names the server if the error is about the server, and not about the call.
    pub fn placed(&self, error: Error) -> Error {
        let by_call =
            is_of_call(&error) || matches!(error.kind(), Kind::Throttled | Kind::Misconfigured);
        match &self.place {
            Some(place) if !by_call => error.with(&format!("with {place}")),
            _ => error,
        }
    }

    /// Keeps in mind how a call went. `what` says what was being done.
    pub fn note<T, E>(
        &self,
        result: Result<T, SdkError<E, HttpResponse>>,
        what: impl FnOnce() -> String,
    ) -> Result<T, Error>
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        let result = result.map_err(|error| {
            let what = what();
            self.placed(self.help.with(&what, Error::of(&what, &error)))
        });
        let trouble = match &result {
            Err(error) if !is_of_call(error) => Some(error.to_string()),
            _ => None,
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        result
    }

    pub fn health(&self) -> Health {
        let trouble = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        trouble.map_or(Health::Up, Health::Degraded)
    }
}

/// Returns whether an error is about the call. Amazon names such errors by a code; a 404 without one
/// is the answer of another server.
fn is_of_call(error: &Error) -> bool {
    matches!(error.kind(), Kind::NotFound | Kind::Invalid) && error.code().is_some()
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_sdk_sqs::Client;
    use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};

    use super::*;

    const KEYS: &str = "set GNAR_SQS_ACCESS_KEY_ID and GNAR_SQS_SECRET_ACCESS_KEY, or AWS_*";

    fn help() -> Help {
        Help { prefix: "GNAR".into(), section: "sqs" }
    }

    async fn said(region: Option<&'static str>, keys: bool) -> String {
        let keys = keys.then(|| Credentials::new("id", "secret", None, None, "a test"));
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(region.map(Region::new));
        config.set_credentials_provider(keys.map(SharedCredentialsProvider::new));
        let config = config.build();

        let sent = Box::pin(Client::new(&config).list_queues().send()).await;
        let trouble = Trouble { help: help(), ..Trouble::default() };
        let error = trouble.note(sent, || "list".into()).expect_err("it is missing");
        assert_eq!(error.kind(), Kind::Misconfigured, "{error}");
        error.to_string()
    }

    #[tokio::test]
    async fn a_missing_region_is_told_with_what_to_set() {
        let told = "list: no region is set: set GNAR_SQS_REGION_NAME, or AWS_REGION";
        assert_eq!(said(None, true).await, told);
    }

    #[tokio::test]
    async fn missing_credentials_are_told_with_what_to_set() {
        let told = format!("list: no credentials were found: {KEYS}");
        assert_eq!(said(Some("eu-central-1"), false).await, told);
    }

    #[test]
    fn credentials_that_cannot_be_had_are_told_with_their_cause() {
        let why = "list: an error occurred while loading credentials: no such file.";
        let error = help().with("list", Error::new(Kind::Misconfigured, why));
        assert_eq!(error.to_string(), format!("{}: {KEYS}", why.trim_end_matches('.')));
        let other = help().with("list", Error::new(Kind::Denied, "credentials"));
        assert_eq!(other.to_string(), "credentials");
    }

    #[test]
    fn a_server_that_is_away_is_named_with_the_setting_that_names_it() {
        let trouble = |endpoint: Option<&str>, region: Option<&str>| {
            let parse = |url| crate::config::Setting::parse(&serde_json::Value::from(url)).ok();
            let access = Access {
                region_name: region.map(str::to_owned),
                access_key_id: None,
                secret_access_key: None,
                session_token: None,
                endpoint_url: endpoint.and_then(parse),
                connect_timeout: std::time::Duration::from_secs(1),
                timeout: std::time::Duration::from_secs(1),
                nowhere: None,
            };
            Trouble::new(help(), &access)
        };
        let away = || Error::new(Kind::Unavailable, "list: connection refused");
        let said = |trouble: Trouble, error| trouble.placed(error).to_string();
        assert_eq!(
            said(trouble(Some("http://127.0.0.1:1"), Some("eu-west-1")), away()),
            "list: connection refused: with GNAR_SQS_ENDPOINT_URL=http://127.0.0.1:1"
        );
        assert_eq!(
            said(trouble(None, Some("eu-nowhere-1")), away()),
            "list: connection refused: with GNAR_SQS_REGION_NAME=eu-nowhere-1"
        );
        assert_eq!(said(trouble(None, None), away()), "list: connection refused");
        // Without a code of Amazon's the answer came from another server.
        let other = Error::new(Kind::Invalid, "find: status 404");
        assert_eq!(
            said(trouble(Some("http://127.0.0.1:1"), None), other),
            "find: status 404: with GNAR_SQS_ENDPOINT_URL=http://127.0.0.1:1"
        );
        let wrong = Error::coded(Kind::Invalid, "a bug");
        assert_eq!(said(trouble(Some("http://127.0.0.1:1"), None), wrong), "a bug");
    }
}
