//! Percent-encoding in a PostgreSQL URL.

use crate::db::address_fault::AddressFault;
use crate::db::percent_decoding::{PercentFault, percent_decode};

/// Returns the fault of a special character that must be percent-encoded.
pub(super) fn unescaped(c: char) -> AddressFault {
    let code = match c {
        '#' => "`#` is `%23`",
        '@' => "`@` is `%40`",
        '?' => "`?` is `%3F`",
        _ => "`/` is `%2F`",
    };
    AddressFault::new(
        format!("an unescaped `{c}` ends the part of the URL in which it stands"),
        format!(
            "percent-encode it in the password (or user, or name): {code}; or set db.password apart from the URL"
        ),
    )
}

/// Decodes a part of the URL, which `part` names in messages.
pub(super) fn decode(text: &str, part: &str) -> Result<String, AddressFault> {
    let fault = |why: &str| {
        AddressFault::new(
            format!("{part}: {why}"),
            "percent-encode special characters: `%` itself is `%25`",
        )
    };
    let decoded = percent_decode(text).map_err(|reason| match reason {
        PercentFault::Malformed => fault("`%` is not followed by two hexadecimal digits"),
        PercentFault::NotUtf8 => fault("the decoded text is not UTF-8"),
    })?;
    // PostgreSQL's protocol ends each text with a zero byte, so that none can stand in one.
    if text.contains("%00") { Err(fault("`%00` is not allowed")) } else { Ok(decoded) }
}
