//! The header `Content-Disposition` (RFC 6266), with names in any language (RFC 8187).

use http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Characters that `filename*` percent-encodes: all but `attr-char` of RFC 8187, section 3.2.1.
const NOT_ATTR_CHAR: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The way in which a browser presents a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DispositionType {
    /// Saves it to a file.
    Attachment,
    /// Shows it, if it can.
    Inline,
}

/// Returns the value of the header. `filename` is the name in ASCII, for old clients; `filename*` is added where the
/// name has other characters, and outranks it.
pub(super) fn content_disposition(kind: DispositionType, name: Option<&str>) -> HeaderValue {
    let kind = match kind {
        DispositionType::Attachment => "attachment",
        DispositionType::Inline => "inline",
    };
    let Some(name) = name else { return HeaderValue::from_static(kind) };
    // Some clients decode `%41` in `filename`, and some read `\` as part of a path: both are replaced there.
    let plain: String = name
        .chars()
        .map(|letter| {
            if matches!(letter, ' '..='~') && !matches!(letter, '"' | '\\' | '%') {
                letter
            } else {
                '_'
            }
        })
        .collect();
    let mut text = format!("{kind}; filename=\"{plain}\"");
    if plain != name {
        text += &format!("; filename*=UTF-8''{}", utf8_percent_encode(name, NOT_ATTR_CHAR));
    }
    HeaderValue::try_from(text).expect("printable ASCII is a header's value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_language_are_sent_and_none_ends_the_header() {
        for (name, expected) in [
            ("report.pdf", r#"attachment; filename="report.pdf""#),
            ("a b;c.txt", r#"attachment; filename="a b;c.txt""#),
            (
                "€ rates.pdf",
                "attachment; filename=\"_ rates.pdf\"; filename*=UTF-8''%E2%82%AC%20rates.pdf",
            ),
            ("a\"b.txt", r#"attachment; filename="a_b.txt"; filename*=UTF-8''a%22b.txt"#),
            ("a\r\nx: y", "attachment; filename=\"a__x: y\"; filename*=UTF-8''a%0D%0Ax%3A%20y"),
            ("100%.txt", "attachment; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt"),
        ] {
            assert_eq!(
                content_disposition(DispositionType::Attachment, Some(name)),
                expected,
                "{name:?}"
            );
        }
        assert_eq!(content_disposition(DispositionType::Inline, None), "inline");
    }
}
