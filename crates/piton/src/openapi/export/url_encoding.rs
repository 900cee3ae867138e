//! Percent-encoding of values in URLs and forms, which leaves the variable of the token as it is.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::sample_requests::TOKEN;

/// The characters to percent-encode in a query: all but the unreserved ones (RFC 3986, section 2.3) and the comma,
/// which separates the items of a list.
const RESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b',');

/// Returns the body of a form with these fields.
pub(super) fn encode_form(fields: &[(String, String)]) -> String {
    let pair = |(name, value): &(String, String)| {
        format!("{}={}", encode_value(name), encode_value(value))
    };
    fields.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// Percent-encodes a value of a query, except for the variable of the token.
pub(super) fn encode_value(text: &str) -> String {
    if let Some((before, after)) = text.split_once(TOKEN) {
        return format!("{}{TOKEN}{}", encode_value(before), encode_value(after));
    }
    utf8_percent_encode(text, RESERVED).to_string()
}
