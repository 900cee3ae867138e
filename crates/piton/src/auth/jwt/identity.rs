//! Who is calling, as a handler's argument and as a guard before it.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, header};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Tokens;
use super::claims::{self, Claims, TokenType, now};
use super::exact::ExactClaims;
use super::settings::{IdentityClaim, TokenLocation};
use crate::context::{self, Caller};
use crate::handle::Handle;
use crate::http::{Error, Guard, Input, Operation, Passed};

/// Who is calling: the content of a valid token. As an argument of a handler it demands one;
/// `Option<Identity>` goes without where there is none, and refuses one that is not valid.
///
/// ```
/// use piton::prelude::*;
///
/// #[get("/me")]
/// async fn me(who: Identity) -> String {
///     format!("you are {}", who.subject())
/// }
/// # fn main() {}
/// ```
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    claims: Claims,
    /// The text of claims that `claims` cannot hold exactly.
    exact: ExactClaims,
    /// The claim that is looked at first.
    first: IdentityClaim,
    subject: String,
    kind: TokenType,
}

impl Identity {
    pub(super) fn new(claims: Claims, exact: ExactClaims, first: IdentityClaim) -> Self {
        let subject = match claims.get(name_in(&claims, first)) {
            Some(Value::String(text)) => text.clone(),
            None | Some(Value::Null) => String::new(),
            Some(other) => other.to_string(),
        };
        let refresh = claims.get("type").is_some_and(|kind| kind == "refresh");
        let kind = if refresh { TokenType::Refresh } else { TokenType::Access };
        Self(Arc::new(Inner { claims, exact, first, subject, kind }))
    }

    /// Who is calling, as text: what the token was made for, such as an email address. An identity
    /// that is no text is its JSON.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Returns the identity if the token holds it as text, such as an email address. `None` for a number,
    /// also for one that [`subject`](Self::subject) and [`value`](Self::value) show as the same text: look an
    /// account up by this, and the number `1180591620717411303424` is not taken for the user whose name
    /// has these digits.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self.exact_value() {
            Some(_) => None,
            None => self.value().as_str(),
        }
    }

    /// Who is calling, as it stands in the token. A number that no [`Value`] holds exactly, such as a
    /// whole one beyond 64 bits, is text with its digits.
    #[must_use]
    pub fn value(&self) -> &Value {
        self.0.claims.get(self.name()).unwrap_or(&Value::Null)
    }

    /// Returns the name of the claim that identifies the caller.
    fn name(&self) -> &'static str {
        name_in(&self.0.claims, self.0.first)
    }

    /// Returns the text of [`value`](Self::value), if that differs from the token's.
    pub(super) fn exact_value(&self) -> Option<&RawValue> {
        self.0.exact.get(self.name()).map(|text| &**text)
    }

    /// Returns the text of claims that [`claims`](Self::claims) cannot hold exactly.
    pub(super) fn exact_claims(&self) -> &ExactClaims {
        &self.0.exact
    }

    /// Returns all claims of the token; numbers as in [`value`](Self::value).
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.0.claims
    }

    /// Returns one claim, read as a `T`. `None` if it is missing or is not a `T`. Integers beyond
    /// 64 bits are read exactly by `u128`, `i128` and `String`.
    #[must_use]
    pub fn claim<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let exact = || serde_json::from_str(self.0.exact.get(name)?.get()).ok();
        T::deserialize(self.0.claims.get(name)?).ok().or_else(exact)
    }

    /// The token's own name (`jti`), for a list of those that are taken back.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.0.claims.get("jti").and_then(Value::as_str)
    }

    /// What the token is for.
    #[must_use]
    pub fn token_type(&self) -> TokenType {
        self.0.kind
    }

    /// The moment when the token expires, in seconds since 1970.
    #[must_use]
    pub fn expires(&self) -> Option<u64> {
        let end = claims::seconds(self.0.claims.get("exp")?)?;
        Some(u64::try_from(end.max(0)).unwrap_or(u64::MAX))
    }

    /// Whether the password was given lately: the token was made by a login, and not by renewal.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        match self.0.claims.get("fresh") {
            Some(Value::Bool(fresh)) => *fresh,
            // Until when it is fresh.
            Some(Value::Number(until)) => until.as_f64().is_some_and(|until| until >= now() as f64),
            _ => false,
        }
    }

    /// The answer to this request carries no fresh token: for a logout.
    pub fn end(&self) {
        context::current(|request| {
            let caller = request.caller.get()?;
            let caller: &dyn Any = &**caller;
            caller.downcast_ref::<Known>()?.ended.store(true, Ordering::Relaxed);
            Some(())
        });
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("subject", &self.0.subject).finish_non_exhaustive()
    }
}

/// Flask-JWT-Extended 3 writes `identity`, which may be any JSON; 4 writes `sub`.
fn name_in(claims: &Claims, first: IdentityClaim) -> &'static str {
    let (first, second) = match first {
        IdentityClaim::Sub => ("sub", "identity"),
        IdentityClaim::Both | IdentityClaim::Identity => ("identity", "sub"),
    };
    if claims.contains_key(first) { first } else { second }
}

/// The caller of the current request, for its answer and for those it calls.
struct Known {
    identity: Identity,
    tokens: Tokens,
    location: TokenLocation,
    ended: AtomicBool,
}

impl Known {
    fn fresh_token(&self) -> Option<HeaderValue> {
        let mut token = self.tokens.renewed(&self.identity).ok()?;
        token.insert_str(0, "Bearer ");
        let mut value = HeaderValue::from_maybe_shared(Bytes::from(token)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl Caller for Known {
    fn authorization(&self) -> Option<HeaderValue> {
        is_somebody(self.identity.value()).then(|| self.fresh_token()).flatten()
    }

    fn answer(&self, headers: &mut HeaderMap) {
        // A token out of a cookie is not for the page to read.
        let wanted = self.tokens.renews()
            && self.location == TokenLocation::Headers
            && !self.ended.load(Ordering::Relaxed)
            && is_somebody(self.identity.value())
            && !headers.contains_key(header::AUTHORIZATION);
        if let Some(token) = wanted.then(|| self.fresh_token()).flatten() {
            headers.insert(header::AUTHORIZATION, token);
        }
    }
}

/// Whether Python takes it for true: Gnar Gear renews no other identity.
fn is_somebody(identity: &Value) -> bool {
    match identity {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(object) => !object.is_empty(),
    }
}

/// Remembers who is calling for the rest of the request.
pub(super) fn remember(identity: &Identity, tokens: &Tokens, location: TokenLocation) {
    context::current(|request| {
        let known = Known {
            identity: identity.clone(),
            tokens: tokens.clone(),
            location,
            ended: AtomicBool::new(false),
        };
        let _ = request.caller.set(Arc::new(known));
    });
}

/// Who is known to be calling.
fn known() -> Option<Identity> {
    context::current(|request| {
        let caller: &dyn Any = &**request.caller.get()?;
        Some(caller.downcast_ref::<Known>()?.identity.clone())
    })
    .flatten()
}

/// Lets in who shows a token: `#[protected]`.
///
/// ```
/// use piton::prelude::*;
/// use piton::auth::jwt::Protected;
/// use piton::http::delete;
///
/// async fn close_account() -> &'static str { "closed" }
///
/// let app = App::new("bank").route(delete("/account", close_account).guard(Protected::new().fresh()));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Protected {
    fresh: bool,
    refresh: bool,
    optional: bool,
}

impl Protected {
    /// An access token, fresh or not.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An access token that was made by a login: `#[protected(fresh)]`.
    #[must_use]
    pub fn fresh(self) -> Self {
        Self { fresh: true, ..self }
    }

    /// A refresh token: `#[protected(refresh)]`.
    #[must_use]
    pub fn refresh(self) -> Self {
        Self { refresh: true, ..self }
    }

    /// None at all will do too, but not one that is not valid: `#[protected(optional)]`.
    #[must_use]
    pub fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    fn token_type(self) -> TokenType {
        if self.refresh { TokenType::Refresh } else { TokenType::Access }
    }

    async fn admit(self, head: &Parts, tokens: &Tokens) -> Result<Option<Identity>, Error> {
        let known = known().filter(|known| known.token_type() == self.token_type());
        let identity = match known {
            Some(known) => Some(known),
            None => tokens.admit(head, self.token_type(), self.optional).await?,
        };
        match &identity {
            Some(identity) if self.fresh && !identity.is_fresh() => Err(tokens.not_fresh()),
            _ => Ok(identity),
        }
    }
}

impl Guard for Protected {
    fn describe(&self, operation: &mut Operation) {
        operation.needs::<Tokens>();
        match self.optional {
            true => operation.optionally(|operation| operation.security("bearer")),
            false => operation.security("bearer"),
        }
    }

    fn explain(&self) -> Option<String> {
        let options = [
            (self.fresh, ".fresh()"),
            (self.refresh, ".refresh()"),
            (self.optional, ".optional()"),
        ];
        let options = options.iter().filter_map(|(said, call)| said.then_some(*call));
        Some(format!("piton::auth::jwt::Protected::new(){}", options.collect::<String>()))
    }

    fn check<'a>(&'a self, head: &'a mut Parts, app: &'a Handle) -> Passed<'a> {
        Box::pin(async move { self.admit(head, &app.try_part()?).await.map(drop) })
    }
}

impl Input for Identity {
    fn describe(operation: &mut Operation) {
        Protected::new().describe(operation);
    }
}

crate::taken_from!(Tokens: Identity, Option<Identity>);

/// Whatever token the route's guard has let in, else an access token.
async fn of_request<S>(head: &Parts, state: &S, optional: bool) -> Result<Option<Identity>, Error>
where
    Handle: FromRef<S>,
{
    if let Some(known) = known() {
        return Ok(Some(known));
    }
    let tokens: Tokens = Handle::from_ref(state).try_part()?;
    tokens.admit(head, TokenType::Access, optional).await
}

impl<S> FromRequestParts<S> for Identity
where
    S: Send + Sync,
    Handle: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, Error> {
        let identity = of_request(head, state, false).await?;
        identity.ok_or_else(|| Error::unauthorized("Missing Authorization Header"))
    }
}

impl<S> OptionalFromRequestParts<S> for Identity
where
    S: Send + Sync,
    Handle: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Option<Self>, Error> {
        of_request(head, state, true).await
    }
}
