//! The claims of tokens: their type, their reserved names, the two types of token.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

/// The claims of a token, by name. A number that no [`Value`] holds exactly, such as an integer
/// beyond 64 bits, appears as text with the token's digits.
pub type Claims = Map<String, Value>;

/// The two types of token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenType {
    /// Opens routes.
    Access,
    /// Is exchanged for another access token.
    Refresh,
}

impl TokenType {
    /// Returns the name that stands in the claim `type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
        }
    }
}

/// Returns the current time in seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

/// The claim with the family of a renewed token. Its name is the framework's own, because `family` may
/// be a claim of a service, or of another issuer with the same key.
pub(super) const FAMILY: &str = "piton_family";

/// Claims that the framework writes, next to the one that names the caller.
pub(super) const RESERVED: [&str; 10] =
    ["iat", "nbf", "jti", "exp", "fresh", "type", "csrf", "iss", "aud", FAMILY];
