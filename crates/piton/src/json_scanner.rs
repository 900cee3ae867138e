//! Scans JSON text for properties that parsed values do not have.

/// Prefix of the member names by which serde_json encodes its own types (`RawValue`, arbitrary-precision
/// numbers). Such an object in a body would be parsed as JSON a second time. `RawValue`'s is read
/// as the JSON that its text holds, wherever a [`Value`](serde_json::Value) is read.
const PRIVATE: &str = "$serde_json::private::";

/// Returns the length of the string at the beginning of `json`, with its quotes.
pub(crate) fn length_of_string(json: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    json.len()
}

/// Returns whether a member of `json` has a name that serde_json takes for a mark of its own.
pub(crate) fn has_private_name(json: &[u8]) -> bool {
    // Nearly every text ends here: the mark begins with `$`, written so or as `\u0024`.
    let may = json.contains(&b'$')
        || json.contains(&b'\\') && json.windows(6).any(|text| text == br"\u0024");
    may && has_private_name_among(json)
}

#[cold]
fn has_private_name_among(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(begin) = rest.iter().position(|byte| *byte == b'"') {
        rest = &rest[begin..];
        let (literal, after) = rest.split_at(length_of_string(rest));
        let is_name = after.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':');
        if is_name && is_private(literal) {
            return true;
        }
        rest = after;
    }
    false
}

fn is_private(literal: &[u8]) -> bool {
    matches!(literal.get(1), Some(b'$' | b'\\'))
        && serde_json::from_slice::<String>(literal).is_ok_and(|name| name.starts_with(PRIVATE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_of_serde_json_is_found_however_it_is_written() {
        for json in [
            r#"{"$serde_json::private::RawValue":"1"}"#,
            r#"[{"a\"":{"$serde_json::private::Number" : "1"}}]"#,
            r#"{"\u0024serde_json::private::RawValue":"1"}"#,
            r#"{"\u0024\u0073erde_json::private::RawValue":"1"}"#,
            r#"{"$serde\u005fjson::private::RawValue":"1"}"#,
        ] {
            assert!(has_private_name(json.as_bytes()), "{json}");
        }
        for json in [
            r#"{"price":"$5","$ref":"x","a":"$serde_json::private::RawValue"}"#,
            r#"["$serde_json::private::RawValue",1]"#,
            r#"{"\\u0024serde_json::private::RawValue":1}"#,
            r#"{"a\"$serde_json::private::RawValue":1}"#,
            "$\"",
        ] {
            assert!(!has_private_name(json.as_bytes()), "{json}");
        }
    }
}
