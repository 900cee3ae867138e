//! The section `[api_key]`, and anonymous access on a developer's machine.

use http::HeaderName;
use secrecy::{ExposeSecret, SecretString};

use crate::app::App;
use crate::config::{Problem, Problems, Reader, Requirement};
use crate::part::Launch;

/// Minimum length of `api_key.key` in production. Shorter keys are likely made up, not random.
const MIN_PRODUCTION_LENGTH: usize = 16;

/// The fix for a missing or a short key.
const SET_KEY_FIX: &str = "set API_KEY to the output of `openssl rand -hex 32`";

/// Settings of the API keys that programs call with.
#[derive(Clone, Debug, piton_macros::Settings)]
#[setting(check = Self::check)]
pub struct ApiKeySettings {
    /// Single key without a name, with every scope. At least 16 characters in production. Leave it out if
    /// the service stores its keys (the command `keys`). **Default: none.**
    #[setting(alias = "API_KEY")]
    #[setting(alias = "{prefix}_API_KEY")]
    pub key: Option<SecretString>,

    /// Header that carries the key. It is also read from `Authorization: Bearer` and
    /// `Authorization: ApiKey`. **Default: `X-API-Key`.**
    pub header: String,
}

impl Default for ApiKeySettings {
    fn default() -> Self {
        Self { key: None, header: "X-API-Key".into() }
    }
}

/// Returns the requirement of an API key everywhere but on a developer's machine, see
/// [`App::allow_anonymous_locally`](crate::App::allow_anonymous_locally): for
/// [`App::require_outside_local`](crate::App::require_outside_local).
#[must_use]
pub const fn key_required() -> Requirement {
    const WHY: &str = "no API key is set, or one of less than 16 characters";
    let needed = Requirement::new("api_key.key", WHY, SET_KEY_FIX, |config| {
        let mut problems = Problems::new();
        let settings: ApiKeySettings = config.read("api_key", &mut problems);
        let is_good = settings.key.as_ref().is_some_and(|key| !is_short(key));
        is_good || !problems.is_empty()
    });
    needed.to_serve()
}

fn is_short(key: &SecretString) -> bool {
    key.expose_secret().len() < MIN_PRODUCTION_LENGTH
}

impl ApiKeySettings {
    pub(super) fn header_name(&self) -> Option<HeaderName> {
        self.header.trim().parse().ok().filter(|name| *name != http::header::AUTHORIZATION)
    }

    fn check(&self, from: &mut Reader<'_>) {
        if self.header_name().is_none() {
            from.refuse("header", "expected the name of a header", "X-API-Key");
        }
        if self.key.as_ref().is_some_and(|key| key.expose_secret().starts_with("eyJ")) {
            let why =
                "it begins as a JWT does, and would be taken for one in `Authorization: Bearer`";
            from.refuse("key", why, "another one, such as from `openssl rand -hex 32`");
        }
        let can_be_sent = |key: &str| key.bytes().all(|byte| byte.is_ascii_graphic());
        if self.key.as_ref().is_some_and(|key| !can_be_sent(key.expose_secret())) {
            let why = "it has spaces or characters that are not allowed in a header";
            from.refuse(
                "key",
                why,
                "letters, digits and punctuation, such as from `openssl rand -hex 32`",
            );
        }
    }

    /// Returns the problem of a key that is too short for production.
    pub(super) fn problem_in_production(&self) -> Option<Problem> {
        let why = format!("in production a key has at least {MIN_PRODUCTION_LENGTH} characters");
        self.key
            .as_ref()
            .filter(|key| is_short(key))
            .map(|_| Problem::new("api_key.key", why, SET_KEY_FIX))
    }
}

/// The extension that [`App::allow_anonymous_locally`] attaches to the app.
#[derive(Clone, Copy, Debug)]
pub struct AnonymousLocalAccess;

impl App {
    /// Accepts requests without a key on a developer's machine: as long as `API_KEY` is not set, no key was
    /// ever created, and the environment is `local`. The start logs a warning. In production, and in any
    /// other environment, the app does not start without `API_KEY`.
    #[must_use]
    pub fn allow_anonymous_locally(self) -> Self {
        self.provide(AnonymousLocalAccess)
    }
}

/// Returns whether the service starts with anonymous access.
pub(super) fn starts_open(has_key: bool, launch: &Launch) -> Result<bool, Box<Problem>> {
    if has_key || !launch.serves() || launch.provided::<AnonymousLocalAccess>().next().is_none() {
        return Ok(false);
    }
    let environment = launch.environment();
    if launch.production() || !environment.is_local() {
        let why = format!(
            "no API key is set, which is allowed only on a developer's machine \
             (environment `{environment}`, production: {})",
            launch.production()
        );
        return Err(Problem::new("api_key.key", why, SET_KEY_FIX).into());
    }
    Ok(true)
}
