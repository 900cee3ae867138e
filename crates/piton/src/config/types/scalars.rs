//! Settings that are `true` or `false`, a text, a secret, a path, or an IP address.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::config::setting::{Setting, expected, from_text};
use crate::secrets::redact_setting;

impl Setting for bool {
    const NEVER_SECRET: bool = true;

    fn expects() -> Cow<'static, str> {
        "`true` or `false`".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        match value {
            Value::Bool(yes) => Ok(*yes),
            Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Ok(true),
                "false" | "0" | "no" | "off" => Ok(false),
                _ => Err(expected::<Self>()),
            },
            _ => Err(expected::<Self>()),
        }
    }

    fn show(&self) -> Value {
        Value::from(*self)
    }

    fn schema() -> Value {
        json!({ "type": "boolean" })
    }
}

impl Setting for String {
    fn expects() -> Cow<'static, str> {
        "text".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        match value {
            Value::String(text) => Ok(text.clone()),
            Value::Bool(_) | Value::Number(_) => {
                Err(format!("expected text, in quotes: write `{value}`"))
            }
            _ => Err(expected::<Self>()),
        }
    }

    fn show(&self) -> Value {
        Value::from(self.as_str())
    }

    fn schema() -> Value {
        json!({ "type": "string" })
    }
}

impl Setting for SecretString {
    const SECRET: bool = true;

    fn expects() -> Cow<'static, str> {
        "a secret text".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        // Not by way of `String`, because its message repeats the value.
        value.as_str().map(Self::from).ok_or_else(expected::<Self>)
    }

    fn show(&self) -> Value {
        redact_setting(true, &Value::from(self.expose_secret()))
    }

    fn schema() -> Value {
        json!({ "type": "string", "format": "password", "writeOnly": true })
    }
}

impl Setting for PathBuf {
    fn expects() -> Cow<'static, str> {
        "a path".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        match value.as_str() {
            Some(path) if !path.is_empty() => Ok(Self::from(path)),
            _ => Err(expected::<Self>()),
        }
    }

    fn show(&self) -> Value {
        Value::from(self.to_string_lossy())
    }

    fn schema() -> Value {
        json!({ "type": "string", "minLength": 1 })
    }
}

/// Implements `Setting` for types that are parsed by `FromStr` and shown by `Display`.
macro_rules! addresses {
    ($($address:ty: $expects:literal, $schema:tt;)*) => {$(
        impl Setting for $address {
            fn expects() -> Cow<'static, str> {
                $expects.into()
            }

            fn parse(value: &Value) -> Result<Self, String> {
                from_text(value)
            }

            fn show(&self) -> Value {
                Value::from(self.to_string())
            }

            fn schema() -> Value {
                json!($schema)
            }
        }
    )*};
}

addresses! {
    IpAddr: "an IP address, such as `127.0.0.1` or `::1`",
        { "type": "string", "anyOf": [{ "format": "ipv4" }, { "format": "ipv6" }] };
    SocketAddr: "an IP address with a port, such as `127.0.0.1:9000`", { "type": "string" };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<T: Setting>(value: impl Into<Value>) -> Result<T, String> {
        T::parse(&value.into())
    }

    #[test]
    fn yes_and_no_have_four_spellings_each() {
        for yes in ["true", "1", "yes", "on", "TRUE", " Yes "] {
            assert_eq!(parse::<bool>(yes), Ok(true), "{yes}");
        }
        for no in ["false", "0", "no", "off", "OFF"] {
            assert_eq!(parse::<bool>(no), Ok(false), "{no}");
        }
        assert_eq!(parse::<bool>(true), Ok(true));
        for wrong in [json!("maybe"), json!(""), json!(1), json!(null)] {
            assert_eq!(parse::<bool>(wrong), Err("expected `true` or `false`".into()));
        }
    }

    #[test]
    fn text_without_quotes_is_refused_with_the_correction() {
        assert_eq!(parse::<String>(" a "), Ok(" a ".into()));
        assert_eq!(parse::<String>(5), Err("expected text, in quotes: write `5`".into()));
        assert!(parse::<String>(json!([])).is_err());
    }

    #[test]
    fn a_secret_shows_as_three_stars_and_its_refusal_does_not_repeat_it() {
        let secret = parse::<SecretString>("hunter2").expect("text is a secret");
        assert_eq!(secret.expose_secret(), "hunter2");
        assert_eq!(secret.show(), json!("***"));
        let refusal = parse::<SecretString>(1234).expect_err("no text");
        assert!(!refusal.contains("1234"), "{refusal}");
        const { assert!(<Option<SecretString> as Setting>::SECRET) };
        const { assert!(<Vec<SecretString> as Setting>::SECRET) };
        const { assert!(<Option<SecretString> as Setting>::FROM_FILE) };
        const { assert!(!<Option<String> as Setting>::FROM_FILE) };
        assert_eq!(Some(secret).show(), json!("***"));
    }

    #[test]
    fn addresses_and_paths_are_read_and_shown_alike() {
        assert_eq!(parse::<IpAddr>("::1").map(|ip| ip.show()), Ok(json!("::1")));
        assert_eq!(parse::<SocketAddr>("[::1]:80").map(|at| at.show()), Ok(json!("[::1]:80")));
        assert_eq!(parse::<PathBuf>("a/b").map(|path| path.show()), Ok(json!("a/b")));
        assert!(parse::<IpAddr>("localhost").expect_err("a name").contains("127.0.0.1"));
        assert!(parse::<PathBuf>("").is_err());
    }
}
