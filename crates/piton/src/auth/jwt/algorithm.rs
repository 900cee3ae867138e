//! The algorithms that sign tokens, and the kind of key that each one needs.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{self, VerificationAlgorithm};

/// Minimum length of a secret in production: 256 random bits cannot be found by trying, with any hash.
pub(super) const MIN_SECRET_BYTES: usize = 32;

crate::setting_enum! {
    /// An algorithm that signs tokens (RFC 7518, RFC 8037).
    pub enum JwtAlgorithm: default Hs256 {
        /// HMAC with SHA-256.
        Hs256 = "HS256",
        /// HMAC with SHA-384.
        Hs384 = "HS384",
        /// HMAC with SHA-512.
        Hs512 = "HS512",
        /// RSA (PKCS #1) with SHA-256.
        Rs256 = "RS256",
        /// RSA (PKCS #1) with SHA-384.
        Rs384 = "RS384",
        /// RSA (PKCS #1) with SHA-512.
        Rs512 = "RS512",
        /// RSA (PSS) with SHA-256.
        Ps256 = "PS256",
        /// RSA (PSS) with SHA-384.
        Ps384 = "PS384",
        /// RSA (PSS) with SHA-512.
        Ps512 = "PS512",
        /// ECDSA on P-256.
        Es256 = "ES256",
        /// ECDSA on P-384.
        Es384 = "ES384",
        /// ECDSA on P-521.
        Es512 = "ES512",
        /// Ed25519.
        EdDsa = "EdDSA",
    }
}

/// A kind of asymmetric key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyKind {
    Rsa,
    P256,
    P384,
    P521,
    Ed25519,
}

impl KeyKind {
    pub const ALL: [Self; 5] = [Self::Rsa, Self::P256, Self::P384, Self::P521, Self::Ed25519];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Rsa => "an RSA key",
            Self::P256 => "a key on P-256",
            Self::P384 => "a key on P-384",
            Self::P521 => "a key on P-521",
            Self::Ed25519 => "an Ed25519 key",
        }
    }

    /// Returns an algorithm that parses keys of this kind.
    pub fn parser(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Rsa => &signature::RSA_PKCS1_2048_8192_SHA256,
            Self::P256 => &signature::ECDSA_P256_SHA256_FIXED,
            Self::P384 => &signature::ECDSA_P384_SHA384_FIXED,
            Self::P521 => &signature::ECDSA_P521_SHA512_FIXED,
            Self::Ed25519 => &signature::ED25519,
        }
    }
}

impl JwtAlgorithm {
    pub(super) const ALL: [Self; 13] = [
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
    ];

    /// Returns the algorithm of a header's `alg`, which is compared exactly.
    pub(super) fn of(alg: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == alg)
    }

    /// Returns whether the same secret signs and checks.
    #[must_use]
    pub const fn is_symmetric(self) -> bool {
        self.key_kind().is_none()
    }

    /// Returns the kind of key that the algorithm needs; `None` for a secret.
    pub(super) const fn key_kind(self) -> Option<KeyKind> {
        match self {
            Self::Hs256 | Self::Hs384 | Self::Hs512 => None,
            Self::Es256 => Some(KeyKind::P256),
            Self::Es384 => Some(KeyKind::P384),
            Self::Es512 => Some(KeyKind::P521),
            Self::EdDsa => Some(KeyKind::Ed25519),
            _ => Some(KeyKind::Rsa),
        }
    }

    /// Returns the minimum length of a secret in bytes: that of the hash (RFC 7518, section 3.2).
    #[must_use]
    pub(super) const fn min_secret_bytes(self) -> usize {
        match self {
            Self::Hs384 => 48,
            Self::Hs512 => 64,
            _ => MIN_SECRET_BYTES,
        }
    }

    pub(super) const fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Hs384 => hmac::HMAC_SHA384,
            Self::Hs512 => hmac::HMAC_SHA512,
            _ => hmac::HMAC_SHA256,
        }
    }

    /// Returns the verifier of signatures of this asymmetric algorithm.
    pub(super) fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
            Self::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
            Self::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
            Self::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
            Self::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
            other => other.key_kind().unwrap_or(KeyKind::Rsa).parser(),
        }
    }
}
