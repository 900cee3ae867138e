//! The caller of a request, as a handler's argument.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Tokens;
use super::caller;
use super::checks::FAMILY;
use super::claims::{Accepted, Claims, TokenType, now};
use super::exact::ExactClaims;
use super::guard::{NoTokenFound, Protected};
use super::values::{IdentityClaim, TokenLocation};
use crate::compat::python_values::whole_seconds;
use crate::handle::Handle;
use crate::http::{Error, Guard, Input, Operation};

/// The caller of a request: the content of a valid token. As an argument of a handler it requires one;
/// `Option<Identity>` is `None` without a token, and still refuses one that is not valid.
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
    header: Arc<Claims>,
    claims: Claims,
    /// The text of claims that `claims` cannot hold exactly.
    exact: ExactClaims,
    /// The claim that names the caller.
    name: Cow<'static, str>,
    subject: String,
    kind: TokenType,
    location: Option<TokenLocation>,
}

impl Identity {
    pub(super) fn new(accepted: Accepted, claim: &IdentityClaim) -> Self {
        let Accepted { header, claims, exact } = accepted;
        let name = name_in(&claims, claim);
        let subject = match claims.get(&*name) {
            Some(Value::String(text)) => text.clone(),
            None | Some(Value::Null) => String::new(),
            Some(other) => other.to_string(),
        };
        let refresh = claims.get("type").is_some_and(|kind| kind == "refresh");
        let kind = if refresh { TokenType::Refresh } else { TokenType::Access };
        Self(Arc::new(Inner { header, claims, exact, name, subject, kind, location: None }))
    }

    /// Records the location of the token in the request.
    pub(super) fn found_in(mut self, location: TokenLocation) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.location = Some(location);
        }
        self
    }

    /// Returns the identity as text, such as an email address. An identity of another type is returned
    /// as JSON.
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

    /// Returns the identity as the token holds it. A number that no [`Value`] holds exactly, such as a
    /// whole one beyond 64 bits, is text with its digits.
    #[must_use]
    pub fn value(&self) -> &Value {
        self.0.claims.get(&*self.0.name).unwrap_or(&Value::Null)
    }

    /// Returns the text of [`value`](Self::value), if that differs from the token's.
    pub(super) fn exact_value(&self) -> Option<&RawValue> {
        self.0.exact.get(&*self.0.name).map(|text| &**text)
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

    /// Returns the members of the token's header, such as `alg` and `kid`.
    #[must_use]
    pub fn header(&self) -> &Claims {
        &self.0.header
    }

    /// Returns the location of the token in the request; `None` for a token that was read by
    /// [`Tokens::read`].
    #[must_use]
    pub fn location(&self) -> Option<TokenLocation> {
        self.0.location
    }

    /// Returns the token's own id (`jti`).
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.text_of("jti")
    }

    /// Returns the id of the token's family: the `jti` of the token that it was renewed from, over
    /// however many renewals, or its own. A deny-list of these reaches renewed tokens too.
    #[must_use]
    pub fn family_id(&self) -> Option<&str> {
        self.text_of(FAMILY).or_else(|| self.token_id())
    }

    /// Returns the CSRF token that has to accompany the token if that is in a cookie.
    pub(super) fn csrf(&self) -> Option<&str> {
        self.text_of("csrf")
    }

    fn text_of(&self, claim: &str) -> Option<&str> {
        self.0.claims.get(claim).and_then(Value::as_str)
    }

    /// Returns whether the token is an access token or a refresh token.
    #[must_use]
    pub fn token_type(&self) -> TokenType {
        self.0.kind
    }

    /// Returns the time at which the token expires, in seconds since 1970.
    #[must_use]
    pub fn expires(&self) -> Option<u64> {
        self.moment("exp")
    }

    /// Returns a claim that holds a time, in seconds since 1970.
    pub(super) fn moment(&self, claim: &str) -> Option<u64> {
        let moment = whole_seconds(self.0.claims.get(claim)?)?;
        Some(u64::try_from(moment.max(0)).unwrap_or(u64::MAX))
    }

    /// Returns whether the token was made by a recent login, and not by renewal.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        match self.0.claims.get("fresh") {
            Some(Value::Bool(fresh)) => *fresh,
            // A number is the time until which the token is fresh (`fresh_for`).
            Some(Value::Number(until)) => until.as_f64().is_some_and(|until| until >= now() as f64),
            _ => false,
        }
    }

    /// Stops the renewal of the token in the response to this request: for a logout.
    pub fn end(&self) {
        caller::end();
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("subject", &self.0.subject).finish_non_exhaustive()
    }
}

/// Returns the name of the claim that names the caller.
fn name_in(claims: &Claims, claim: &IdentityClaim) -> Cow<'static, str> {
    let name = match claim.names() {
        (first, Some(second)) if !claims.contains_key(first) => second,
        (first, _) => first,
    };
    // Nearly every token has one of these, and a request should not copy the name.
    match name {
        "identity" => Cow::Borrowed("identity"),
        "sub" => Cow::Borrowed("sub"),
        other => Cow::Owned(other.to_owned()),
    }
}

impl Input for Identity {
    fn describe(operation: &mut Operation) {
        Protected::new().describe(operation);
    }
}

crate::taken_from!(Tokens: Identity, Option<Identity>);

/// Returns the token that the route's guard has accepted. Without a guard, reads an access token.
pub(super) async fn of_request<S>(
    head: &mut Parts,
    state: &S,
    optional: bool,
) -> Result<Option<Identity>, Error>
where
    Handle: FromRef<S>,
{
    if let Some(known) = caller::current() {
        return Ok(Some(known));
    }
    let tokens: Tokens = Handle::from_ref(state).try_part()?;
    let asked = head.extensions.get::<NoTokenFound>().map(|asked| asked.0);
    let guard = asked.unwrap_or_default().with_optional(optional);
    tokens.admit(head, &guard).await
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
