//! Percent-decoding of queries and forms, and the parts of names with brackets such as `range[min]`.

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// Splits the name of an object's member, such as `range[min]` or `range[a][b]`, at its first bracket.
pub(in crate::http::extract) fn object_and_member(name: &str) -> Option<(&str, &str)> {
    let (object, rest) = name.split_at(name.find('[')?);
    let members = rest.strip_prefix('[')?.strip_suffix(']')?;
    let mut members = members.split("][");
    members.all(|member| !member.contains(['[', ']'])).then_some((object, rest))
}

/// Decodes a name or a value of a query or a form. Text that is not UTF-8 has been rejected before (`names_not_utf8`),
/// so nothing is lost in the conversion.
pub(super) fn decode_form_text(text: &[u8]) -> Cow<'_, str> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return String::from_utf8_lossy(text);
    }
    let spaced: Vec<u8> =
        text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    Cow::Owned(String::from_utf8_lossy(&percent_decode_bytes(&spaced)).into_owned())
}

/// Decodes `%` and two hexadecimal digits to bytes. A `%` without them stays as it is.
pub(super) fn percent_decode_bytes(text: &[u8]) -> Cow<'_, [u8]> {
    percent_decode(text).into()
}
