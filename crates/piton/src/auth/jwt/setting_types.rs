//! The types of settings that only tokens have.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use http::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::config::{Bounds, Setting};

/// Maximum lifetime and leeway. Clocks overflow far beyond it.
const MAX_DURATION: Duration = Duration::from_secs(36_500 * 24 * 60 * 60);

/// The lifetime of a token: a duration with its unit (`15m`), a number of seconds, or `never` for
/// tokens that never expire. Flask-JWT-Extended's `False` is `never`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// The token expires after this time.
    Expires(Duration),
    /// The token has no `exp`.
    Never,
}

impl Lifetime {
    /// Returns the time after which the token expires; `None` if it never does.
    #[must_use]
    pub const fn duration(self) -> Option<Duration> {
        match self {
            Self::Expires(duration) => Some(duration),
            Self::Never => None,
        }
    }

    /// Returns the shorter of two lifetimes.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        match (self, other) {
            (Self::Never, other) | (other, Self::Never) => other,
            (Self::Expires(one), Self::Expires(other)) => Self::Expires(one.min(other)),
        }
    }
}

impl From<Duration> for Lifetime {
    fn from(duration: Duration) -> Self {
        Self::Expires(duration)
    }
}

/// Reads whole seconds, or a duration with its unit.
fn duration(value: &Value) -> Result<Duration, String> {
    let seconds = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let duration = seconds.map_or_else(|| Duration::parse(value), |it| Ok(Duration::from_secs(it)));
    match duration? {
        duration if duration > MAX_DURATION => Err("expected at most `36500days`".into()),
        duration => Ok(duration),
    }
}

impl Setting for Lifetime {
    fn expects() -> Cow<'static, str> {
        "a duration with its unit, such as `15m`, a number of seconds, or `never`".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let is_never = match value {
            Value::Bool(expires) => !expires,
            Value::String(text) => {
                ["never", "false"].iter().any(|never| text.trim().eq_ignore_ascii_case(never))
            }
            _ => false,
        };
        if is_never {
            return Ok(Self::Never);
        }
        duration(value).map(Self::Expires).map_err(|why| match why.starts_with("expected a ") {
            true => format!("expected {}", Self::expects()),
            false => why,
        })
    }

    fn show(&self) -> Value {
        self.duration().map_or_else(|| Value::from("never"), |duration| duration.show())
    }

    fn schema() -> Value {
        json!({
            "anyOf": [{ "type": "string" }, { "type": "integer", "minimum": 0 }, { "const": false }],
            "examples": ["15m", "30days", 900, "never"],
        })
    }
}

/// A difference between clocks: a number of seconds, or a duration with its unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leeway(pub Duration);

impl Setting for Leeway {
    fn expects() -> Cow<'static, str> {
        "a number of seconds or a duration with its unit, such as `30s`, at most `1day`".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        match duration(value) {
            Ok(leeway) if leeway <= Duration::from_secs(24 * 60 * 60) => Ok(Self(leeway)),
            _ => Err(format!("expected {}", Self::expects())),
        }
    }

    fn show(&self) -> Value {
        self.0.show()
    }

    fn schema() -> Value {
        json!({
            "anyOf": [{ "type": "string" }, { "type": "integer", "minimum": 0, "maximum": 86_400 }],
            "examples": ["30s", 10],
        })
    }

    fn check_bounds(&self, _: Bounds) -> Result<(), String> {
        Ok(())
    }
}

/// The claim that names the caller: `both`, or the name of one claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum IdentityClaim {
    /// `sub` and `identity`, so that either version of Flask-JWT-Extended reads the tokens.
    #[default]
    Both,
    /// A single claim: `sub` as in Flask-JWT-Extended 4, `identity` as in 3, or any other.
    Named(String),
}

impl IdentityClaim {
    /// Returns the claims that may name the caller, the first one first.
    pub(super) fn names(&self) -> (&str, Option<&str>) {
        match self {
            Self::Both => ("identity", Some("sub")),
            Self::Named(name) => (name, None),
        }
    }
}

impl Setting for IdentityClaim {
    fn expects() -> Cow<'static, str> {
        "`both`, or the name of a claim, such as `sub`".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        match value.as_str().map(str::trim) {
            Some("both") => Ok(Self::Both),
            // Refused, because a claim of that name is unlikely, and all tokens of Flask would be refused.
            Some(name) if name.eq_ignore_ascii_case("both") => {
                Err("expected `both` in small letters, or the name of a claim: write `both`".into())
            }
            Some(name) if !name.is_empty() => Ok(Self::Named(name.to_owned())),
            _ => Err(format!("expected {}", Self::expects())),
        }
    }

    fn show(&self) -> Value {
        match self {
            Self::Both => "both".into(),
            Self::Named(name) => name.as_str().into(),
        }
    }

    fn schema() -> Value {
        json!({ "type": "string", "minLength": 1, "examples": ["both", "sub", "identity"] })
    }
}

/// The text of a key (PEM). `<variable>_FILE` is not read for it, as `private_key_file` and
/// `public_key_file` are settings of their own.
#[derive(Clone)]
pub struct KeyText(SecretString);

impl KeyText {
    /// Returns the PEM text. A variable of one line has `\n` for the ends of lines.
    pub(super) fn pem(&self) -> Vec<u8> {
        self.0.expose_secret().replace("\\n", "\n").into_bytes()
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyText(***)")
    }
}

impl Setting for KeyText {
    const SECRET: bool = true;
    const FROM_FILE: bool = false;

    fn expects() -> Cow<'static, str> {
        "the text of a key (PEM)".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        SecretString::parse(value).map(Self).map_err(|_| format!("expected {}", Self::expects()))
    }

    fn show(&self) -> Value {
        self.0.show()
    }

    fn schema() -> Value {
        SecretString::schema()
    }
}

/// The methods whose requests need a CSRF token. Small letters count as capitals, and an empty text
/// means the default methods: a variable without a value must not switch the protection off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsrfMethods(pub Vec<Method>);

impl Default for CsrfMethods {
    fn default() -> Self {
        Self(vec![Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
    }
}

/// The methods of HTTP (RFC 9110, section 9, and RFC 5789).
const METHODS: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
    Method::CONNECT,
    Method::TRACE,
];

/// Reads a method as settings write it. Methods are case-sensitive, and those of HTTP are in capitals.
fn method(name: &str) -> Result<Method, String> {
    let known = METHODS.into_iter().find(|it| it.as_str().eq_ignore_ascii_case(name.trim()));
    known.ok_or_else(|| {
        let names = METHODS.map(|it| format!("`{it}`")).join(", ");
        format!("`{name}` is not a method of HTTP: write methods among {names}")
    })
}

impl Setting for CsrfMethods {
    fn expects() -> Cow<'static, str> {
        "a list of methods (in the environment separated by commas), such as `POST`".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        match value {
            Value::String(text) if text.trim().is_empty() => Ok(Self::default()),
            value => Vec::<String>::parse(value)?.iter().map(|name| method(name)).collect(),
        }
    }

    fn show(&self) -> Value {
        self.0.iter().map(Method::as_str).collect()
    }

    fn schema() -> Value {
        json!({ "anyOf": [Vec::<String>::schema(), { "const": "" }] })
    }
}

impl FromIterator<Method> for CsrfMethods {
    fn from_iter<I: IntoIterator<Item = Method>>(methods: I) -> Self {
        Self(methods.into_iter().collect())
    }
}

crate::setting_enum! {
    /// A part of a request that may carry a token.
    pub enum TokenLocation: default Headers {
        /// A header: `Authorization: Bearer`, unless `jwt.header_name` and `jwt.header_type` name another.
        Headers = "headers",
        /// A cookie: `access_token_cookie` or `refresh_token_cookie`, unless named otherwise.
        Cookies = "cookies",
        /// A parameter of the query: `?jwt=`, unless named otherwise.
        QueryString = "query_string",
        /// A member of a JSON body: `access_token` or `refresh_token`, unless named otherwise.
        Json = "json",
    }
}

crate::setting_enum! {
    /// The version of Flask-JWT-Extended whose messages and statuses refusals use where versions 3
    /// and 4 differ.
    pub enum FlaskVersion: default Version4 {
        /// Version 3.25, as in Gnar Gear.
        Version3 = "3",
        /// Version 4.7.
        Version4 = "4",
    }
}

crate::setting_enum! {
    /// The requests from other sites to which a browser adds the cookies.
    pub enum SameSite: default Lax {
        /// Requests from the same site only.
        Strict = "strict",
        /// Navigation to a page only, such as a followed link.
        Lax = "lax",
        /// Every request: needs `cookie_secure`.
        None = "none",
        /// The browser's own rule: the attribute is left out, as by default in Flask-JWT-Extended.
        Unset = "unset",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_a_duration_seconds_or_never() {
        let minute = Ok(Lifetime::Expires(Duration::from_secs(60)));
        for value in [json!("60s"), json!("1m"), json!(60), json!("60"), json!(" 60 ")] {
            assert_eq!(Lifetime::parse(&value), minute, "{value}");
        }
        for value in [json!(false), json!("False"), json!("never"), json!("NEVER")] {
            assert_eq!(Lifetime::parse(&value), Ok(Lifetime::Never), "{value}");
        }
        for value in [json!(true), json!("soon"), json!(-1), json!("5M"), json!(1.5), json!(null)] {
            assert!(Lifetime::parse(&value).is_err(), "{value}");
        }
        assert!(Lifetime::parse(&json!("99999999999999")).unwrap_err().contains("36500days"));
        for shown in [Lifetime::Never, Lifetime::Expires(Duration::from_secs(900))] {
            assert_eq!(Lifetime::parse(&shown.show()), Ok(shown));
        }
        let (short, long) = (Duration::from_secs(5).into(), Duration::from_secs(9).into());
        assert_eq!(Lifetime::min(long, short), short);
        assert_eq!(Lifetime::Never.min(long), long);
        assert_eq!(Lifetime::Never.min(Lifetime::Never), Lifetime::Never);
    }

    #[test]
    fn a_leeway_is_seconds_or_a_duration_of_up_to_a_day() {
        assert_eq!(Leeway::parse(&json!("10")), Ok(Leeway(Duration::from_secs(10))));
        assert_eq!(Leeway::parse(&json!("1day")), Ok(Leeway(Duration::from_secs(86_400))));
        for value in [json!("2days"), json!(86_401), json!(-1), json!("much"), json!(false)] {
            assert!(Leeway::parse(&value).unwrap_err().contains("at most `1day`"), "{value}");
        }
    }

    #[test]
    fn the_text_of_a_key_is_not_shown() {
        let key = KeyText::parse(&json!("-----BEGIN X-----\\nAA")).unwrap();
        assert_eq!(key.pem(), b"-----BEGIN X-----\nAA");
        assert_eq!((key.show(), format!("{key:?}")), (json!("***"), "KeyText(***)".into()));
        assert!(!KeyText::parse(&json!(12345)).unwrap_err().contains("12345"));
    }
}
