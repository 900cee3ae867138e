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

    /// An error of the SDK tells in its own words only which of them is missing.
    fn with(&self, error: Error) -> Error {
        let text = error.to_string().to_lowercase();
        let missing = |word: &str| text.contains(word);
        match error.kind() {
            Kind::Misconfigured if missing("region") => error.with(&self.region()),
            Kind::Misconfigured if missing("credential") || missing("identity") => {
                error.with(&self.keys())
            }
            _ => error,
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
        let result = result.map_err(|error| self.help.with(Error::of(what(), &error)));
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

    use super::*;

    async fn said(region: Option<&'static str>) -> String {
        let config = SdkConfig::builder().behavior_version(BehaviorVersion::latest());
        let config = config.region(region.map(Region::new)).build();
        let help = Help { prefix: "GNAR".into(), section: "sqs" };
        let sent = Client::new(&config).list_queues().send().await;
        let error = Trouble::new(help).note(sent, || "list the queues".into()).unwrap_err();
        assert_eq!(error.kind(), Kind::Misconfigured, "{error}");
        error.to_string()
    }

    #[tokio::test]
    async fn a_missing_region_is_told_with_what_to_set() {
        let said = said(None).await;
        println!("{said}");
        assert!(said.ends_with(": set GNAR_SQS_REGION_NAME, or AWS_REGION"), "{said}");
    }

    #[tokio::test]
    async fn missing_credentials_are_told_with_what_to_set() {
        let said = said(Some("eu-central-1")).await;
        println!("{said}");
        let ending = ": set GNAR_SQS_ACCESS_KEY_ID and GNAR_SQS_SECRET_ACCESS_KEY, or AWS_*";
        assert!(said.ends_with(ending), "{said}");
    }
}
