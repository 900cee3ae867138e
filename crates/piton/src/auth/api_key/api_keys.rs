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
use super::stored_keys::StoredKeys;
use crate::handle::Handle;
use crate::http::{CredentialHeader, Error};
use crate::metrics::Metrics;
use crate::part::{self, BoxError, Dependencies, Launch, Part};
use crate::step::Step;
use crate::stop::Stop;

/// Knows the keys that programs may call with. Cheap to clone.
#[derive(Clone)]
pub struct ApiKeys(pub(super) Arc<Inner>);

pub(super) struct Inner {
    header: HeaderName,
    /// How it is spelled in the settings, for people.
    challenge: HeaderValue,
    single: Option<KeyDigest>,
    pub stored: StoredKeys,
    /// Whether everybody may call, as long as there is no key.
    open: AtomicBool,
    metrics: ApiKeyMetrics,
}

impl ApiKeys {
    /// The key that a request came with, from its headers.
    ///
    /// # Errors
    /// 401 with `WWW-Authenticate` if there is none, or it is not valid; whether it is unknown, expired
    /// or revoked is not said. 503 if that cannot be found out as the database is away.
    pub async fn check(&self, headers: &HeaderMap) -> Result<ApiKey, Error> {
        match self.presented(headers) {
            PresentedKey::One(key) => self.check_key(key).await,
            PresentedKey::Several => Err(self.refuse(CheckOutcome::Refused)),
            PresentedKey::None if self.allows_anonymous().await? => Ok(ApiKey::single()),
            PresentedKey::None => Err(self.refuse(CheckOutcome::Missing)),
        }
    }

    /// As [`check`](Self::check), and `None` where a request came without a key.
    ///
    /// # Errors
    /// Those of [`check`](Self::check) but for the key that is missing.
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
        // An empty one is what a form or a collection sends where nobody has filled it in.
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
            CheckOutcome::Missing => "an API key is missing",
            _ => "the API key is not valid",
        };
        let challenge = self.0.challenge.clone();
        Error::unauthorized(why).header(header::WWW_AUTHENTICATE, challenge).plain()
    }

    /// Whether everybody may call, as [`App::allow_anonymous_locally`](crate::App::allow_anonymous_locally) has it, as long
    /// as no named key was made.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Whether everybody may call now. The first named key ends it.
    async fn allows_anonymous(&self) -> Result<bool, Error> {
        if !self.is_open() {
            return Ok(false);
        }
        if self.0.stored.any_exist().await? {
            self.0.open.store(false, Ordering::Relaxed);
        }
        Ok(self.is_open())
    }

    /// The header that holds a key.
    #[must_use]
    pub fn header(&self) -> &HeaderName {
        &self.0.header
    }

    /// The part, connected or not: the key of the settings needs no database.
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
        StoredKeys::dependencies(dependencies);
    }

    async fn start(settings: ApiKeySettings, launch: &Launch) -> Result<Self, part::Error> {
        if let Some(problem) = settings.problem_in_production().filter(|_| launch.production()) {
            return Err(problem.into());
        }
        let open = starts_open(settings.key.is_some(), launch).map_err(|problem| *problem)?;
        if settings.key.is_none() && !StoredKeys::AVAILABLE && !open {
            tracing::warn!("No API key is set, so that none is valid: set API_KEY");
        }
        let header = settings.header_name().unwrap_or(HeaderName::from_static("x-api-key"));
        let header_label = settings.header.trim();
        Ok(Self(Arc::new(Inner {
            header,
            challenge: HeaderValue::try_from(format!("ApiKey header=\"{header_label}\""))?,
            single: settings.key.map(|key| KeyDigest::of(key.expose_secret().as_bytes())),
            stored: StoredKeys::new(launch),
            open: AtomicBool::new(open),
            metrics: ApiKeyMetrics::default(),
        })))
    }

    async fn connect(&self) -> Result<(), BoxError> {
        self.0.stored.connect().await?;
        if self.allows_anonymous().await.unwrap_or(false) {
            tracing::warn!(
                "No API key is set: everybody may call this service. Set API_KEY to ask for one"
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
            "named": StoredKeys::AVAILABLE,
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
    /// The keys that programs may call with, as a handler's argument `keys: ApiKeys` would give them.
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
