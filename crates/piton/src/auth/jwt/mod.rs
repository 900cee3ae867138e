//! Tokens that identify the caller: JSON Web Tokens, as Flask-JWT-Extended 3 and 4 write and read them.
//!
//! A service of Python and one of Piton with the same secret take each other's tokens, so that a
//! route can move from one to the other while its clients keep what they have.
//!
//! ```
//! use piton::prelude::*;
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Login { email: String }
//!
//! #[derive(Serialize, JsonSchema)]
//! struct Token { token: String }
//!
//! #[post("/user/login")]
//! async fn login(tokens: Tokens, Json(login): Json<Login>) -> Result<Json<Token>> {
//!     // .. after the password has been checked
//!     let token = tokens.access(login.email).fresh().sign()?;
//!     Ok(Json(Token { token }))
//! }
//!
//! #[get("/user/me")]
//! async fn me(who: Identity) -> String {
//!     who.subject().to_owned()
//! }
//!
//! #[delete("/user/me")]
//! #[protected(fresh)] // only shortly after a login
//! async fn leave() -> NoContent { NoContent }
//! # fn main() {}
//! ```
//!
//! Refusals are 401 with `WWW-Authenticate` and the messages of Flask-JWT-Extended; with
//! `http.error_style` `gnar` with status 200 and `{"error": ".."}`, as Gnar Gear does.

mod algorithm;
mod body;
mod caller;
mod checks;
mod claims;
mod cookies;
mod encode;
mod exact;
mod guard;
mod hooks;
mod identity;
mod keys;
mod location;
mod new_token;
mod openapi;
mod pem;
mod random;
mod reader;
mod refusal;
mod secret;
mod settings;
#[cfg(test)]
mod tests;
mod user;
mod values;
mod variables;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use http::request::Parts;
use serde_json::Value;
use tracing::{info, warn};

use crate::config::Problems;
use crate::handle::Handle;
use crate::http::{CredentialHeader, Error, ErrorStyle, HttpSettings, Result};
use crate::part::{self, Launch, Part};
use crate::step::Step;

use claims::Validation;
use cookies::CookieRules;
use hooks::TokenHooks;
use keys::Keys;
use location::{NotFound, TokenSources};
use reader::check_csrf;

pub use algorithm::JwtAlgorithm;
pub use claims::{Claims, TokenType};
pub use cookies::TokenCookies;
pub use guard::Protected;
pub use identity::Identity;
pub use new_token::NewToken;
pub use reader::TokenReader;
pub use refusal::{Refusal, RefusalKind};
pub use settings::JwtSettings;
pub use user::CurrentUser;
pub use values::{
    CsrfMethods, FlaskVersion, IdentityClaim, KeyText, Leeway, Lifetime, SameSite, TokenLocation,
};

/// Makes tokens and reads them. Cheap to clone.
#[derive(Clone)]
pub struct Tokens(Arc<Inner>);

struct Inner {
    keys: Keys,
    validation: Validation,
    settings: JwtSettings,
    sources: TokenSources,
    cookies: CookieRules,
    hooks: TokenHooks,
    renews: bool,
    /// The member with the message in bodies of Flask-JWT-Extended's form; `None` for problem documents.
    message_key: Option<String>,
    realm: String,
}

inventory::submit! { CredentialHeader(credential_header) }

/// Returns the header that carries tokens unless it is `Authorization`, so that caches vary by it.
fn credential_header(app: &Handle) -> Option<HeaderName> {
    let header = app.try_part::<Tokens>().ok()?.0.sources.header().clone();
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
            None => Some(secret::of_development(launch.data_dir())?),
        };
        warn_of_short_secrets(&settings);
        for warning in variables::warnings(launch.handle.config()) {
            warn!("{warning}");
        }
        let style = error_style(launch);
        let message_key = settings.error_message_key.clone();
        let message_key = message_key.filter(|_| style != ErrorStyle::Gnar);
        if settings.error_message_key.is_some() && message_key.is_none() {
            warn!("jwt.error_message_key has no effect with http.error_style `gnar`");
        }
        // Gnar Gear uses version 3, and its clients match on those messages.
        let usual =
            if message_key.is_some() { FlaskVersion::Version4 } else { FlaskVersion::Version3 };
        let messages = settings.flask_version.unwrap_or(usual);
        let keys = Keys::new(&settings, secret.as_ref())?;
        let hooks = TokenHooks::of(launch);
        if !hooks.adds_claims() {
            warn_of_unknown_claims(&settings);
        }
        let validation = Validation {
            leeway: settings.leeway.0.as_secs(),
            required: required(&settings, style),
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
                info!("JWT configured, tokens expire in {}", spoken(expires));
            }
            Lifetime::Never if launch.production() => {
                warn!("JWT configured, access tokens never expire: only revoking ends one");
            }
            Lifetime::Never => info!("JWT configured, tokens never expire"),
        }
        Ok(Self(Arc::new(Inner {
            keys,
            validation,
            sources: TokenSources::new(&settings, messages),
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
        (checks::RESERVED.contains(&name) && (name != "csrf" || settings.in_cookies()))
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
fn required(settings: &JwtSettings, style: ErrorStyle) -> Vec<String> {
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
fn spoken(duration: Duration) -> String {
    match duration.as_secs() {
        60 => "1 minute".into(),
        seconds if seconds % 60 == 0 => format!("{} minutes", seconds / 60),
        _ => humantime::format_duration(duration).to_string(),
    }
}

impl Tokens {
    /// Begins an access token for `identity`, such as an email address or a number, which
    /// [`Identity::subject`] returns later. [`NewToken::sign`] makes the token.
    pub fn access(&self, identity: impl Into<Value>) -> NewToken<'_> {
        self.access_for(identity.into(), self.0.settings.access_expires())
    }

    fn access_for(&self, identity: Value, lifetime: Lifetime) -> NewToken<'_> {
        NewToken::new(self, TokenType::Access, identity, lifetime)
    }

    /// Begins a refresh token: it opens routes with `#[protected(refresh)]` and nothing else.
    pub fn refresh(&self, identity: impl Into<Value>) -> NewToken<'_> {
        let lifetime = self.0.settings.refresh_token_expires;
        NewToken::new(self, TokenType::Refresh, identity.into(), lifetime)
    }

    /// Reads a token of either type. The hooks of the service, such as the deny-list, are not called.
    ///
    /// # Errors
    /// The reason why it is refused; `?` in a handler makes 401 of it.
    pub fn read(&self, token: &str) -> Result<Identity, Refusal> {
        self.reader().read(token)
    }

    /// Reads tokens with options: `tokens.reader().allow_expired().read(&token)`.
    pub const fn reader(&self) -> TokenReader<'_> {
        TokenReader::new(self)
    }

    /// Returns the CSRF token that a page has to send along with the cookie of `token`: for pages that
    /// do not get it in a cookie of its own.
    ///
    /// # Errors
    /// The token is not valid, or was not made for cookies.
    pub fn csrf_token(&self, token: &str) -> Result<String, Refusal> {
        let identity = self.read(token)?;
        let csrf = identity.csrf().ok_or_else(|| Refusal::invalid("Missing claim: csrf"))?;
        Ok(csrf.to_owned())
    }

    /// Returns the cookies that keep `token` in a browser: the token itself, which no page can read,
    /// and the CSRF token that pages send in the header `X-CSRF-TOKEN`. Requires `cookies` in
    /// `jwt.location`, or in the locations of a guard.
    ///
    /// # Errors
    /// The token is not valid, or neither `jwt.location` nor a guard has `cookies`.
    pub fn cookies(&self, token: &str) -> Result<TokenCookies, Refusal> {
        if !self.0.settings.in_cookies() && !guard::some_look_in_cookies() {
            let message = "jwt.location has no `cookies`, so no route would read them";
            return Err(Refusal::new(RefusalKind::Misplaced, message));
        }
        let identity = self.read(token)?;
        let left = identity.expires().map(|end| end.saturating_sub(claims::now()));
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
    fn refused(&self, refusal: Refusal, token: Option<&Identity>) -> Error {
        let Inner { hooks, realm, message_key, .. } = &*self.0;
        match hooks.answer(&refusal, token) {
            Some(response) => {
                Error::new(response.status(), refusal.to_string()).with_response(response)
            }
            None => refusal.into_error(realm, message_key.as_deref()),
        }
    }

    /// Returns the caller of this request. `Ok(None)` only if the guard is optional.
    async fn admit(&self, head: &mut Parts, guard: &Protected) -> Result<Option<Identity>> {
        let Inner { sources, hooks, validation, .. } = &*self.0;
        let wanted = guard.token_type();
        let found = match sources.find(head, guard.locations_or(&sources.locations), wanted) {
            Ok(found) => found,
            Err(NotFound::Absent(_)) if guard.is_optional() => return Ok(None),
            Err(NotFound::Absent(refusal) | NotFound::Refused(refusal)) => {
                return Err(self.refused(refusal, None));
            }
            Err(NotFound::InBody) => {
                return Err(Error::internal("the body was not read before the token"));
            }
        };
        let identity = match self.read(&found.token) {
            Ok(identity) => identity.found_in(found.location),
            Err(refusal) => {
                let expired = refusal.token();
                return Err(self.refused(refusal, expired.as_ref()));
            }
        };
        let refused =
            |kind, message: String| Err(self.refused(Refusal::new(kind, message), Some(&identity)));
        if let Some(shown) = &found.csrf
            && let Err(refusal) = check_csrf(&identity, shown)
        {
            return Err(self.refused(refusal, Some(&identity)));
        }
        drop(found);
        if !guard.accepts(&identity) {
            let only = match (wanted, validation.messages) {
                (TokenType::Access, FlaskVersion::Version4) => "non-refresh",
                (wanted, _) => wanted.name(),
            };
            return refused(RefusalKind::Invalid, format!("Only {only} tokens are allowed"));
        }
        if guard.is_fresh() && !identity.is_fresh() {
            return refused(RefusalKind::NotFresh, "Fresh token required".into());
        }
        if guard.asks_deny_list() && hooks.is_revoked(&identity).await? {
            return refused(RefusalKind::Revoked, "Token has been revoked".into());
        }
        if !hooks.is_verified(&identity).await? {
            return refused(RefusalKind::NotVerified, "User claims verification failed".into());
        }
        if !hooks.load_user(&identity, &mut head.extensions).await? {
            let message = format!("Error loading the user {}", identity.subject());
            return refused(RefusalKind::UnknownUser, message);
        }
        caller::remember(&identity, self);
        Ok(Some(identity))
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens")
            .field("algorithm", &self.0.keys.algorithm())
            .finish_non_exhaustive()
    }
}
