//! Makes tokens.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Builder;

use super::claims::{Claims, FAMILY, RESERVED, TokenType, now};
use super::exact_number_claims::{ClaimOut, ExactClaims};
use super::identity::Identity;
use super::keys::TokenKeys;
use super::setting_types::{IdentityClaim, Lifetime};
use super::token_lookup::cookie_guard_exists;
use super::tokens::{Inner, Tokens};
use crate::http::{Error, Result};
use crate::part::BoxError;
use crate::support::random_bytes::random_bytes;

/// Members of the header that services cannot set: the keys decide over `alg`, and no reader here
/// accepts the others.
const RESERVED_HEADERS: [&str; 3] = ["alg", "b64", "crit"];

/// A builder of a token.
#[derive(Clone)]
#[must_use = "`sign` makes the token"]
pub struct NewToken<'a> {
    tokens: &'a Tokens,
    kind: TokenType,
    identity: Value,
    fresh: Value,
    lifetime: Lifetime,
    more: Claims,
    header: Claims,
    family: Option<String>,
    /// The token that is renewed: its further claims are copied.
    renewed: Option<&'a Identity>,
}

impl<'a> NewToken<'a> {
    pub(super) fn new(
        tokens: &'a Tokens,
        kind: TokenType,
        identity: Value,
        lifetime: Lifetime,
    ) -> Self {
        Self {
            tokens,
            kind,
            identity,
            fresh: Value::Bool(false),
            lifetime,
            more: Claims::new(),
            header: Claims::new(),
            family: None,
            renewed: None,
        }
    }

    /// Marks the token as made by a login, which opens routes with `#[protected(fresh)]`.
    pub fn fresh(mut self) -> Self {
        self.fresh = Value::Bool(true);
        self
    }

    /// Marks the token as made by a login, for `duration`.
    pub fn fresh_for(mut self, duration: Duration) -> Self {
        self.fresh = Value::from(now().saturating_add(duration.as_secs()));
        self
    }

    /// Sets the lifetime of the token, instead of that in the settings.
    pub fn expires_in(mut self, duration: Duration) -> Self {
        self.lifetime = Lifetime::Expires(duration);
        self
    }

    /// Leaves `exp` out. Services accept such a token only if `jwt.required_claims` has no `exp`.
    pub fn never_expires(mut self) -> Self {
        self.lifetime = Lifetime::Never;
        self
    }

    /// Adds a claim, for [`Identity::claim`] to read. A renewed token has it too.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.more.insert(name.into(), value.into());
        self
    }

    /// Adds a member to the header of the token, for [`Identity::header`] to read.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.header.insert(name.into(), value.into());
        self
    }

    /// Puts the token into the family of another one, so that a deny-list of
    /// [`Identity::family_id`]s reaches both: an access token that a refresh token is exchanged for.
    pub fn family_of(mut self, other: &Identity) -> Self {
        self.family = other.family_id().map(str::to_owned);
        self
    }

    /// Copies the further claims of another token.
    pub(super) fn renewing(mut self, renewed: &'a Identity) -> Self {
        self.renewed = Some(renewed);
        self.family_of(renewed)
    }

    /// Signs the token.
    ///
    /// # Errors
    /// 500: the service has only a public key; or a claim or a header is reserved, such as `exp` or
    /// `alg`; or a hook of the service fails.
    pub fn sign(&self) -> Result<String> {
        let Inner { keys, settings, hooks, .. } = &*self.tokens.0;
        let (more, exact) = self.claims()?;
        let mut header = hooks.headers(&self.identity)?;
        header.extend(self.header.clone());
        if let Some(own) = RESERVED_HEADERS.iter().find(|own| header.contains_key(**own)) {
            let why = format!("the header `{own}` is reserved and cannot be set by `header`");
            return Err(Error::internal(why));
        }
        let now = now();
        let in_cookies = settings.in_cookies() || cookie_guard_exists();
        let in_cookies = settings.cookie_csrf_protect && in_cookies;
        let (jti, csrf) = (random_uuid(), in_cookies.then(random_uuid));
        let exact_identity = self.renewed.and_then(Identity::exact_value);
        let claims_out = ClaimsOut {
            iat: now,
            nbf: settings.encode_nbf.then_some(now),
            jti: &jti,
            exp: self.lifetime.duration().map(|left| now.saturating_add(left.as_secs())),
            identities: identity_claims(&self.identity, exact_identity, &settings.identity_claim),
            fresh: &self.fresh,
            r#type: self.kind.name(),
            csrf: csrf.as_deref(),
            iss: settings.issuer_to_write(),
            aud: settings.audience_to_write(),
            family: self.family.as_deref(),
            more: &more,
            exact: &exact,
        };
        claims_out.sign(keys, &header).map_err(Error::internal)
    }

    /// Returns the further claims of the token: those of the renewed token, of the hook, and of
    /// [`claim`](Self::claim). Each overrides the ones before it.
    fn claims(&self) -> Result<(Cow<'_, Claims>, ExactClaims)> {
        let claims = self.own_claims()?;
        let claims = match &self.tokens.0.settings.user_claims {
            Some(_) if claims.is_empty() => claims,
            Some(nested) => Cow::Owned(self.nested_under(nested, claims.into_owned())),
            None => {
                if let Some(own) = self.reserved().find(|own| claims.contains_key(*own)) {
                    let why = format!("the claim `{own}` is reserved and cannot be set by `claim`");
                    return Err(Error::internal(why));
                }
                claims
            }
        };
        Ok(match self.renewed {
            Some(renewed) => self.with_renewed(renewed, claims.into_owned()),
            None => (claims, ExactClaims::new()),
        })
    }

    /// Returns the claims of the hook and of [`claim`](Self::claim).
    fn own_claims(&self) -> Result<Cow<'_, Claims>> {
        let Inner { settings, hooks, .. } = &*self.tokens.0;
        let with_hook = self.kind == TokenType::Access
            || settings.claims_in_refresh_token.unwrap_or(settings.user_claims.is_none());
        let mut claims = if with_hook { hooks.claims(&self.identity)? } else { Claims::new() };
        // Borrowed without a hook, so that a plain login copies no claims.
        if claims.is_empty() {
            return Ok(Cow::Borrowed(&self.more));
        }
        claims.extend(self.more.clone());
        Ok(Cow::Owned(claims))
    }

    /// Returns the claims within the claim `nested`, next to those that the renewed token has there.
    fn nested_under(&self, nested: &str, claims: Claims) -> Claims {
        let inherited = self.renewed.and_then(|renewed| renewed.claims().get(nested));
        let mut all = inherited.and_then(Value::as_object).cloned().unwrap_or_default();
        all.extend(claims);
        Claims::from_iter([(nested.to_owned(), Value::Object(all))])
    }

    /// Adds the claims of the renewed token to `claims`, and returns those with inexact numbers as text.
    fn with_renewed(&self, renewed: &Identity, claims: Claims) -> (Cow<'_, Claims>, ExactClaims) {
        let (mut all, mut exact) = (Claims::new(), ExactClaims::new());
        let is_copied = |name: &String| !self.reserved().any(|own| own == name);
        for (name, value) in renewed.claims().iter().filter(|(name, _)| is_copied(name)) {
            match renewed.exact_claims().get(name) {
                Some(_) if claims.contains_key(name) => {}
                Some(text) => drop(exact.insert(name.clone(), text.clone())),
                None => drop(all.insert(name.clone(), value.clone())),
            }
        }
        all.extend(claims);
        (Cow::Owned(all), exact)
    }

    /// Returns the names of the claims that services cannot set.
    fn reserved(&self) -> impl Iterator<Item = &str> {
        let (first, second) = self.tokens.0.settings.identity_claim.names();
        RESERVED.into_iter().chain([first]).chain(second)
    }
}

impl std::fmt::Debug for NewToken<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewToken").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Tokens {
    /// Begins an access token for `identity`, such as an email address or a number, which
    /// [`Identity::subject`] returns later. [`NewToken::sign`] makes the token.
    pub fn access(&self, identity: impl Into<Value>) -> NewToken<'_> {
        self.access_for(identity.into(), self.0.settings.access_expires())
    }

    pub(super) fn access_for(&self, identity: Value, lifetime: Lifetime) -> NewToken<'_> {
        NewToken::new(self, TokenType::Access, identity, lifetime)
    }

    /// Begins a refresh token: it opens routes with `#[protected(refresh)]` and nothing else.
    pub fn refresh(&self, identity: impl Into<Value>) -> NewToken<'_> {
        let lifetime = self.0.settings.refresh_token_expires;
        NewToken::new(self, TokenType::Refresh, identity.into(), lifetime)
    }
}

/// The claims of a new token, serialized in the order of Flask-JWT-Extended 3.
struct ClaimsOut<'a> {
    iat: u64,
    nbf: Option<u64>,
    jti: &'a str,
    exp: Option<u64>,
    /// The claims that name the caller.
    identities: [Option<(&'a str, ClaimOut<'a>)>; 2],
    fresh: &'a Value,
    r#type: &'static str,
    csrf: Option<&'a str>,
    iss: Option<&'a str>,
    aud: &'a [String],
    family: Option<&'a str>,
    more: &'a Claims,
    exact: &'a ExactClaims,
}

impl Serialize for ClaimsOut<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("iat", &self.iat)?;
        if let Some(nbf) = self.nbf {
            map.serialize_entry("nbf", &nbf)?;
        }
        map.serialize_entry("jti", self.jti)?;
        if let Some(exp) = self.exp {
            map.serialize_entry("exp", &exp)?;
        }
        for (name, value) in self.identities.iter().flatten() {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry("fresh", self.fresh)?;
        map.serialize_entry("type", self.r#type)?;
        for (name, value) in [("csrf", self.csrf), ("iss", self.iss), (FAMILY, self.family)] {
            if let Some(value) = value {
                map.serialize_entry(name, value)?;
            }
        }
        match self.aud {
            [] => {}
            [one] => map.serialize_entry("aud", one)?,
            several => map.serialize_entry("aud", several)?,
        }
        for (name, value) in self.more {
            map.serialize_entry(name, value)?;
        }
        for (name, value) in self.exact {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl ClaimsOut<'_> {
    /// Signs the token. `header` has further members of the token's header.
    fn sign(&self, keys: &TokenKeys, header: &Claims) -> Result<String, BoxError> {
        let mut token = String::with_capacity(512);
        keys.begin(header, &mut token);
        URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(self)?, &mut token);
        keys.sign(&mut token)?;
        Ok(token)
    }
}

/// Returns the claims that name the caller. `exact` is the text of an identity that no `Value`
/// holds.
pub(super) fn identity_claims<'a>(
    identity: &'a Value,
    exact: Option<&'a RawValue>,
    claim: &'a IdentityClaim,
) -> [Option<(&'a str, ClaimOut<'a>)>; 2] {
    let whole = || match exact {
        Some(text) => ClaimOut::Text(text),
        None => ClaimOut::Value(Cow::Borrowed(identity)),
    };
    // `sub` has to be text (RFC 7519, section 4.1.2), and PyJWT refuses any other.
    let text = match (exact, identity) {
        (Some(text), Value::String(_)) if is_number(text) => {
            Some(ClaimOut::Value(Cow::Borrowed(identity)))
        }
        (_, Value::Number(number)) => {
            Some(ClaimOut::Value(Cow::Owned(Value::String(number.to_string()))))
        }
        (None, Value::String(_)) => Some(ClaimOut::Value(Cow::Borrowed(identity))),
        _ => None,
    };
    match claim {
        IdentityClaim::Named(name) if name == "sub" => {
            [Some(("sub", text.unwrap_or_else(whole))), None]
        }
        IdentityClaim::Named(name) => [Some((name, whole())), None],
        // An object or a list has no text that could be a `sub`.
        IdentityClaim::Both => [Some(("identity", whole())), text.map(|text| ("sub", text))],
    }
}

fn is_number(text: &RawValue) -> bool {
    text.get().starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

/// Returns a random UUID (version 4) as text.
fn random_uuid() -> String {
    Builder::from_random_bytes(random_bytes()).into_uuid().hyphenated().to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn uuids_are_unique_and_of_version_4() {
        let all: HashSet<String> = (0..1000).map(|_| random_uuid()).collect();
        assert_eq!(all.len(), 1000);
        assert!(
            all.iter()
                .all(|uuid| uuid::Uuid::parse_str(uuid)
                    .is_ok_and(|uuid| uuid.get_version_num() == 4))
        );
    }
}
