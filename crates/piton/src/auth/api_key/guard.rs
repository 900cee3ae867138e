//! `#[protected(api_key, scope = "companies:write")]`: the guard that requires an API key.

use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use serde_json::{Value, json};

use super::api_keys::ApiKeys;
use super::key::ApiKey;
use super::settings::ApiKeySettings;
use crate::config::{Config, Problems};
use crate::handle::Handle;
use crate::http::{Error, Guard, GuardFuture, Input, Operation, SecuritySchemes};
use crate::part::Part;

/// Requires an API key of requests to a route.
///
/// ```
/// use piton::prelude::*;
/// use piton::auth::api_key::ApiKeyGuard;
/// use piton::http::post;
///
/// async fn order() -> &'static str { "ordered" }
///
/// let route = post("/orders", order).guard(ApiKeyGuard::new().scope("orders:write"));
/// let app = App::new("shop").route(route);
/// ```
#[derive(Clone, Debug, Default)]
pub struct ApiKeyGuard {
    scopes: Vec<String>,
}

impl ApiKeyGuard {
    /// Accepts any valid key.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Requires this scope too.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scopes.push(scope.into());
        self
    }
}

impl Guard for ApiKeyGuard {
    fn describe(&self, operation: &mut Operation) {
        operation.needs::<ApiKeys>();
        operation.security("api_key");
    }

    fn explain(&self) -> Option<String> {
        let scopes = self.scopes.iter().map(|scope| format!(".scope({scope:?})"));
        Some(format!("piton::auth::api_key::ApiKeyGuard::new(){}", scopes.collect::<String>()))
    }

    fn check<'a>(&'a self, head: &'a mut Parts, app: &'a Handle) -> GuardFuture<'a> {
        Box::pin(async move {
            let key = ApiKeys::of(app)?.check(&head.headers).await?;
            self.scopes.iter().try_for_each(|scope| key.require_scope(scope))?;
            // Kept for the handler's `ApiKey` argument, so that it is not looked up twice.
            head.extensions.insert(key);
            Ok(())
        })
    }
}

inventory::submit! { SecuritySchemes { scheme: "api_key", ways, open: is_open } }

/// Returns whether requests without a key are accepted.
fn is_open(app: &Handle) -> bool {
    ApiKeys::of(app).is_ok_and(|keys| keys.is_open())
}

/// Returns the security schemes of keys for OpenAPI, by the settings.
fn ways(config: &Config) -> Vec<(&'static str, Value)> {
    let settings: ApiKeySettings = config.read(ApiKeys::NAME, &mut Problems::new());
    vec![
        (
            "api_key",
            json!({
                "type": "apiKey",
                "in": "header",
                "name": settings.header.trim(),
                "description": "An API key of the service.",
            }),
        ),
        (
            "api_key_bearer",
            json!({
                "type": "http",
                "scheme": "bearer",
                "description": "The same key, as a bearer token.",
            }),
        ),
    ]
}

/// Returns the key that the route's guard has accepted.
fn accepted_key(head: &Parts) -> Option<ApiKey> {
    head.extensions.get::<ApiKey>().cloned()
}

impl<S> FromRequestParts<S> for ApiKey
where
    S: Send + Sync,
    Handle: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        match accepted_key(parts) {
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
        match accepted_key(parts) {
            Some(key) => Ok(Some(key)),
            None => ApiKeys::of(&Handle::from_ref(state))?.check_if_any(&parts.headers).await,
        }
    }
}

impl Input for ApiKey {
    fn describe(operation: &mut Operation) {
        ApiKeyGuard::new().describe(operation);
    }
}

crate::argument_from!(ApiKeys: ApiKey, Option<ApiKey>);
