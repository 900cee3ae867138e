//! The text that replaces a secret.

/// Replaces a secret wherever one is redacted.
pub(crate) const REDACTED: &str = "***";
