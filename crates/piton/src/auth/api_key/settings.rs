//! The section `[api_key]`.

use http::HeaderName;
use secrecy::{ExposeSecret, SecretString};

use crate::app::App;
use crate::config::{Problem, Problems, Reader, Requirement};
use crate::part::Launch;

/// A shorter key is one that somebody made up.
const MIN_PRODUCTION_LENGTH: usize = 16;

/// What to do where a key is missing, or somebody made it up.
const SET_KEY_FIX: &str = "set API_KEY to the output of `openssl rand -hex 32`";

/// Keys that programs call with.
#[derive(Clone, Debug, piton_macros::Settings)]
#[setting(check = Self::check)]
pub struct ApiKeySettings {
    /// The simple form: one key without a name, which may do everything. In production it has at
    /// least 16 characters. Leave it out where keys have names (the verb `keys`). **Default: none.**
    #[setting(alias = "API_KEY")]
    #[setting(alias = "{prefix}_API_KEY")]
    pub key: Option<SecretString>,

    /// The header that holds the key. It is also taken from `Authorization: Bearer` and
    /// `Authorization: ApiKey`. **Default: `X-API-Key`.**
    pub header: String,
}

impl Default for ApiKeySettings {
    fn default() -> Self {
        Self { key: None, header: "X-API-Key".into() }
    }
}

/// What a service asks for that may be open on a developer's machine only, see
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
            let why = "it begins as a token does, and as a bearer it would be taken for one";
            from.refuse("key", why, "another one, such as from `openssl rand -hex 32`");
        }
        let can_be_sent = |key: &str| key.bytes().all(|byte| byte.is_ascii_graphic());
        if self.key.as_ref().is_some_and(|key| !can_be_sent(key.expose_secret())) {
            let why = "it has spaces, or characters that cannot stand in a header";
            from.refuse(
                "key",
                why,
                "letters, digits and punctuation, such as from `openssl rand -hex 32`",
            );
        }
    }

    /// What may be in development, and not in production.
    pub(super) fn problem_in_production(&self) -> Option<Problem> {
        let why = format!("in production a key has at least {MIN_PRODUCTION_LENGTH} characters");
        self.key
            .as_ref()
            .filter(|key| is_short(key))
            .map(|_| Problem::new("api_key.key", why, SET_KEY_FIX))
    }
}

/// Attached by [`App::allow_anonymous_locally`].
#[derive(Clone, Copy, Debug)]
pub struct AnonymousLocalAccess;

impl App {
    /// Lets everybody call what asks for an API key, as long as there is none: no `API_KEY`, no named
    /// key ever made, and the environment is `local`. The log says so at the start. In production,
    /// and in every other environment, the app does not start without `API_KEY`.
    #[must_use]
    pub fn allow_anonymous_locally(self) -> Self {
        self.provide(AnonymousLocalAccess)
    }
}

/// Whether the service is open.
pub(super) fn starts_open(has_key: bool, launch: &Launch) -> Result<bool, Box<Problem>> {
    if has_key || !launch.serves() || launch.provided::<AnonymousLocalAccess>().next().is_none() {
        return Ok(false);
    }
    let environment = launch.environment();
    if launch.production() || !environment.is_local() {
        let why = format!(
            "no API key is set, and only a developer's machine goes without \
             (environment `{environment}`, production: {})",
            launch.production()
        );
        return Err(Problem::new("api_key.key", why, SET_KEY_FIX).into());
    }
    Ok(true)
}
