//! Reads a token outside a request, with options.

use subtle::ConstantTimeEq;

use super::identity::Identity;
use super::refusal::{Refusal, RefusalKind};
use super::{Tokens, claims};

/// A reader of tokens with options: `tokens.reader().allow_expired().read(&token)`.
#[derive(Clone, Debug)]
#[must_use = "`read` reads the token"]
pub struct TokenReader<'a> {
    tokens: &'a Tokens,
    allow_expired: bool,
    csrf: Option<&'a str>,
}

impl<'a> TokenReader<'a> {
    pub(super) const fn new(tokens: &'a Tokens) -> Self {
        Self { tokens, allow_expired: false, csrf: None }
    }

    /// Accepts an expired token, as for a logout.
    pub const fn allow_expired(mut self) -> Self {
        self.allow_expired = true;
        self
    }

    /// Requires the token's claim `csrf` to be `value`.
    pub const fn csrf(mut self, value: &'a str) -> Self {
        self.csrf = Some(value);
        self
    }

    /// Reads a token of either type. The hooks of the service, such as the deny-list, are not called.
    ///
    /// # Errors
    /// The reason why it is refused; `?` in a handler makes 401 of it.
    pub fn read(&self, token: &str) -> Result<Identity, Refusal> {
        let inner = &self.tokens.0;
        let accepted = claims::read(token, &inner.keys, &inner.validation, self.allow_expired);
        let accepted = accepted.map_err(|refusal| self.with_expired(refusal, token))?;
        let identity = Identity::new(accepted, &inner.settings.identity_claim);
        match self.csrf {
            Some(shown) => check_csrf(&identity, shown).map(|()| identity),
            None => Ok(identity),
        }
    }
}

impl TokenReader<'_> {
    /// Adds the token to the refusal, for a hook that answers refusals of expired tokens.
    fn with_expired(&self, refusal: Refusal, token: &str) -> Refusal {
        let wanted =
            refusal.kind() == RefusalKind::Expired && self.tokens.0.hooks.answers_refusals();
        let expired = wanted.then(|| Self { allow_expired: true, ..*self }.read(token).ok());
        refusal.of_token(expired.flatten())
    }
}

/// Compares the CSRF token of the request with the token's claim `csrf`.
pub(super) fn check_csrf(identity: &Identity, shown: &str) -> Result<(), Refusal> {
    let csrf = identity.csrf().ok_or_else(|| Refusal::invalid("Missing claim: csrf"))?;
    match bool::from(csrf.as_bytes().ct_eq(shown.as_bytes())) {
        true => Ok(()),
        false => Err(Refusal::new(RefusalKind::Csrf, "CSRF double submit tokens do not match")),
    }
}
