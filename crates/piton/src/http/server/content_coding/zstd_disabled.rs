//! The module `zstd` of a build without that feature. Nothing is encoded or decoded with it, because
//! neither list has it.

use super::coding::Coding;

/// The codings of responses, the preferred one first.
pub(super) const OFFERED: &[Coding] = &[Coding::Brotli, Coding::Gzip];

/// The codings that are decoded, as the value of `Accept-Encoding`.
pub(super) const DECODED: &str = "gzip, deflate, br";

/// Returns `plain` as it is.
pub(super) fn encoder<R>(plain: R, _: u32) -> R {
    plain
}

/// Returns `encoded` as it is.
pub(super) fn decoder<R>(encoded: R) -> R {
    encoded
}
