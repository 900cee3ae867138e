//! Makes tokens.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;

use super::checks::RESERVED;
use super::claims::{self, Claims, TokenType};
use super::encode::{self, ClaimsOut};
use super::exact::ExactClaims;
use super::identity::Identity;
use super::values::Lifetime;
use super::{Inner, Tokens, guard, random};
use crate::http::{Error, Result};

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
        self.fresh = Value::from(claims::now().saturating_add(duration.as_secs()));
        self
    }

    /// Sets the lifetime of the token, instead of that of the settings.
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
        let now = claims::now();
        let in_cookies = settings.in_cookies() || guard::some_look_in_cookies();
        let in_cookies = settings.cookie_csrf_protect && in_cookies;
        let (jti, csrf) = (random::uuid(), in_cookies.then(random::uuid));
        let exact_identity = self.renewed.and_then(Identity::exact_value);
        let claims_out = ClaimsOut {
            iat: now,
            nbf: settings.encode_nbf.then_some(now),
            jti: &jti,
            exp: self.lifetime.duration().map(|left| now.saturating_add(left.as_secs())),
            identities: encode::identities(
                &self.identity,
                exact_identity,
                &settings.identity_claim,
            ),
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

    /// Returns the further claims as they stand in the token: those of the renewed token, of the
    /// hook, and of [`claim`](Self::claim), each outranked by the next.
    fn claims(&self) -> Result<(Cow<'_, Claims>, ExactClaims)> {
        let Inner { settings, hooks, .. } = &*self.tokens.0;
        let with_hook = self.kind == TokenType::Access
            || settings.claims_in_refresh_token.unwrap_or(settings.user_claims.is_none());
        let mut own = if with_hook { hooks.claims(&self.identity)? } else { Claims::new() };
        let mut more = Cow::Borrowed(&self.more);
        if !own.is_empty() {
            own.extend(self.more.clone());
            more = Cow::Owned(own);
        }
        if let Some(nested) = &settings.user_claims {
            if !more.is_empty() {
                let mut under = self.renewed.and_then(|renewed| renewed.claims().get(nested));
                let mut all = under.take().and_then(Value::as_object).cloned().unwrap_or_default();
                all.extend(more.into_owned());
                more = Cow::Owned(Claims::from_iter([(nested.clone(), Value::Object(all))]));
            }
        } else if let Some(own) = self.reserved().find(|own| more.contains_key(*own)) {
            let why = format!("the claim `{own}` is reserved and cannot be set by `claim`");
            return Err(Error::internal(why));
        }
        let mut exact = ExactClaims::new();
        if let Some(renewed) = self.renewed {
            let is_kept = |name: &String| !self.reserved().any(|own| own == name);
            let mut all = Claims::new();
            for (name, value) in renewed.claims().iter().filter(|(name, _)| is_kept(name)) {
                match renewed.exact_claims().get(name) {
                    Some(_) if more.contains_key(name) => {}
                    Some(text) => drop(exact.insert(name.clone(), text.clone())),
                    None => drop(all.insert(name.clone(), value.clone())),
                }
            }
            all.extend(more.into_owned());
            more = Cow::Owned(all);
        }
        Ok((more, exact))
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
