//! `Tokens`: the part that makes and reads tokens.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use serde_json::Value;
use tracing::{info, warn};

use super::claims::{RESERVED, TokenType, now};
use super::claims_validation::Validation;
use super::identity::Identity;
use super::keys::TokenKeys;
use super::refusal::{Refusal, RefusalKind};
use super::set_cookies::{CookieRules, TokenCookies};
use super::setting_types::{FlaskVersion, Lifetime};
use super::settings::JwtSettings;
use super::token_hooks::TokenHooks;
use super::token_lookup::{TokenLookup, cookie_guard_exists};
use super::{development_secret, ignored_variables};
use crate::app::App;
use crate::config::Problems;
use crate::context;
use crate::handle::Handle;
use crate::http::{CredentialHeader, Error, ErrorConversion, ErrorStyle, HttpSettings, Result};
use crate::launch_steps::Step;
use crate::part::{self, Launch, Part};

/// Makes tokens and reads them. Cheap to clone.
#[derive(Clone)]
pub struct Tokens(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub keys: TokenKeys,
    pub validation: Validation,
    pub settings: JwtSettings,
    pub lookup: TokenLookup,
    pub cookies: CookieRules,
    pub hooks: TokenHooks,
    pub renews: bool,
    /// The member with the message in bodies in the style of Flask-JWT-Extended; `None` for problem documents.
    pub message_key: Option<String>,
    pub realm: String,
}

inventory::submit! { CredentialHeader(credential_header) }

/// Returns the header that carries tokens unless it is `Authorization`, so that caches vary by it.
fn credential_header(app: &Handle) -> Option<HeaderName> {
    let header = app.try_part::<Tokens>().ok()?.0.lookup.header().clone();
    (header != http::header::AUTHORIZATION).then_some(header)
}

impl Handle {
    /// Returns the tokens of the service.
    ///
    /// # Panics
    /// As [`Handle::part`].
    #[must_use]
    pub fn tokens(&self) -> Tokens {
        self.part()
    }
}

impl Part for Tokens {
    const NAME: &'static str = "jwt";
    const STEP: Step = Step::ConfigureJwt;
    type Settings = JwtSettings;

    async fn start(settings: JwtSettings, launch: &Launch) -> Result<Self, part::Error> {
        let secret = match &settings.secret_key {
            _ if !settings.algorithms().iter().any(|it| it.is_symmetric()) => None,
            Some(secret) => Some(secret.clone()),
            None => Some(development_secret::load_or_create(launch.data_dir())?),
        };
        warn_of_short_secrets(&settings);
        for warning in ignored_variables::warnings(launch.handle.config()) {
            warn!("{warning}");
        }
        let style = error_style(launch);
        let message_key = settings.error_message_key.clone();
        let message_key = message_key.filter(|_| style != ErrorStyle::Gnar);
        if settings.error_message_key.is_some() && message_key.is_none() {
            warn!("jwt.error_message_key has no effect with http.error_style `gnar`");
        }
        // Version 3 by default, because Gnar Gear uses it and its clients match on those messages.
        let usual =
            if message_key.is_some() { FlaskVersion::Version4 } else { FlaskVersion::Version3 };
        let messages = settings.flask_version.unwrap_or(usual);
        let keys = TokenKeys::new(&settings, secret.as_ref())?;
        let hooks = TokenHooks::of(launch);
        if !hooks.adds_claims() {
            warn_of_unknown_claims(&settings);
        }
        let validation = Validation {
            leeway: settings.leeway.0.as_secs(),
            required: required_claims(&settings, style),
            issuer: settings.decode_issuer.clone().or_else(|| settings.issuer.clone()),
            audience: settings.audience_to_accept().to_vec(),
            own_audience: settings.audience_to_write().to_vec(),
            identity: settings.identity_claim.clone(),
            verify_sub: settings.verify_sub,
            // PyJWT 2 refuses such a token. PyJWT 1 accepts it, and so does Gnar Gear.
            future_iat: style == ErrorStyle::Gnar,
            null_audience: style != ErrorStyle::Gnar
                && (message_key.is_none() || messages == FlaskVersion::Version4),
            messages,
        };
        match settings.access_expires() {
            Lifetime::Expires(expires) => {
                info!("JWT configured, tokens expire in {}", format_lifetime(expires));
            }
            Lifetime::Never if launch.production() => {
                warn!("JWT configured, access tokens never expire: only revoking ends one");
            }
            Lifetime::Never => info!("JWT configured, tokens never expire"),
        }
        Ok(Self(Arc::new(Inner {
            keys,
            validation,
            lookup: TokenLookup::new(&settings, messages),
            cookies: CookieRules::new(&settings, launch.production()),
            hooks,
            renews: settings.renew.unwrap_or(style == ErrorStyle::Gnar),
            message_key,
            settings,
            realm: launch.name().replace(['"', '\\'], "'"),
        })))
    }

    fn snapshot(&self) -> Value {
        let (keys, settings) = (&self.0.keys, &self.0.settings);
        serde_json::json!({
            "algorithm": keys.algorithm().name(),
            "signs": keys.can_sign(),
            "access_token_expires_seconds":
                settings.access_expires().duration().map(|expires| expires.as_secs()),
            "deny_list": self.0.hooks.has_deny_list(),
        })
    }
}

crate::part!(Tokens);

/// Warns of secrets that are shorter than their algorithm requires. Production has refused shorter
/// ones than 32 bytes before.
fn warn_of_short_secrets(settings: &JwtSettings) {
    let algorithms = settings.algorithms().into_iter().filter(|it| it.is_symmetric());
    let Some(algorithm) = algorithms.max_by_key(|it| it.min_secret_bytes()) else { return };
    let least = algorithm.min_secret_bytes();
    for (key, secret) in settings.secrets().filter(|(_, secret)| secret.len() < least) {
        let length = secret.len();
        warn!("jwt.{key} has {length} bytes; {algorithm} asks for {least} from a random source");
    }
}

/// Warns of required claims that the framework does not write.
fn warn_of_unknown_claims(settings: &JwtSettings) {
    let (first, second) = settings.identity_claim.names();
    let is_own = |name: &str| {
        (RESERVED.contains(&name) && (name != "csrf" || settings.in_cookies()))
            || name == first
            || second == Some(name)
            || settings.user_claims.as_deref() == Some(name)
    };
    for name in settings.required_claims.iter().flatten().filter(|name| !is_own(name)) {
        warn!(
            "jwt.required_claims has `{name}`, and tokens have it only if a handler adds it: all others \
             are refused"
        );
    }
}

/// Returns the claims without which a token is refused.
fn required_claims(settings: &JwtSettings, style: ErrorStyle) -> Vec<String> {
    if let Some(claims) = &settings.required_claims {
        return claims.clone();
    }
    let expire = [settings.access_expires(), settings.refresh_token_expires];
    let claims: &[&str] = match style {
        ErrorStyle::Gnar => &[],
        ErrorStyle::Problem if expire.contains(&Lifetime::Never) => &["jti", "type"],
        ErrorStyle::Problem => &["exp", "jti", "type"],
    };
    claims.iter().copied().map(String::from).collect()
}

fn error_style(launch: &Launch) -> ErrorStyle {
    let http: HttpSettings = launch.handle.config().read("http", &mut Problems::default());
    http.error_style
}

/// Formats a duration as Gnar Gear does: `15 minutes`.
fn format_lifetime(duration: Duration) -> String {
    match duration.as_secs() {
        60 => "1 minute".into(),
        seconds if seconds % 60 == 0 => format!("{} minutes", seconds / 60),
        _ => humantime::format_duration(duration).to_string(),
    }
}

impl Tokens {
    /// Returns the cookies that keep `token` in a browser: the token itself, which no page can read,
    /// and the CSRF token that pages send in the header `X-CSRF-TOKEN`. Requires `cookies` in
    /// `jwt.location`, or in the locations of a guard.
    ///
    /// # Errors
    /// The token is not valid, or neither `jwt.location` nor a guard has `cookies`.
    pub fn cookies(&self, token: &str) -> Result<TokenCookies, Refusal> {
        if !self.0.settings.in_cookies() && !cookie_guard_exists() {
            let message = "jwt.location has no `cookies`, so no route would read them";
            return Err(Refusal::new(RefusalKind::Misplaced, message));
        }
        let identity = self.read(token)?;
        let left = identity.expires().map(|end| end.saturating_sub(now()));
        let left = left.map(Duration::from_secs);
        Ok(self.0.cookies.set(identity.token_type(), token, identity.csrf(), left))
    }

    /// Removes the cookies of both tokens: for a logout.
    pub fn no_cookies(&self) -> TokenCookies {
        self.0.cookies.unset(&[TokenType::Access, TokenType::Refresh])
    }

    /// Removes the cookies of the access token.
    pub fn unset_access_cookies(&self) -> TokenCookies {
        self.0.cookies.unset(&[TokenType::Access])
    }

    /// Removes the cookies of the refresh token.
    pub fn unset_refresh_cookies(&self) -> TokenCookies {
        self.0.cookies.unset(&[TokenType::Refresh])
    }

    /// Returns the response to a request whose token is refused.
    pub(super) fn refused(&self, refusal: Refusal, token: Option<&Identity>) -> Error {
        let Inner { hooks, realm, message_key, .. } = &*self.0;
        match hooks.answer(&refusal, token) {
            Some(response) => {
                Error::new(response.status(), refusal.to_string()).with_response(response)
            }
            None => refusal.into_error(realm, message_key.as_deref()),
        }
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens")
            .field("algorithm", &self.0.keys.algorithm())
            .finish_non_exhaustive()
    }
}

impl App {
    /// Disables tokens, as [`App::disable`] does: Gnar Gear's `no_jwt`.
    #[must_use]
    pub fn no_jwt(self) -> Self {
        self.disable::<Tokens>()
    }
}

// A refusal returned by a handler is rendered as a guard's: with its challenge, hook and style.
inventory::submit! { ErrorConversion(|error| {
    let refusal: &Refusal = error.downcast_ref()?;
    let tokens: Tokens = context::try_app().ok()?.try_part().ok()?;
    let is_client_s = refusal.kind() != RefusalKind::Misplaced;
    is_client_s.then(|| tokens.refused(refusal.clone(), refusal.token().as_ref()))
}) }
