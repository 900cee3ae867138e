//! Decodes percent-encoded parts of addresses.

use percent_encoding::percent_decode_str;

/// The reason why a text cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PercentFault {
    /// A `%` is not followed by two hexadecimal digits.
    Malformed,
    /// The decoded bytes are not UTF-8.
    NotUtf8,
}

/// Decodes `text`. Refuses a `%` without two hexadecimal digits, which the crate alone would leave
/// as it is: in a password or a path that is a typing error.
pub(super) fn percent_decode(text: &str) -> Result<String, PercentFault> {
    let is_encoded = |rest: &str| {
        rest.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !text.split('%').skip(1).all(is_encoded) {
        return Err(PercentFault::Malformed);
    }
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(std::borrow::Cow::into_owned).map_err(|_| PercentFault::NotUtf8)
}
