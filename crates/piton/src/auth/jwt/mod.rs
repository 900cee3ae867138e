//! Tokens that say who is calling: JSON Web Tokens, as Flask-JWT-Extended 3 and 4 write and read them.
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
//! What is refused is answered 401 with `WWW-Authenticate` and Flask-JWT-Extended's words; with
//! `http.error_style` `gnar` with status 200 and `{"error": ".."}`, as Gnar Gear does.

mod claims;
mod exact;
mod identity;
mod keys;
mod location;
mod python;
mod random;
mod refusal;
mod secret;
mod settings;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use serde_json::Value;
use serde_json::value::RawValue;
use subtle::ConstantTimeEq;
use tracing::{info, warn};

use crate::app::App;
use crate::config::Problems;
use crate::handle::Handle;
use crate::http::{Error, ErrorStyle, HttpSettings, Result};
use crate::part::{self, Launch, Part};
use crate::step::Step;

use claims::{Expected, Written};
use exact::ExactClaims;
use keys::Keys;
use location::{CookieRules, Found, NotFound};

pub use claims::{Claims, TokenType};
pub use identity::{Identity, Protected};
pub use location::TokenCookies;
pub use refusal::{Refusal, RefusalKind};
pub use settings::{IdentityClaim, JwtAlgorithm, JwtSettings, SameSite, TokenLocation};

/// Claims that are written here, and not by who makes a token.
const OWN: [&str; 11] =
    ["iat", "nbf", "jti", "exp", "identity", "sub", "fresh", "type", "csrf", "iss", "aud"];

/// Makes tokens and reads them. Cheap to clone.
#[derive(Clone)]
pub struct Tokens(Arc<Inner>);

struct Inner {
    keys: Keys,
    expected: Expected,
    settings: JwtSettings,
    cookies: CookieRules,
    revoked: Option<Revoked>,
    realm: String,
}

type Answer = Pin<Box<dyn Future<Output = Result<bool>> + Send>>;

/// Asks whether a token has been taken back.
#[derive(Clone)]
struct Revoked(Arc<dyn Fn(Identity) -> Answer + Send + Sync>);

impl App {
    /// Goes without tokens, as [`App::without`]: Gnar Gear's `no_jwt`.
    #[must_use]
    pub fn no_jwt(self) -> Self {
        self.without::<Tokens>()
    }

    /// Asks, for every token that is otherwise valid, whether it has been taken back: the deny-list.
    /// An error is answered as a handler's would be: the token is not taken.
    ///
    /// ```
    /// use piton::prelude::*;
    ///
    /// let app = App::new("bank").token_revoked(|token| async move {
    ///     let revoked = token.token_id() == Some("stolen"); // look it up in the database
    ///     Ok(revoked)
    /// });
    /// ```
    #[must_use]
    pub fn token_revoked<F, Fut>(self, ask: F) -> Self
    where
        F: Fn(Identity) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<bool>> + Send + 'static,
    {
        self.attach(Revoked(Arc::new(move |identity| Box::pin(ask(identity)))))
    }
}

impl Handle {
    /// The tokens of the service.
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
            _ if !settings.algorithm.is_symmetric() => None,
            Some(secret) => Some(secret.clone()),
            None => Some(secret::of_development(launch.data_dir())?),
        };
        warn_of_short_secrets(&settings);
        let keys = Keys::new(&settings, secret.as_ref()).map_err(|problem| *problem)?;
        let expected = Expected {
            leeway: settings.leeway.as_secs(),
            required: required(&settings, launch),
            issuer: settings.issuer.clone(),
            audience: settings.audience.clone(),
        };
        let expires = settings.access_expires();
        info!("JWT configured, tokens expire in {}", spoken(expires));
        Ok(Self(Arc::new(Inner {
            keys,
            expected,
            cookies: CookieRules::new(&settings, launch.production()),
            settings,
            revoked: launch.attached::<Revoked>().next().cloned(),
            realm: launch.name().replace(['"', '\\'], "'"),
        })))
    }

    fn snapshot(&self) -> Value {
        let (keys, settings) = (&self.0.keys, &self.0.settings);
        serde_json::json!({
            "algorithm": keys.name(),
            "signs": keys.can_sign(),
            "access_token_expires_seconds": settings.access_expires().as_secs(),
            "deny_list": self.0.revoked.is_some(),
        })
    }
}

crate::part!(Tokens);

/// Warns of secrets that are shorter than their algorithm requires. Those that production refuses do
/// not come this far.
fn warn_of_short_secrets(settings: &JwtSettings) {
    if !settings.algorithm.is_symmetric() {
        return;
    }
    let least = settings.algorithm.min_secret_bytes();
    for (key, length) in settings.secret_lengths().filter(|(_, length)| *length < least) {
        let algorithm = settings.algorithm;
        warn!("jwt.{key} has {length} bytes; {algorithm} asks for {least} from a random source");
    }
}

/// The claims without which a token is refused.
fn required(settings: &JwtSettings, launch: &Launch) -> Vec<String> {
    if let Some(claims) = &settings.required_claims {
        return claims.clone();
    }
    let http: HttpSettings = launch.handle.config().read("http", &mut Problems::default());
    match http.error_style {
        ErrorStyle::Gnar => Vec::new(),
        ErrorStyle::Problem => ["exp", "jti", "type"].map(String::from).into(),
    }
}

/// `15 minutes`, as Gnar Gear says it.
fn spoken(duration: Duration) -> String {
    match duration.as_secs() {
        60 => "1 minute".into(),
        seconds if seconds % 60 == 0 => format!("{} minutes", seconds / 60),
        _ => humantime::format_duration(duration).to_string(),
    }
}

impl Tokens {
    /// An access token for `identity`, such as an email address or a number: what
    /// [`Identity::subject`] will be. [`NewToken::sign`] makes it.
    pub fn access(&self, identity: impl Into<Value>) -> NewToken<'_> {
        let expires = self.0.settings.access_expires();
        NewToken::new(self, TokenType::Access, identity.into(), expires)
    }

    /// A refresh token: it opens routes with `#[protected(refresh)]` and nothing else.
    pub fn refresh(&self, identity: impl Into<Value>) -> NewToken<'_> {
        let expires = self.0.settings.refresh_token_expires;
        NewToken::new(self, TokenType::Refresh, identity.into(), expires)
    }

    /// Reads a token of either type. The deny-list is not asked.
    ///
    /// # Errors
    /// Why it is not taken; `?` in a handler makes 401 of it.
    pub fn read(&self, token: &str) -> Result<Identity, Refusal> {
        let (claims, exact) = claims::read(token, &self.0.keys, &self.0.expected)?;
        Ok(Identity::new(claims, exact, self.0.settings.identity_claim))
    }

    /// The cookies that keep `token` in a browser: the token itself, which no page can read, and what
    /// pages show in the header `X-CSRF-TOKEN`. Needs `cookies` in `jwt.location`.
    ///
    /// # Errors
    /// The token is not one of ours, or `jwt.location` says that nobody looks for it in a cookie.
    pub fn cookies(&self, token: &str) -> Result<TokenCookies, Refusal> {
        if !self.0.settings.location.contains(&TokenLocation::Cookies) {
            let said = "jwt.location has no `cookies`: nobody would read them";
            return Err(Refusal::new(RefusalKind::Misplaced, said));
        }
        let identity = self.read(token)?;
        let csrf = identity.claims().get("csrf").and_then(Value::as_str);
        let left = identity.expires().map_or(0, |end| end.saturating_sub(claims::now()));
        Ok(self.0.cookies.set(identity.token_type(), token, csrf, left))
    }

    /// Takes the cookies away: for a logout.
    pub fn no_cookies(&self) -> TokenCookies {
        self.0.cookies.unset()
    }

    fn renews(&self) -> bool {
        self.0.settings.renew && self.0.keys.can_sign()
    }

    /// An access token that says the same of the same caller, but not that they are fresh.
    fn renewed(&self, identity: &Identity) -> Result<String> {
        let mut token = self.access(identity.value().clone());
        token.exact_identity = identity.exact_value().map(ToOwned::to_owned);
        let is_more = |name: &String| !OWN.contains(&name.as_str());
        let exact = identity.exact_claims();
        let more = identity.claims().iter();
        let more = more.filter(|(name, _)| is_more(name) && !exact.contains_key(*name));
        token.more.extend(more.map(|(name, value)| (name.clone(), value.clone())));
        let exact = exact.iter().filter(|(name, _)| is_more(name));
        token.exact.extend(exact.map(|(name, text)| (name.clone(), text.clone())));
        token.sign()
    }

    fn not_fresh(&self) -> Error {
        Refusal::new(RefusalKind::NotFresh, "Fresh token required").into_error(&self.0.realm)
    }

    /// Who calls with this request. `Ok(None)` only if `optional`.
    async fn admit(
        &self,
        head: &Parts,
        wanted: TokenType,
        optional: bool,
    ) -> Result<Option<Identity>> {
        let refused = |refusal: Refusal| refusal.into_error(&self.0.realm);
        let settings = &self.0.settings;
        let found = match location::find(head, &settings.location, wanted, settings.cookie_csrf) {
            Ok(found) => found,
            Err(NotFound::Absent(_)) if optional => return Ok(None),
            Err(NotFound::Absent(refusal) | NotFound::Refused(refusal)) => {
                return Err(refused(refusal));
            }
        };
        let identity = self.check(&found, wanted).map_err(refused)?;
        if let Some(revoked) = &self.0.revoked
            && revoked.0(identity.clone()).await?
        {
            return Err(refused(Refusal::new(RefusalKind::Revoked, "Token has been revoked")));
        }
        identity::remember(&identity, self, found.location);
        Ok(Some(identity))
    }

    fn check(&self, found: &Found<'_>, wanted: TokenType) -> Result<Identity, Refusal> {
        let identity = self.read(found.token)?;
        if let Some(shown) = found.csrf {
            let csrf = identity.claims().get("csrf").and_then(Value::as_str);
            let csrf = csrf.ok_or_else(|| Refusal::invalid("Missing claim: csrf"))?;
            if !bool::from(csrf.as_bytes().ct_eq(shown.as_bytes())) {
                let said = "CSRF double submit tokens do not match";
                return Err(Refusal::new(RefusalKind::Csrf, said));
            }
        }
        if identity.token_type() == wanted {
            return Ok(identity);
        }
        Err(Refusal::invalid(format!("Only {} tokens are allowed", wanted.name())))
    }
}

/// A token in the making.
#[derive(Clone)]
#[must_use = "`sign` makes the token"]
pub struct NewToken<'a> {
    tokens: &'a Tokens,
    kind: TokenType,
    identity: Value,
    fresh: Value,
    expires: Duration,
    more: Claims,
    /// The text of an identity that `identity` cannot hold exactly, and of such claims.
    exact_identity: Option<Box<RawValue>>,
    exact: ExactClaims,
}

impl<'a> NewToken<'a> {
    fn new(tokens: &'a Tokens, kind: TokenType, identity: Value, expires: Duration) -> Self {
        Self {
            tokens,
            kind,
            identity,
            fresh: Value::Bool(false),
            expires,
            more: Claims::new(),
            exact_identity: None,
            exact: ExactClaims::new(),
        }
    }

    /// The password was given just now: opens routes with `#[protected(fresh)]`.
    pub fn fresh(mut self) -> Self {
        self.fresh = Value::Bool(true);
        self
    }

    /// Fresh for so long.
    pub fn fresh_for(mut self, duration: Duration) -> Self {
        self.fresh = Value::from(claims::now().saturating_add(duration.as_secs()));
        self
    }

    /// Valid for so long, instead of what the settings say.
    pub fn expires_in(mut self, duration: Duration) -> Self {
        self.expires = duration;
        self
    }

    /// Says something more, for [`Identity::claim`] to read. A renewed token says it too.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.more.insert(name.into(), value.into());
        self
    }

    /// The token.
    ///
    /// # Errors
    /// 500: the service has only a public key; or a claim of [`claim`](Self::claim) is one that is
    /// written here, such as `exp`.
    pub fn sign(&self) -> Result<String> {
        if let Some(own) = OWN.iter().find(|own| self.more.contains_key(**own)) {
            return Err(Error::internal(format!("the claim `{own}` is not to be set by `claim`")));
        }
        let Inner { keys, settings, .. } = &*self.tokens.0;
        let now = claims::now();
        let in_cookies =
            settings.cookie_csrf && settings.location.contains(&TokenLocation::Cookies);
        let (jti, csrf) = (random::uuid(), in_cookies.then(random::uuid));
        let (identity, sub) =
            claims::named(&self.identity, self.exact_identity.as_deref(), settings.identity_claim);
        let audience = match settings.audience.as_slice() {
            [] => None,
            [one] => Some(Value::from(one.as_str())),
            several => Some(Value::from(several)),
        };
        let written = Written {
            iat: now,
            nbf: now,
            jti: &jti,
            exp: now.saturating_add(self.expires.as_secs()),
            identity,
            sub,
            fresh: &self.fresh,
            r#type: self.kind.name(),
            csrf: csrf.as_deref(),
            iss: settings.issuer.as_deref(),
            aud: audience,
            more: &self.more,
            exact: &self.exact,
        };
        written.sign(keys).map_err(Error::internal)
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("algorithm", &self.0.keys.name()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for NewToken<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewToken").field("kind", &self.kind).finish_non_exhaustive()
    }
}
