//! `ApiKeys`: the part that checks the keys of requests.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use secrecy::ExposeSecret;
use serde_json::json;

use super::key::{self, ApiKey, KeyDigest};
use super::metrics::{ApiKeyMetrics, CheckOutcome};
use super::settings::{ApiKeySettings, starts_open};
use super::stored_keys;
use crate::handle::Handle;
use crate::http::{CredentialHeader, Error};
use crate::launch_steps::Step;
use crate::metrics::Metrics;
use crate::part::{self, BoxError, Dependencies, Launch, Part};
use crate::stop_signal::Stop;

/// Checks API keys, and creates, rotates and revokes stored ones. Cheap to clone.
#[derive(Clone)]
pub struct ApiKeys(pub(super) Arc<Inner>);

pub(super) struct Inner {
    header: HeaderName,
    /// The value of `WWW-Authenticate` for refused requests.
    challenge: HeaderValue,
    single: Option<KeyDigest>,
    pub stored: stored_keys::Store,
    /// Set while requests without a key are accepted; see [`App::allow_anonymous_locally`](crate::App::allow_anonymous_locally).
    open: AtomicBool,
    metrics: ApiKeyMetrics,
}

impl ApiKeys {
    /// Returns the key in the headers of a request, if it is valid.
    ///
    /// # Errors
    /// 401 with `WWW-Authenticate` if there is no key, or it is unknown, expired or revoked: the response
    /// does not tell which. 503 if the database is unavailable.
    pub async fn check(&self, headers: &HeaderMap) -> Result<ApiKey, Error> {
        match self.presented(headers) {
            PresentedKey::One(key) => self.check_key(key).await,
            PresentedKey::Several => Err(self.refuse(CheckOutcome::Refused)),
            PresentedKey::None if self.allows_anonymous().await? => Ok(ApiKey::single()),
            PresentedKey::None => Err(self.refuse(CheckOutcome::Missing)),
        }
    }

    /// Returns the key as [`check`](Self::check) does, and `None` for a request without a key.
    ///
    /// # Errors
    /// Those of [`check`](Self::check), except that a missing key is not an error.
    pub async fn check_if_any(&self, headers: &HeaderMap) -> Result<Option<ApiKey>, Error> {
        match self.presented(headers) {
            PresentedKey::None => Ok(None),
            _ => self.check(headers).await.map(Some),
        }
    }

    async fn check_key(&self, key: &[u8]) -> Result<ApiKey, Error> {
        if self.0.single.is_some_and(|single| single.matches(&KeyDigest::of(key))) {
            self.0.metrics.count(CheckOutcome::Accepted);
            return Ok(ApiKey::single());
        }
        match self.0.stored.find(key).await {
            Ok(Some(found)) => {
                self.0.metrics.count(CheckOutcome::Accepted);
                Ok(found)
            }
            Ok(None) => Err(self.refuse(CheckOutcome::Refused)),
            Err(error) => {
                self.0.metrics.count(CheckOutcome::Failed);
                Err(error)
            }
        }
    }

    fn presented<'a>(&self, headers: &'a HeaderMap) -> PresentedKey<'a> {
        // Swagger UI and Postman send an empty header when the field was not filled in.
        let is_filled = |value: &&HeaderValue| !value.as_bytes().trim_ascii().is_empty();
        let mut values = headers.get_all(&self.0.header).iter().filter(is_filled);
        match (values.next(), values.next()) {
            (Some(one), None) => PresentedKey::One(one.as_bytes()),
            (Some(_), Some(_)) => PresentedKey::Several,
            (None, _) => {
                let values = headers.get_all(header::AUTHORIZATION);
                let ours = |value: &'a HeaderValue| key::in_authorization(value.as_bytes());
                match (values.iter().count(), values.iter().find_map(ours)) {
                    (_, None) => PresentedKey::None,
                    (1, Some(key)) => PresentedKey::One(key),
                    (_, Some(_)) => PresentedKey::Several,
                }
            }
        }
    }

    #[cold]
    fn refuse(&self, outcome: CheckOutcome) -> Error {
        self.0.metrics.count(outcome);
        let why = match outcome {
            CheckOutcome::Missing => "missing API key",
            _ => "invalid API key",
        };
        let challenge = self.0.challenge.clone();
        Error::unauthorized(why).header(header::WWW_AUTHENTICATE, challenge).plain()
    }

    /// Returns whether requests without a key are accepted, as [`App::allow_anonymous_locally`](crate::App::allow_anonymous_locally)
    /// sets it until a key is created.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Returns whether requests without a key are accepted. The first stored key ends that.
    async fn allows_anonymous(&self) -> Result<bool, Error> {
        if !self.is_open() {
            return Ok(false);
        }
        if self.0.stored.any_exist().await? {
            self.0.open.store(false, Ordering::Relaxed);
        }
        Ok(self.is_open())
    }

    /// Returns the header that carries keys.
    #[must_use]
    pub fn header(&self) -> &HeaderName {
        &self.0.header
    }

    /// Returns the part even before it is connected, because the key of the settings needs no database.
    pub(super) fn of(handle: &Handle) -> Result<Self, Error> {
        match handle.try_part() {
            Err(error) if error.status() == StatusCode::SERVICE_UNAVAILABLE => Ok(handle.part()),
            found => found,
        }
    }
}

enum PresentedKey<'a> {
    None,
    One(&'a [u8]),
    Several,
}

impl Part for ApiKeys {
    const NAME: &'static str = "api_key";
    const STEP: Step = Step::ConfigureJwt;

    type Settings = ApiKeySettings;

    fn dependencies(dependencies: &mut Dependencies) {
        stored_keys::Store::dependencies(dependencies);
    }

    async fn start(settings: ApiKeySettings, launch: &Launch) -> Result<Self, part::Error> {
        if let Some(problem) = settings.problem_in_production().filter(|_| launch.production()) {
            return Err(problem.into());
        }
        let open = starts_open(settings.key.is_some(), launch).map_err(|problem| *problem)?;
        if settings.key.is_none() && !stored_keys::Store::AVAILABLE && !open {
            tracing::warn!(
                "No API key is set, so every request that needs one is refused: set API_KEY"
            );
        }
        let header = settings.header_name().unwrap_or(HeaderName::from_static("x-api-key"));
        let header_label = settings.header.trim();
        Ok(Self(Arc::new(Inner {
            header,
            challenge: HeaderValue::try_from(format!("ApiKey header=\"{header_label}\""))?,
            single: settings.key.map(|key| KeyDigest::of(key.expose_secret().as_bytes())),
            stored: stored_keys::Store::new(launch),
            open: AtomicBool::new(open),
            metrics: ApiKeyMetrics::default(),
        })))
    }

    async fn connect(&self) -> Result<(), BoxError> {
        self.0.stored.connect().await?;
        if self.allows_anonymous().await.unwrap_or(false) {
            tracing::warn!(
                "No API key is set: requests without a key are accepted. Set API_KEY to require one"
            );
        }
        Ok(())
    }

    async fn run(&self, stop: Stop) {
        self.0.stored.run(stop).await;
    }

    fn snapshot(&self) -> serde_json::Value {
        json!({
            "header": self.0.header.as_str(),
            "simple": self.0.single.is_some(),
            "named": stored_keys::Store::AVAILABLE,
            "open": self.is_open(),
        })
    }

    fn metrics(&self, metrics: &Metrics) {
        self.0.metrics.register(metrics);
    }
}

crate::part!(ApiKeys);

inventory::submit! {
    CredentialHeader(|app| ApiKeys::of(app).ok().map(|keys| keys.header().clone()))
}

impl Handle {
    /// Returns the API keys of the service, as a handler's argument `keys: ApiKeys` does.
    ///
    /// # Panics
    /// If nothing asked for [`ApiKeys`]; see [`Handle::part`].
    #[must_use]
    #[track_caller]
    pub fn api_keys(&self) -> ApiKeys {
        self.part::<ApiKeys>()
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ApiKeys").field(&self.snapshot()).finish()
    }
}
