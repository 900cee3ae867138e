//! `ApiKey`, the caller that a key identifies; the digest of a key; a key in `Authorization`.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use crate::http::Error;

/// The scope that includes all others.
const ALL_SCOPES: &str = "*";

/// The API key of a request: the caller, and the scopes granted to it.
///
/// As an argument of a handler it refuses requests without a valid key with 401. `Option<ApiKey>` is
/// `None` without a key, and still refuses an invalid one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey(pub(super) Arc<KeyGrant>);

#[derive(Debug, PartialEq, Eq)]
pub(super) struct KeyGrant {
    /// Id and name; `None` for the key of the settings.
    pub stored: Option<(String, String)>,
    pub scopes: Vec<String>,
}

impl ApiKey {
    pub(super) fn single() -> Self {
        Self(Arc::new(KeyGrant { stored: None, scopes: vec![ALL_SCOPES.to_owned()] }))
    }

    /// Returns the id of the key, 12 letters and digits; `None` for the one key of the settings.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.0.stored.as_ref().map(|(id, _)| &**id)
    }

    /// Returns the name of the key; `None` for the one key of the settings.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.stored.as_ref().map(|(_, name)| &**name)
    }

    /// Returns the scopes of the key; `*` is every scope.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.0.scopes
    }

    /// Returns whether the key has this scope, such as `companies:write`, or every scope.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.0.scopes.iter().any(|one| one == scope || one == ALL_SCOPES)
    }

    /// Refuses the request unless the key has the scope.
    ///
    /// # Errors
    /// 403, with the missing scope in its detail.
    #[track_caller]
    pub fn require_scope(&self, scope: &str) -> crate::Result<()> {
        if self.has_scope(scope) {
            return Ok(());
        }
        Err(Error::forbidden(format!("the API key lacks the scope `{scope}`")).plain())
    }
}

/// The SHA-256 digest of a key: all that is stored of it.
#[derive(Clone, Copy)]
pub(super) struct KeyDigest(pub(super) [u8; 32]);

impl KeyDigest {
    /// Hashes a key. A fast hash is enough, because keys are random and too long to be guessed.
    pub fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// Compares two digests in constant time.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// The beginning of every token (JWT): `{"` in base64url.
const TOKEN: &[u8] = b"eyJ";

/// Returns the key in an `Authorization` header, if there is one. A bearer token that is a JWT is not a
/// key: it belongs to the authentication by tokens.
pub(super) fn in_authorization(value: &[u8]) -> Option<&[u8]> {
    let space = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = (&value[..space], value[space..].trim_ascii());
    let bearer = scheme.eq_ignore_ascii_case(b"Bearer") && !rest.starts_with(TOKEN);
    let known = bearer || scheme.eq_ignore_ascii_case(b"ApiKey");
    (known && !rest.is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_taken_from_authorization_and_tokens_are_not() {
        let of = |value: &'static str| in_authorization(value.as_bytes());
        assert_eq!(of("Bearer piton_x"), Some(&b"piton_x"[..]));
        assert_eq!(of("bearer my-own-key"), Some(&b"my-own-key"[..]));
        assert_eq!(of("apikey  piton_x"), Some(&b"piton_x"[..]));
        for other in ["Bearer eyJhbGciOi", "Basic piton_x", "piton_x", "Bearer", "", "Bearer "] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn digests_are_those_of_sha_256() {
        // FIPS 180-2, B.1.
        let abc = KeyDigest::of(b"abc");
        assert_eq!(abc.0[..4], [0xba, 0x78, 0x16, 0xbf]);
        assert!(abc.matches(&KeyDigest::of(b"abc")) && !abc.matches(&KeyDigest::of(b"abd")));
    }
}
