//! serde's words for what it refuses, in the words of whoever wrote the JSON.
//!
//! serde names Rust's types: "expected struct NewCompany", "expected u8". Whoever sends a request knows
//! objects, lists and numbers. What a converter says stays as it is.

/// `message` without the names of Rust's types.
#[cold]
pub(crate) fn plain(message: String) -> String {
    if message == "number out of range" {
        return "the number is out of range".into();
    }
    if message.starts_with("data did not match any variant of untagged enum ") {
        return "is of none of the shapes that are accepted here".into();
    }
    let (kind, rest) = match message.split_once(": ") {
        Some((kind @ ("invalid type" | "invalid value"), rest)) => (kind, rest),
        _ => return message,
    };
    // What was given may itself be a text with these words in it.
    let Some((given, expected)) = rest.rsplit_once(", expected ") else { return message };
    format!("{kind}: {}, expected {}", given_as(given), expected_as(expected))
}

/// What was given, of the kinds that JSON has.
fn given_as(given: &str) -> String {
    match given {
        "sequence" => "a list".into(),
        "map" => "an object".into(),
        "unit value" | "Option value" => "null".into(),
        "unit variant" => "a string".into(),
        "newtype variant" | "tuple variant" | "struct variant" => "an object".into(),
        _ => match given.split_once(' ') {
            Some(("integer" | "boolean" | "character", value)) => value.trim_matches('`').into(),
            Some(("floating", value)) => {
                value.trim_start_matches("point ").trim_matches('`').into()
            }
            Some(("string", text)) => format!("the string {text}"),
            _ => given.into(),
        },
    }
}

/// What was expected. The bounds of the small numbers are said, as the number may be beyond them.
fn expected_as(expected: &str) -> String {
    let whole = |least: &str, most: u64| format!("a whole number from {least} to {most}");
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
            Some(number) => format!("{} other than 0", expected_as(number)),
            None => structure(expected),
        },
    }
}

fn structure(expected: &str) -> String {
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

    fn said<T: DeserializeOwned + std::fmt::Debug>(json: &str) -> String {
        let value: serde_json::Value = serde_json::from_str(json).unwrap();
        plain(serde_json::from_value::<T>(value).unwrap_err().to_string())
    }

    #[test]
    fn no_type_of_rust_is_named() {
        assert_eq!(said::<Company>("7"), "invalid type: 7, expected an object");
        assert_eq!(said::<u8>("300"), "invalid value: 300, expected a whole number from 0 to 255");
        assert_eq!(said::<u64>("-1"), "invalid value: -1, expected a whole number from 0 up");
        assert_eq!(said::<i64>("0.0"), "invalid type: 0.0, expected a whole number");
        assert_eq!(said::<f64>("[]"), "invalid type: a list, expected a number");
        assert_eq!(said::<Vec<u8>>("{}"), "invalid type: an object, expected a list");
        assert_eq!(said::<String>("null"), "invalid type: null, expected a string");
        assert_eq!(said::<(u8, u8)>("true"), "invalid type: true, expected a list");
        assert_eq!(said::<Id>("[]"), "is of none of the shapes that are accepted here");
        assert_eq!(said::<State>("5"), "invalid type: 5, expected a string or an object");
        assert_eq!(
            said::<f32>(r#""x, expected u8""#),
            r#"invalid type: the string "x, expected u8", expected a number"#
        );
    }

    #[test]
    fn what_a_converter_says_stays() {
        for message in ["the check digits are wrong", "is it: a struct", "missing field `u8`"] {
            assert_eq!(plain(message.into()), message);
        }
    }
}
