//! The text of a key, and what is compared of it.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

/// What each named key begins with, so that it is known for one wherever somebody finds it.
pub(super) const PREFIX: &str = "piton_";

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

/// The scheme and the rest of an `Authorization` header, if what is there is one of our keys.
pub(super) fn in_authorization(value: &[u8]) -> Option<&[u8]> {
    let space = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = (&value[..space], value[space..].trim_ascii());
    let known = scheme.eq_ignore_ascii_case(b"Bearer") || scheme.eq_ignore_ascii_case(b"ApiKey");
    (known && rest.starts_with(PREFIX.as_bytes())).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_keys_are_taken_from_authorization() {
        let of = |value: &'static str| in_authorization(value.as_bytes());
        assert_eq!(of("Bearer piton_x"), Some(&b"piton_x"[..]));
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
