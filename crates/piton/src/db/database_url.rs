//! The setting `db.url`.

use std::borrow::Cow;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::postgres;
use super::sqlite_url::{self, SqliteFile};
use crate::config::Setting;
use crate::config::types::address_settings::trimmed_text;
use crate::parse_address::lowercase_scheme;
use crate::secrets::redact_setting;

/// The address of a database. Its `Debug` form and the config page show it without the password.
#[derive(Clone)]
pub struct DbUrl(SecretString);

impl DbUrl {
    /// Returns the address, with its password.
    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Returns the file, if the address is that of a SQLite database.
    pub(super) fn sqlite_file(&self) -> Option<SqliteFile> {
        sqlite_url::parse(sqlite_url::strip_scheme(self.expose())?).ok()
    }
}

impl fmt::Debug for DbUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.show(), f)
    }
}

impl Setting for DbUrl {
    const ADDRESS: bool = true;

    fn expects() -> Cow<'static, str> {
        "an address such as `postgres://user:password@host:5432/database` or `sqlite:data/service.db`"
            .into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let text = trimmed_text::<Self>(value)?;
        if let Some(rest) = sqlite_url::strip_scheme(text) {
            return sqlite_url::parse(rest).map(|_| Self(text.into()));
        }
        if let Some(why) = sqlite_url::explain_other_form(text) {
            return Err(why);
        }
        let schemes = ["postgres://", "postgresql://"];
        let text = &*lowercase_scheme(text);
        if schemes.iter().any(|scheme| text.starts_with(scheme)) {
            return Ok(Self(text.into()));
        }
        if postgres::address::keyword_value::is_keyword_value(text) {
            return Ok(Self(text.into()));
        }
        if let Some((scheme, _)) = text.split_once("://") {
            let scheme = scheme.to_ascii_lowercase();
            if ["postgres", "postgresql"].contains(&scheme.split('+').next().unwrap_or_default()) {
                return Err(
                    "the scheme is written in lower case and names no driver: write `postgres://`"
                        .into(),
                );
            }
        }
        // The value is left out, because a password may stand anywhere in it.
        Err(format!("expected {}", Self::expects()))
    }

    fn show(&self) -> Value {
        redact_setting(false, &Value::from(self.expose()))
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^(postgres(ql)?://|sqlite:|[a-z_]+ *=)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let url = DbUrl::parse(&json!("postgres://me:hunter2@db/x")).unwrap();
        assert_eq!(url.show(), json!("postgres://***@db/x"));
        assert!(!format!("{url:?}").contains("hunter2"));
        let error = DbUrl::parse(&json!("postgrs://me:hunter2@db/x")).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
        for scheme in ["postgresql+asyncpg", "postgresql+psycopg2"] {
            let url = json!(format!("{scheme}://me:hunter2@db/x"));
            let error = DbUrl::parse(&url).unwrap_err();
            assert!(error.contains("`postgres://`") && !error.contains("hunter2"), "{error}");
        }
    }
}
