//! The health of an AWS service: the failure of the last call, if there was one.

use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use parking_lot::Mutex;

use super::sdk_config::AwsConfig;
use super::setting_names::SettingNames;
use super::{Error, Kind};
use crate::part::Health;
use crate::secrets::redact_credentials;

/// The error of the last call, unless the call itself was at fault.
///
/// Health is judged by the calls that the service makes anyway, so that nothing is sent before the first
/// use.
#[derive(Default)]
pub(super) struct AwsHealth {
    last_error: Mutex<Option<String>>,
    names: SettingNames,
    /// The configured endpoint or region, with the name of its setting.
    server: Option<String>,
}

impl AwsHealth {
    pub fn new(names: SettingNames, config: &AwsConfig) -> Self {
        let settings = &config.settings;
        let endpoint = settings.endpoint_url.as_ref();
        let endpoint = endpoint.map(|url| ("endpoint_url", url.as_str()));
        let region = settings.region_name.as_deref().map(|name| ("region_name", name));
        let server = endpoint
            .or(region)
            .map(|(name, value)| format!("{}={}", names.variable(name), redact_credentials(value)));
        Self { last_error: Mutex::default(), names, server }
    }

    /// Adds the configured server to an error about the server, and leaves one about the call as it is.
    pub fn with_server(&self, error: Error) -> Error {
        let is_about_server = !is_about_call(&error)
            && !matches!(error.kind(), Kind::Throttled | Kind::Misconfigured);
        match &self.server {
            Some(server) if is_about_server => error.with(&format!("with {server}")),
            _ => error,
        }
    }

    /// Records the result of a call. `what` names the call in the error.
    pub fn record<T, E>(
        &self,
        result: Result<T, SdkError<E, HttpResponse>>,
        what: impl FnOnce() -> String,
    ) -> Result<T, Error>
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        let result = result.map_err(|error| {
            let what = what();
            self.with_server(self.names.explain(&what, Error::from_sdk(&what, &error)))
        });
        let last_error = match &result {
            Err(error) if !is_about_call(error) => Some(error.to_string()),
            _ => None,
        };
        *self.last_error.lock() = last_error;
        result
    }

    pub fn health(&self) -> Health {
        self.last_error.lock().clone().map_or(Health::Up, Health::Degraded)
    }
}

/// Returns whether an error is about the call. AWS gives such errors a code; a 404 without one comes from
/// another server.
fn is_about_call(error: &Error) -> bool {
    matches!(error.kind(), Kind::NotFound | Kind::Invalid) && error.code().is_some()
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_sdk_sqs::Client;
    use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};

    use super::*;
    use crate::aws::settings::AwsSettings;

    const KEYS: &str = "set GNAR_SQS_ACCESS_KEY_ID and GNAR_SQS_SECRET_ACCESS_KEY, or AWS_*";

    fn names() -> SettingNames {
        SettingNames::of_prefix("GNAR", "sqs")
    }

    async fn error_of_call(region: Option<&'static str>, keys: bool) -> String {
        let keys = keys.then(|| Credentials::new("id", "secret", None, None, "a test"));
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(region.map(Region::new));
        config.set_credentials_provider(keys.map(SharedCredentialsProvider::new));
        let config = config.build();

        let sent = Box::pin(Client::new(&config).list_queues().send()).await;
        let health = AwsHealth { names: names(), ..AwsHealth::default() };
        let error = health.record(sent, || "list".into()).expect_err("it is missing");
        assert_eq!(error.kind(), Kind::Misconfigured, "{error}");
        error.to_string()
    }

    #[tokio::test]
    async fn the_error_of_a_missing_region_says_what_to_set() {
        let expected = "list: no region is set: set GNAR_SQS_REGION_NAME, or AWS_REGION";
        assert_eq!(error_of_call(None, true).await, expected);
    }

    #[tokio::test]
    async fn the_error_of_missing_credentials_says_what_to_set() {
        let expected = format!("list: no credentials were found: {KEYS}");
        assert_eq!(error_of_call(Some("eu-central-1"), false).await, expected);
    }

    #[test]
    fn the_error_of_credentials_that_cannot_be_loaded_says_why() {
        let why = "list: an error occurred while loading credentials: no such file.";
        let error = names().explain("list", Error::new(Kind::Misconfigured, why));
        assert_eq!(error.to_string(), format!("{}: {KEYS}", why.trim_end_matches('.')));
        let other = names().explain("list", Error::new(Kind::Denied, "credentials"));
        assert_eq!(other.to_string(), "credentials");
    }

    #[test]
    fn an_unavailable_server_is_named_with_its_setting() {
        let health = |endpoint: Option<&str>, region: Option<&str>| {
            let parse = |url| crate::config::Setting::parse(&serde_json::Value::from(url)).ok();
            let settings = AwsSettings {
                region_name: region.map(str::to_owned),
                endpoint_url: endpoint.and_then(parse),
                ..AwsSettings::default()
            };
            AwsHealth::new(names(), &AwsConfig::of_settings(&settings))
        };
        let unavailable = || Error::new(Kind::Unavailable, "list: connection refused");
        let text = |health: AwsHealth, error| health.with_server(error).to_string();
        assert_eq!(
            text(health(Some("http://127.0.0.1:1"), Some("eu-west-1")), unavailable()),
            "list: connection refused: with GNAR_SQS_ENDPOINT_URL=http://127.0.0.1:1"
        );
        assert_eq!(
            text(health(None, Some("eu-nowhere-1")), unavailable()),
            "list: connection refused: with GNAR_SQS_REGION_NAME=eu-nowhere-1"
        );
        assert_eq!(text(health(None, None), unavailable()), "list: connection refused");
        // Names the server, because a response without an AWS code comes from another one.
        let other = Error::new(Kind::Invalid, "find: status 404");
        assert_eq!(
            text(health(Some("http://127.0.0.1:1"), None), other),
            "find: status 404: with GNAR_SQS_ENDPOINT_URL=http://127.0.0.1:1"
        );
        let wrong = Error::with_code(Kind::Invalid, "a bug");
        assert_eq!(text(health(Some("http://127.0.0.1:1"), None), wrong), "a bug");
    }
}
