//! Keys that programs call with.
//!
//! The simple form is one key, `API_KEY`, that may do everything. With a database there are named keys:
//! each with scopes, perhaps an end, made, replaced and revoked by the verb `keys`. Of a key only its
//! SHA-256 is kept.
//!
//! ```
//! use piton::auth::api_key::ApiKey;
//! use piton::prelude::*;
//!
//! /// Who is calling.
//! #[get("/whoami")]
//! async fn whoami(key: ApiKey) -> Result<String> {
//!     key.require_scope("companies:read")?;
//!     Ok(key.name().unwrap_or("the one key").to_owned())
//! }
//! # fn main() {}
//! ```

mod figures;
mod guard;
mod key;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod named;
#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
#[path = "unnamed.rs"]
mod named;
mod open;
mod settings;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::handle::Handle;
use crate::http::{CredentialHeader, Error, Guard, Input, Operation};
use crate::metrics::Metrics;
use crate::part::{self, BoxError, Launch, Needs, Part};
use crate::step::Step;
use crate::stop::Stop;

use figures::{Figures, Outcome};
use key::Digest;
use named::Named;

pub use guard::Protected;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use named::{KeyError, KeyErrorKind, KeyInfo, KeyState, NewKey};
pub use open::OpenInLocal;
pub use settings::{ApiKeySettings, key_required};

/// The scope of a key that may do everything.
const EVERYTHING: &str = "*";

/// Knows the keys that programs may call with. Cheap to clone.
#[derive(Clone)]
pub struct ApiKeys(Arc<Inner>);

struct Inner {
    header: HeaderName,
    /// How it is spelled in the settings, for people.
    challenge: HeaderValue,
    simple: Option<Digest>,
    named: Named,
    /// Whether everybody may call, as long as there is no key.
    open: AtomicBool,
    figures: Figures,
}

/// The key that a request came with: who is calling, and what they may do.
///
/// As an argument of a handler it refuses requests without a key that is valid with 401;
/// `Option<ApiKey>` lets those pass that have none, and still refuses a wrong one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey(Arc<Known>);

#[derive(Debug, PartialEq, Eq)]
struct Known {
    /// Id and name; `None` for the key of the settings.
    named: Option<(String, String)>,
    scopes: Vec<String>,
}

impl ApiKey {
    fn simple() -> Self {
        Self(Arc::new(Known { named: None, scopes: vec![EVERYTHING.to_owned()] }))
    }

    /// The key's id, 12 letters and digits; `None` for the one key of the settings.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.0.named.as_ref().map(|(id, _)| &**id)
    }

    /// The key's name; `None` for the one key of the settings.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.named.as_ref().map(|(_, name)| &**name)
    }

    /// What the key may do; `*` is everything.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.0.scopes
    }

    /// Whether the key may do what `scope` stands for, such as `companies:write`.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.0.scopes.iter().any(|one| one == scope || one == EVERYTHING)
    }

    /// Refuses the request if the key has not the scope.
    ///
    /// # Errors
    /// 403; the client reads which scope is missing.
    #[track_caller]
    pub fn require_scope(&self, scope: &str) -> crate::Result<()> {
        if self.has_scope(scope) {
            return Ok(());
        }
        Err(Error::forbidden(format!("the API key has not the scope `{scope}`")).plain())
    }
}

impl ApiKeys {
    /// The key that a request came with, from its headers.
    ///
    /// # Errors
    /// 401 with `WWW-Authenticate` if there is none, or it is not valid; whether it is unknown, expired
    /// or revoked is not said. 503 if that cannot be found out as the database is away.
    pub async fn check(&self, headers: &HeaderMap) -> Result<ApiKey, Error> {
        match self.presented(headers) {
            Presented::One(key) => self.check_key(key).await,
            Presented::Several => Err(self.refuse(Outcome::Refused)),
            Presented::None if self.lets_everybody_in().await? => Ok(ApiKey::simple()),
            Presented::None => Err(self.refuse(Outcome::Missing)),
        }
    }

    /// As [`check`](Self::check), and `None` where a request came without a key.
    ///
    /// # Errors
    /// Those of [`check`](Self::check) but for the key that is missing.
    pub async fn check_if_any(&self, headers: &HeaderMap) -> Result<Option<ApiKey>, Error> {
        match self.presented(headers) {
            Presented::None => Ok(None),
            _ => self.check(headers).await.map(Some),
        }
    }

    async fn check_key(&self, key: &[u8]) -> Result<ApiKey, Error> {
        if self.0.simple.is_some_and(|simple| simple.is(&Digest::of(key))) {
            self.0.figures.count(Outcome::Accepted);
            return Ok(ApiKey::simple());
        }
        match self.0.named.find(key).await {
            Ok(Some(found)) => {
                self.0.figures.count(Outcome::Accepted);
                Ok(found)
            }
            Ok(None) => Err(self.refuse(Outcome::Refused)),
            Err(error) => {
                self.0.figures.count(Outcome::Failed);
                Err(error)
            }
        }
    }

    fn presented<'a>(&self, headers: &'a HeaderMap) -> Presented<'a> {
        // An empty one is what a form or a collection sends where nobody has filled it in.
        let said = |value: &&HeaderValue| !value.as_bytes().trim_ascii().is_empty();
        let mut values = headers.get_all(&self.0.header).iter().filter(said);
        match (values.next(), values.next()) {
            (Some(one), None) => Presented::One(one.as_bytes()),
            (Some(_), Some(_)) => Presented::Several,
            (None, _) => {
                let values = headers.get_all(header::AUTHORIZATION);
                let ours = |value: &'a HeaderValue| key::in_authorization(value.as_bytes());
                match (values.iter().count(), values.iter().find_map(ours)) {
                    (_, None) => Presented::None,
                    (1, Some(key)) => Presented::One(key),
                    (_, Some(_)) => Presented::Several,
                }
            }
        }
    }

    #[cold]
    fn refuse(&self, outcome: Outcome) -> Error {
        self.0.figures.count(outcome);
        let why = match outcome {
            Outcome::Missing => "an API key is missing",
            _ => "the API key is not valid",
        };
        let challenge = self.0.challenge.clone();
        Error::unauthorized(why).header(header::WWW_AUTHENTICATE, challenge).plain()
    }

    /// Whether everybody may call, as [`App::open_in_local`](crate::App::open_in_local) has it, as long
    /// as no named key was made.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Whether everybody may call now. The first named key ends it.
    async fn lets_everybody_in(&self) -> Result<bool, Error> {
        if !self.is_open() {
            return Ok(false);
        }
        if self.0.named.exist().await? {
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
    fn of(handle: &Handle) -> Result<Self, Error> {
        match handle.try_part() {
            Err(error) if error.status() == StatusCode::SERVICE_UNAVAILABLE => Ok(handle.part()),
            found => found,
        }
    }
}

enum Presented<'a> {
    None,
    One(&'a [u8]),
    Several,
}

impl Part for ApiKeys {
    const NAME: &'static str = "api_key";
    const STEP: Step = Step::ConfigureJwt;

    type Settings = ApiKeySettings;

    fn needs(needs: &mut Needs) {
        Named::needs(needs);
    }

    async fn start(settings: ApiKeySettings, launch: &Launch) -> Result<Self, part::Error> {
        if let Some(problem) = settings.problem_in_production().filter(|_| launch.production()) {
            return Err(problem.into());
        }
        let open = open::start(settings.key.is_some(), launch).map_err(|problem| *problem)?;
        if settings.key.is_none() && !Named::THERE && !open {
            tracing::warn!("No API key is set, so that none is valid: set API_KEY");
        }
        let header = settings.header_name().unwrap_or(HeaderName::from_static("x-api-key"));
        let spelled = settings.header.trim();
        Ok(Self(Arc::new(Inner {
            header,
            challenge: HeaderValue::try_from(format!("ApiKey header=\"{spelled}\""))?,
            simple: settings.key.map(|key| Digest::of(key.expose_secret().as_bytes())),
            named: Named::new(launch),
            open: AtomicBool::new(open),
            figures: Figures::default(),
        })))
    }

    async fn connect(&self) -> Result<(), BoxError> {
        self.0.named.connect().await?;
        if self.lets_everybody_in().await.unwrap_or(false) {
            tracing::warn!(
                "No API key is set: everybody may call this service. Set API_KEY to ask for one"
            );
        }
        Ok(())
    }

    async fn run(&self, stop: Stop) {
        self.0.named.run(stop).await;
    }

    fn snapshot(&self) -> serde_json::Value {
        json!({
            "header": self.0.header.as_str(),
            "simple": self.0.simple.is_some(),
            "named": Named::THERE,
            "open": self.is_open(),
        })
    }

    fn metrics(&self, metrics: &Metrics) {
        self.0.figures.register(metrics);
    }
}

crate::part!(ApiKeys);

impl<S> FromRequestParts<S> for ApiKey
where
    S: Send + Sync,
    Handle: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        match guard::let_in(parts) {
            Some(key) => Ok(key),
            None => ApiKeys::of(&Handle::from_ref(state))?.check(&parts.headers).await,
        }
    }
}

impl<S> OptionalFromRequestParts<S> for ApiKey
where
    S: Send + Sync,
    Handle: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Error> {
        match guard::let_in(parts) {
            Some(key) => Ok(Some(key)),
            None => ApiKeys::of(&Handle::from_ref(state))?.check_if_any(&parts.headers).await,
        }
    }
}

impl Input for ApiKey {
    fn describe(operation: &mut Operation) {
        Protected::new().describe(operation);
    }
}

inventory::submit! {
    CredentialHeader(|app| ApiKeys::of(app).ok().map(|keys| keys.header().clone()))
}

crate::taken_from!(ApiKeys: ApiKey, Option<ApiKey>);

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
