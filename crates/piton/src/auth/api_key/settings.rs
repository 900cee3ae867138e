//! The section `[api_key]`.

use http::HeaderName;
use secrecy::{ExposeSecret, SecretString};

use crate::config::{Problem, Problems, Reader, Requirement};

/// A shorter key is one that somebody made up.
const SHORTEST_IN_PRODUCTION: usize = 16;

/// What to do where a key is missing, or somebody made it up.
pub(super) const SET_ONE: &str = "set API_KEY to the output of `openssl rand -hex 32`";

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
/// [`App::open_in_local`](crate::App::open_in_local): for
/// [`App::outside_local`](crate::App::outside_local).
#[must_use]
pub const fn key_required() -> Requirement {
    const WHY: &str = "no API key is set, or one of less than 16 characters";
    let needed = Requirement::new("api_key.key", WHY, SET_ONE, |config| {
        let mut problems = Problems::new();
        let settings: ApiKeySettings = config.read("api_key", &mut problems);
        let is_good = settings.key.as_ref().is_some_and(|key| !is_short(key));
        is_good || !problems.is_empty()
    });
    needed.to_serve()
}

fn is_short(key: &SecretString) -> bool {
    key.expose_secret().len() < SHORTEST_IN_PRODUCTION
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
        let why = format!("in production a key has at least {SHORTEST_IN_PRODUCTION} characters");
        self.key
            .as_ref()
            .filter(|key| is_short(key))
            .map(|_| Problem::new("api_key.key", why, SET_ONE))
    }
}
