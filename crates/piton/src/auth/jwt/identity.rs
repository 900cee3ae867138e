//! The caller that a token identifies, and the user that the service has loaded for it.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::claims::{Claims, FAMILY, TokenType, now};
use super::exact_number_claims::ExactClaims;
use super::setting_types::{IdentityClaim, TokenLocation};
use crate::compat::python_values::whole_seconds;

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
    pub(super) fn new(accepted: AcceptedToken, claim: &IdentityClaim) -> Self {
        let AcceptedToken { header, claims, exact } = accepted;
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
    /// [`Tokens::read`](crate::auth::jwt::Tokens::read).
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
    // Borrowed, because nearly every token has one of these names and a request should not copy it.
    match name {
        "identity" => Cow::Borrowed("identity"),
        "sub" => Cow::Borrowed("sub"),
        other => Cow::Owned(other.to_owned()),
    }
}

/// The content of a token that was accepted.
pub(super) struct AcceptedToken {
    pub header: Arc<Claims>,
    pub claims: Claims,
    /// The text of claims with numbers that no `Value` holds.
    pub exact: ExactClaims,
}

/// The user that [`App::token_user`](crate::App::token_user) has loaded for the token of the
/// request. As a handler's argument it requires a token; `Option<CurrentUser<U>>` does not.
#[derive(Debug)]
pub struct CurrentUser<U>(pub(super) Arc<U>);

impl<U> Clone for CurrentUser<U> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<U> Deref for CurrentUser<U> {
    type Target = U;

    fn deref(&self) -> &U {
        &self.0
    }
}
