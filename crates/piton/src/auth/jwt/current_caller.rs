//! The caller of the current request, for its response and for calls in the caller's name.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use super::claims::{TokenType, now};
use super::identity::Identity;
use super::setting_types::{Lifetime, TokenLocation};
use super::tokens::Tokens;
use crate::compat::python_values;
use crate::context;
use crate::http::Result;
use crate::request::caller::Caller;

/// The caller that a valid token identifies, and the state of the token's renewal.
struct CurrentCaller {
    identity: Identity,
    tokens: Tokens,
    renewal_ended: AtomicBool,
}

impl CurrentCaller {
    fn value(
        &self,
        token: Result<String>,
        before: impl Fn(String) -> String,
    ) -> Option<HeaderValue> {
        let token = Bytes::from(before(token.ok()?));
        let mut value = HeaderValue::from_maybe_shared(token).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Returns whether the identity is true in Python, because Gnar Gear renews no other.
    fn is_truthy(&self) -> bool {
        python_values::is_truthy(self.identity.value())
    }
}

impl Caller for CurrentCaller {
    fn authorization(&self) -> Option<HeaderValue> {
        let token = self.is_truthy().then(|| self.tokens.renewed(&self.identity))?;
        self.value(token, |token| format!("Bearer {token}"))
    }

    fn add_response_headers(&self, headers: &mut HeaderMap) {
        let lookup = &self.tokens.0.lookup;
        // Only tokens from a header are renewed, because scripts of a page can read response headers and must
        // not obtain a token that came in a cookie. Refresh tokens are exchanged only by routes that require
        // one.
        let wanted = self.tokens.renews()
            && self.identity.token_type() == TokenType::Access
            && self.identity.location() == Some(TokenLocation::Headers)
            && self.identity.expires().is_some()
            && !self.renewal_ended.load(Ordering::Relaxed)
            && self.is_truthy()
            && !headers.contains_key(lookup.header());
        if wanted {
            let token = self.tokens.renewed(&self.identity);
            if let Some(value) = self.value(token, |token| lookup.header_value(token)) {
                headers.insert(lookup.header(), value);
            }
        }
    }
}

impl Tokens {
    pub(super) fn renews(&self) -> bool {
        self.0.renews && self.0.keys.can_sign()
    }

    /// Makes an access token with the same caller and claims, except that it is not fresh. Its lifetime
    /// is that of the shown token at most, so that a short-lived token does not become a lasting one.
    fn renewed(&self, identity: &Identity) -> Result<String> {
        let issued = identity.moment("iat").unwrap_or_else(now);
        let lifetime = identity.expires().map_or(Lifetime::Never, |end| {
            Lifetime::Expires(Duration::from_secs(end.saturating_sub(issued)))
        });
        let lifetime = lifetime.min(self.0.settings.access_expires());
        let token = self.access_for(identity.value().clone(), lifetime);
        token.renewing(identity).sign()
    }
}

/// Remembers the caller for the rest of the request.
pub(super) fn remember(identity: &Identity, tokens: &Tokens) {
    context::current(|request| {
        let known = CurrentCaller {
            identity: identity.clone(),
            tokens: tokens.clone(),
            renewal_ended: AtomicBool::new(false),
        };
        let _ = request.caller.set(Arc::new(known));
    });
}

/// Returns the caller of the request, if a token has been accepted.
pub(super) fn current() -> Option<Identity> {
    context::current(|request| {
        let caller: &dyn Any = &**request.caller.get()?;
        Some(caller.downcast_ref::<CurrentCaller>()?.identity.clone())
    })
    .flatten()
}

/// Ends the renewal of the request's token.
fn end_renewal() {
    context::current(|request| {
        let caller: &dyn Any = &**request.caller.get()?;
        caller.downcast_ref::<CurrentCaller>()?.renewal_ended.store(true, Ordering::Relaxed);
        Some(())
    });
}

impl Identity {
    /// Stops the renewal of the token in the response to this request: for a logout.
    pub fn end(&self) {
        end_renewal();
    }
}
