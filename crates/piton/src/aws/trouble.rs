//! How the last call went, for the health answer.

use std::sync::{Mutex, PoisonError};

use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};

use super::{Error, Kind};
use crate::config;
use crate::part::{Health, Launch};

/// Why the last call failed, if it did and not by the caller's own fault.
#[derive(Default)]
pub(super) struct Trouble {
    last: Mutex<Option<String>>,
    help: Help,
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
    pub fn new(help: Help) -> Self {
        Self { last: Mutex::default(), help }
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
            self.help.with(&what, Error::of(&what, &error))
        });
        let trouble = match &result {
            Err(error) if !matches!(error.kind(), Kind::NotFound | Kind::Invalid) => {
                Some(error.to_string())
            }
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
        let error = Trouble::new(help()).note(sent, || "list".into()).expect_err("it is missing");
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
}
