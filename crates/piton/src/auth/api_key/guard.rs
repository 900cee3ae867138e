//! Lets in programs that show a key: `#[protected(api_key, scope = "companies:write")]`.

use http::request::Parts;
use serde_json::{Value, json};

use super::{ApiKey, ApiKeySettings, ApiKeys};
use crate::config::{Config, Problems};
use crate::handle::Handle;
use crate::http::{Guard, Operation, Passed, SecurityWays};
use crate::part::Part;

/// The guard of a route that asks for a key.
///
/// ```
/// use piton::prelude::*;
/// use piton::auth::api_key::Protected;
/// use piton::http::post;
///
/// async fn order() -> &'static str { "ordered" }
///
/// let route = post("/orders", order).guard(Protected::new().scope("orders:write"));
/// let app = App::new("shop").route(route);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Protected {
    scopes: Vec<String>,
}

impl Protected {
    /// Any key that is valid.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// It must have this scope, too.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scopes.push(scope.into());
        self
    }
}

impl Guard for Protected {
    fn describe(&self, operation: &mut Operation) {
        operation.needs::<ApiKeys>();
        operation.security("api_key");
    }

    fn explain(&self) -> Option<String> {
        let scopes = self.scopes.iter().map(|scope| format!(".scope({scope:?})"));
        Some(format!("piton::auth::api_key::Protected::new(){}", scopes.collect::<String>()))
    }

    fn check<'a>(&'a self, head: &'a mut Parts, app: &'a Handle) -> Passed<'a> {
        Box::pin(async move {
            let key = ApiKeys::of(app)?.check(&head.headers).await?;
            self.scopes.iter().try_for_each(|scope| key.require_scope(scope))?;
            // The handler may ask for it: it has been looked up.
            head.extensions.insert(key);
            Ok(())
        })
    }
}

inventory::submit! { SecurityWays { scheme: "api_key", ways, open: is_open } }

/// Whether everybody may call.
fn is_open(app: &Handle) -> bool {
    ApiKeys::of(app).is_ok_and(|keys| keys.is_open())
}

/// Where a key is taken from, by the settings.
fn ways(config: &Config) -> Vec<(&'static str, Value)> {
    let settings: ApiKeySettings = config.read(ApiKeys::NAME, &mut Problems::new());
    vec![
        (
            "api_key",
            json!({
                "type": "apiKey",
                "in": "header",
                "name": settings.header.trim(),
                "description": "A key of the service.",
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

/// The key that the route's guard has let in.
pub(super) fn let_in(head: &Parts) -> Option<ApiKey> {
    head.extensions.get::<ApiKey>().cloned()
}
