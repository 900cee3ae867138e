//! The text of a key, and what is compared of it.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

/// What is kept of a key.
#[derive(Clone, Copy)]
pub(super) struct Digest(pub(super) [u8; 32]);

impl Digest {
    /// Keys are random and long: nothing slower is needed to keep them from being guessed.
    pub fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// Takes the same time whatever is in them.
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// What every token (JWT) begins with: `{"` in base64url.
const TOKEN: &[u8] = b"eyJ";

/// The key in an `Authorization` header, if there is one. A token is none: it is left to whoever
/// asks for tokens.
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
        let abc = Digest::of(b"abc");
        assert_eq!(abc.0[..4], [0xba, 0x78, 0x16, 0xbf]);
        assert!(abc.is(&Digest::of(b"abc")) && !abc.is(&Digest::of(b"abd")));
    }
}
