//! What of a value is shown.

use serde_json::Value;

use crate::config::{mask, redact};

crate::setting_enum! {
    /// Which values are hidden.
    pub enum Mask: default Secrets {
        /// None: every value is shown as it is.
        None = "none",
        /// Those of variables whose names promise a secret, private keys, and what in other values
        /// looks like a secret, such as the password in a URL.
        Secrets = "secrets",
        /// All, whatever they are.
        All = "all",
    }
}

/// What a secret's name is called by those who write short: a word between underscores.
const WORDS: [&str; 15] = [
    "auth",
    "cert",
    "dsn",
    "jwt",
    "key",
    "keys",
    "pass",
    "pat",
    "pem",
    "pin",
    "psk",
    "pw",
    "pwd",
    "salt",
    "signature",
];

impl Mask {
    /// What may be shown of the value of that variable. Empty text is no secret: that nothing is
    /// there is what one wants to know.
    pub(super) fn show(self, name: &str, text: &str) -> String {
        match self {
            _ if text.is_empty() => String::new(),
            Self::None => text.to_owned(),
            Self::All => redact::HIDDEN.to_owned(),
            Self::Secrets if is_secret(name) || holds_private_key(text) => {
                redact::HIDDEN.to_owned()
            }
            Self::Secrets => without_secrets(text),
        }
    }
}

/// Rather one too many than one too few: who wants to see it sets the mask.
fn is_secret(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let mut words = lower.split(['_', '-', '.']);
    redact::names_secret(&lower) || words.any(|word| WORDS.contains(&word))
}

fn holds_private_key(text: &str) -> bool {
    text.contains("PRIVATE KEY-----")
}

fn without_secrets(text: &str) -> String {
    let safe = mask::text(text);
    match redact::shown(false, &Value::from(&*safe)) {
        Value::String(safe) => safe,
        _ => redact::HIDDEN.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_promises_a_secret_hides_its_value_and_its_length() {
        for name in [
            "POSTGRES_PASSWORD",
            "CSRF_SECRET",
            "SECRET_KEY_BASE",
            "DB_PASS",
            "ENCRYPTION_KEY",
            "github.pat",
            "AWS_ACCESS_KEY_ID",
            "jwt-token",
            "SMTP_PWD",
        ] {
            assert_eq!(Mask::Secrets.show(name, "x"), "***", "{name}");
            assert_eq!(Mask::Secrets.show(name, "a much longer one"), "***", "{name}");
        }
        for name in ["POSTGRES_USER", "REDIS_HOST", "KEYBOARD", "COMPASS", "MONKEY_COUNT"] {
            assert_eq!(Mask::Secrets.show(name, "x"), "x", "{name}");
        }
    }

    #[test]
    fn what_looks_like_a_secret_is_hidden_whatever_it_is_called() {
        for (text, safe) in [
            ("postgres://me:pw@db/x", "postgres://***@db/x"),
            ("me:pw@db:5432", "***@db:5432"),
            ("host=db password=pw user=me", "host=db password=*** user=me"),
            ("Bearer abcdef0123456789", "Bearer ***"),
            ("-----BEGIN PRIVATE KEY-----\nMIIE", "***"),
            ("plain", "plain"),
            ("", ""),
        ] {
            assert_eq!(Mask::Secrets.show("REDIS_HOST", text), safe);
        }
    }

    #[test]
    fn none_shows_all_and_all_shows_nothing_but_emptiness() {
        assert_eq!(Mask::None.show("POSTGRES_PASSWORD", "a://b:c@d"), "a://b:c@d");
        assert_eq!(Mask::All.show("REDIS_HOST", "cache"), "***");
        assert_eq!(Mask::All.show("REDIS_HOST", ""), "");
    }
}
