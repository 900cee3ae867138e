//! [`Mask`]: the values that are hidden.

use crate::secrets::{REDACTED, redact_variable};

crate::setting_enum! {
    /// The values that are hidden.
    pub enum Mask: default Secrets {
        /// No value: each is shown as it is.
        None = "none",
        /// Values of variables whose names mark a secret, and values that contain a secret by their form; of
        /// a URL its user and password.
        Secrets = "secrets",
        /// All values.
        All = "all",
    }
}

impl Mask {
    /// Returns the value of a variable for display. Empty text is never hidden, because its being empty is
    /// what the reader wants to know.
    pub(super) fn show(self, name: &str, text: &str) -> String {
        match self {
            _ if text.is_empty() => String::new(),
            Self::None => text.to_owned(),
            Self::All => REDACTED.to_owned(),
            Self::Secrets => redact_variable(name, text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_marks_a_secret_hides_its_value_and_its_length() {
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
        for name in ["POSTGRES_USER", "REDIS_HOST"] {
            assert_eq!(Mask::Secrets.show(name, "x"), "x", "{name}");
        }
    }

    #[test]
    fn a_value_with_a_secret_is_hidden_under_any_name() {
        for (text, safe) in [
            ("postgres://me:pw@db/x", "postgres://***@db/x"),
            ("me:pw@db:5432", "***@db:5432"),
            ("pg://me:pw@db/x, see Bearer abcdef0123456789", "***"),
            ("host=db password=pw user=me", "***"),
            ("pg://h/x?password=pw&ssl=1", "***"),
            ("Bearer abcdef0123456789", "***"),
            ("Cookie: session=x", "***"),
            ("-----BEGIN PRIVATE KEY-----\nMIIE", "***"),
            ("https://example.org/path?page=2", "https://example.org/path?page=2"),
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
