//! [`Environment`]: the environment that a service runs in.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Value, json};

use crate::config::setting::{Setting, expected};

/// The environment that a service runs in, such as `local`, `staging` or `production`. Case-insensitive.
#[derive(Clone, Debug)]
pub struct Environment(String);

impl Environment {
    /// Returns whether it is a developer's own machine: `local`.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.0.eq_ignore_ascii_case("local")
    }

    /// Returns the name as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Environment {
    fn default() -> Self {
        Self("local".into())
    }
}

impl PartialEq for Environment {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Environment {}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Setting for Environment {
    fn expects() -> Cow<'static, str> {
        "a word, such as `local` or `staging`".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let word = value.as_str().unwrap_or_default().trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let is_word = (1..=64).contains(&word.len()) && word.chars().all(plain);
        if is_word { Ok(Self(word.to_owned())) } else { Err(expected::<Self>()) }
    }

    fn show(&self) -> Value {
        Value::from(self.as_str())
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_local_is_local_however_it_is_written() {
        let of = |word: &str| Environment::parse(&json!(word));
        for word in ["local", "LOCAL", " Local "] {
            assert!(of(word).unwrap().is_local(), "{word}");
        }
        for word in ["localhost", "dev", "development", "production", "LOCAL-2"] {
            assert!(!of(word).unwrap().is_local(), "{word}");
        }
        for word in ["", "  ", "two words", "a/b"] {
            assert!(of(word).unwrap_err().contains("a word"), "{word}");
        }
        assert_eq!(of("Staging").unwrap(), of("STAGING").unwrap());
    }
}
