//! [`AwsConfig`]: from settings to the configuration of the AWS SDK.

use std::path::Path;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use secrecy::ExposeSecret;

use super::setting_names::SettingNames;
use super::settings::AwsSettings;
use super::{Error, Kind};
use crate::part::Launch;

/// The settings of an AWS service, and whether it may be called at all.
#[derive(Clone, Debug)]
pub(super) struct AwsConfig {
    pub settings: AwsSettings,
    /// The reason why no call is made: neither the settings nor the machine name a region.
    not_configured: Option<String>,
}

/// Variables that configure AWS on a developer's machine.
const MACHINE_VARIABLES: [&str; 7] = [
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_CONFIG_FILE",
    "AWS_ENDPOINT_URL",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
];

/// Returns whether AWS is configured on the machine, by a variable or a file.
fn is_configured_on_machine() -> bool {
    let profile = std::env::var_os("HOME").map(|home| Path::new(&home).join(".aws/config"));
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    MACHINE_VARIABLES.iter().any(|name| is_set(name))
        || profile.is_some_and(|profile| profile.is_file())
}

impl AwsConfig {
    /// Creates the configuration of a section for an app that is being launched.
    ///
    /// In development, with nothing set here or on the machine, no call is made: the SDK would look for
    /// the machine's role in a network that is not Amazon's, again and again. Tests make no call unless
    /// they set region or endpoint, because the machine's configuration is a developer's own account.
    pub fn new(settings: &AwsSettings, section: &'static str, launch: &Launch) -> Self {
        let settings = settings.without_empty();
        let not_configured = if settings.region_name.is_some() || settings.endpoint_url.is_some() {
            None
        } else if !launch.reads_process_env() {
            Some(format!(
                "tests make no calls to AWS unless they set {section}.endpoint_url or {section}.region_name"
            ))
        } else if launch.production() || is_configured_on_machine() {
            None
        } else {
            let fix = SettingNames::new(section, launch).region_fix();
            Some(format!("no region is set: {fix}"))
        };
        Self { settings, not_configured }
    }

    /// Creates the configuration of a test that has no app.
    #[cfg(test)]
    pub fn of_settings(settings: &AwsSettings) -> Self {
        Self { settings: settings.without_empty(), not_configured: None }
    }

    /// Checks that calls can be made.
    ///
    /// # Errors
    /// [`Kind::Misconfigured`], with what to set.
    pub fn require_configured(&self) -> Result<(), Error> {
        match &self.not_configured {
            Some(why) => Err(Error::new(Kind::Misconfigured, why.clone())),
            None => Ok(()),
        }
    }

    /// Returns the configuration of the SDK. Makes no request, unless region or credentials are not set:
    /// then the SDK may ask the machine for the region.
    pub async fn load(&self) -> SdkConfig {
        if self.not_configured.is_some() {
            // Without region and credentials each call fails with an error about that.
            return SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build();
        }
        let client = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .build_https();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(client)
            .timeout_config(self.timeouts(Duration::ZERO));
        if let Some(region) = &self.settings.region_name {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(url) = &self.settings.endpoint_url {
            loader = loader.endpoint_url(url.as_str());
        }
        if let Some(credentials) = self.credentials() {
            loader = loader.credentials_provider(credentials);
        }
        loader.load().await
    }

    /// Returns the timeouts of a call that may take `extra` longer than others, because the server waits
    /// that long for a message.
    pub fn timeouts(&self, extra: Duration) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.settings.connect_timeout)
            .operation_timeout(self.settings.timeout + extra)
            .build()
    }

    fn credentials(&self) -> Option<aws_sdk_sqs::config::Credentials> {
        let settings = &self.settings;
        let (id, secret) = (settings.access_key_id.as_ref()?, settings.secret_access_key.as_ref()?);
        let token = settings.session_token.as_ref().map(|token| token.expose_secret().to_owned());
        let secret = secret.expose_secret();
        Some(aws_sdk_sqs::config::Credentials::new(id, secret, token, None, "settings"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_key_makes_credentials() {
        let settings = AwsSettings {
            access_key_id: Some("AKIA".into()),
            secret_access_key: Some("hunter2".into()),
            ..AwsSettings::default()
        };
        let config = AwsConfig::of_settings(&settings);
        assert!(config.credentials().is_some());
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
