//! Translates the messages of serde for clients, and reads names from them.
//!
//! serde names Rust types: "expected struct NewCompany", "expected u8". Clients know objects, lists and numbers. The
//! texts are parsed because serde reports a mismatch in no other way; the tests of this folder fail if serde changes
//! them. Messages of converters pass unchanged.

/// Translates a message of serde: names of Rust types become the terms of JSON.
#[cold]
pub(super) fn to_json_terms(message: String) -> String {
    if message == "number out of range" {
        return "the number is out of range".into();
    }
    if message.starts_with("data did not match any variant of untagged enum ") {
        return "matches none of the allowed forms".into();
    }
    let (kind, rest) = match message.split_once(": ") {
        Some((kind @ ("invalid type" | "invalid value"), rest)) => (kind, rest),
        _ => return message,
    };
    // The last occurrence counts, because the value may itself be a text that contains these words.
    let Some((rejected, expected)) = rest.rsplit_once(", expected ") else { return message };
    format!("{kind}: {}, expected {}", value_in_json_terms(rejected), type_in_json_terms(expected))
}

/// Translates the value that serde rejected.
fn value_in_json_terms(rejected: &str) -> String {
    match rejected {
        "sequence" => "a list".into(),
        "map" => "an object".into(),
        "unit value" | "Option value" => "null".into(),
        "unit variant" => "a string".into(),
        "newtype variant" | "tuple variant" | "struct variant" => "an object".into(),
        _ => match rejected.split_once(' ') {
            Some(("integer" | "boolean" | "character", value)) => value.trim_matches('`').into(),
            Some(("floating", value)) => {
                value.trim_start_matches("point ").trim_matches('`').into()
            }
            Some(("string", text)) => format!("the string {text}"),
            _ => rejected.into(),
        },
    }
}

/// Translates the type that serde expected. Small integer types get their bounds, because the value may be beyond them.
fn type_in_json_terms(expected: &str) -> String {
    let whole = |min: &str, max: u64| format!("a whole number from {min} to {max}");
    match expected {
        "u8" => whole("0", u8::MAX.into()),
        "u16" => whole("0", u16::MAX.into()),
        "u32" => whole("0", u32::MAX.into()),
        "u64" | "u128" | "usize" => "a whole number from 0 up".into(),
        "i8" => whole("-128", 127),
        "i16" => whole("-32768", 32767),
        "i32" => whole("-2147483648", 2_147_483_647),
        "i64" | "i128" | "isize" => "a whole number".into(),
        "f32" | "f64" => "a number".into(),
        "a boolean" => "`true` or `false`".into(),
        "a sequence" => "a list".into(),
        "a map" => "an object".into(),
        "string or map" => "a string or an object".into(),
        "unit" => "null".into(),
        "unit variant" => "a string".into(),
        "newtype variant" | "tuple variant" | "struct variant" => "an object".into(),
        "a borrowed string" | "string" => "a string".into(),
        _ => match expected.strip_prefix("a nonzero ") {
            Some(number) => format!("{} other than 0", type_in_json_terms(number)),
            None => structure_in_json_terms(expected),
        },
    }
}

/// Translates the names of structs, tuples and enums.
fn structure_in_json_terms(expected: &str) -> String {
    let is = |kinds: &[&str]| kinds.iter().any(|kind| expected.starts_with(kind));
    if is(&["struct ", "internally tagged enum", "adjacently tagged enum"]) {
        return "an object".into();
    }
    if is(&["tuple ", "a tuple of size ", "an array of length "]) {
        return "a list".into();
    }
    if is(&["enum "]) {
        return "a string or an object".into();
    }
    if is(&["unit struct "]) { "null".into() } else { expected.into() }
}

/// Returns the name for clients of a Rust type of one value, to follow "is not a valid".
pub(super) fn plain_type(name: &str) -> &str {
    match name {
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => {
            "whole number from 0 up, or is too large"
        }
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "whole number, or is too large",
        "f32" | "f64" => "number",
        "bool" => "boolean: write `true`, `on`, `yes` or `1`, or `false`, `off`, `no` or `0`",
        other => other,
    }
}

/// Returns the name of the field in serde's message for a missing one.
pub(super) fn missing_field(message: &str) -> Option<String> {
    name_after(message, "missing field `")
}

/// Returns the name of the field in serde's message for one that is given twice.
pub(super) fn duplicate_field(message: &str) -> Option<String> {
    name_after(message, "duplicate field `")
}

/// Returns the name of the field in serde's message for an unknown one.
pub(super) fn unknown_field(message: &str) -> Option<String> {
    name_after(message, "unknown field `")
}

fn name_after(message: &str, start: &str) -> Option<String> {
    message.strip_prefix(start)?.split('`').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde::de::DeserializeOwned;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "read by Debug alone")]
    struct Company {
        name: String,
    }

    #[derive(Debug, Deserialize)]
    enum State {
        Sp,
    }

    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "read by Debug alone")]
    enum Id {
        Number(u32),
    }

    fn translated<T: DeserializeOwned + std::fmt::Debug>(json: &str) -> String {
        let value: serde_json::Value = serde_json::from_str(json).unwrap();
        to_json_terms(serde_json::from_value::<T>(value).unwrap_err().to_string())
    }

    #[test]
    fn rust_types_become_terms_of_json() {
        assert_eq!(translated::<Company>("7"), "invalid type: 7, expected an object");
        assert_eq!(
            translated::<u8>("300"),
            "invalid value: 300, expected a whole number from 0 to 255"
        );
        assert_eq!(translated::<u64>("-1"), "invalid value: -1, expected a whole number from 0 up");
        assert_eq!(translated::<i64>("0.0"), "invalid type: 0.0, expected a whole number");
        assert_eq!(translated::<f64>("[]"), "invalid type: a list, expected a number");
        assert_eq!(translated::<Vec<u8>>("{}"), "invalid type: an object, expected a list");
        assert_eq!(translated::<String>("null"), "invalid type: null, expected a string");
        assert_eq!(translated::<(u8, u8)>("true"), "invalid type: true, expected a list");
        assert_eq!(translated::<Id>("[]"), "matches none of the allowed forms");
        assert_eq!(translated::<State>("5"), "invalid type: 5, expected a string or an object");
        assert_eq!(
            translated::<f32>(r#""x, expected u8""#),
            r#"invalid type: the string "x, expected u8", expected a number"#
        );
    }

    #[test]
    fn messages_of_converters_are_unchanged() {
        for message in ["the check digits are wrong", "is it: a struct", "missing field `u8`"] {
            assert_eq!(to_json_terms(message.into()), message);
        }
    }
}
