//! Checks and changes of a query or a form as it was sent, before it is parsed.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::pair_group::{Pair, PairGroup};
use super::percent_decoding::percent_decode_bytes;

/// The characters that are percent-encoded in a query within the header `Link`.
const NOT_IN_LINK: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'*')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'+')
    .remove(b',')
    .remove(b'=')
    // `%` stays, because pairs are encoded already.
    .remove(b'%');

/// Estimates the memory in bytes that the pairs of `text` take while they are read.
pub(in crate::http::extract) fn memory_estimate(text: &[u8]) -> u64 {
    let count = |wanted: u8| text.iter().filter(|byte| **byte == wanted).count();
    let pair = size_of::<Pair<'_>>() + size_of::<PairGroup>() + size_of::<(&str, usize)>();
    (count(b'&') * pair + count(b',') * size_of::<Cow<'_, str>>()) as u64
}

/// Returns the names of the parameters whose name or value is not UTF-8.
pub(in crate::http::extract) fn names_not_utf8(text: &[u8]) -> Vec<String> {
    if !text.iter().any(|byte| *byte == b'%' || !byte.is_ascii()) {
        return Vec::new();
    }
    let pairs = text.split(|byte| *byte == b'&');
    let invalid = pairs.filter(|pair| std::str::from_utf8(&percent_decode_bytes(pair)).is_err());
    invalid.map(|pair| Pair::from_query(pair).name.into_owned()).collect()
}

/// Returns the pairs of `query` that `is_included` selects by name and value, in the form in which they were sent.
/// Characters that have a meaning in a header are percent-encoded, because the result goes into the header `Link`.
pub(in crate::http::extract) fn filter_pairs(
    query: &str,
    is_included: impl Fn(&str, &str) -> bool,
) -> String {
    let mut included = String::with_capacity(query.len());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Pair { name, value, .. } = Pair::from_query(pair.as_bytes());
        if !is_included(&name, &value) {
            continue;
        }
        if !included.is_empty() {
            included.push('&');
        }
        included.extend(utf8_percent_encode(pair, NOT_IN_LINK));
    }
    included
}
