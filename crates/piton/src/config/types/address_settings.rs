//! Settings that are addresses: [`HostPort`], [`HttpUrl`].

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use serde_json::{Value, json};

use crate::config::setting::Setting;
use crate::parse_address::{
    AddressError, UrlParts, host_port, lowercase_scheme, scheme_and_authority,
};

/// A host with an optional port: `cache`, `cache:6379`, `10.0.0.1`, `[::1]:6379`, `::1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    host: String,
    port: Option<u16>,
}

impl HostPort {
    /// Returns the host: a name or an IP address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port, if one is written.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }
}

impl FromStr for HostPort {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let wrong = |c: char| c.is_whitespace() || c.is_control();
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        if text.contains("://") {
            return Err(AddressError::Url);
        }
        if text.contains('@') {
            return Err(AddressError::Credentials);
        }
        if text.contains(wrong) {
            return Err(AddressError::Space);
        }
        if text.contains('/') {
            return Err(AddressError::Path);
        }
        if text.parse::<Ipv6Addr>().is_ok() {
            return Ok(Self { host: text.to_owned(), port: None });
        }
        let (host, port) = host_port(text)?;
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            None => f.write_str(&self.host),
            Some(port) if self.host.contains(':') => write!(f, "[{}]:{port}", self.host),
            Some(port) => write!(f, "{}:{port}", self.host),
        }
    }
}

impl Setting for HostPort {
    const ADDRESS: bool = true;

    fn expects() -> Cow<'static, str> {
        "a host, or a host with its port, such as `server` or `server:1234`".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        parse(value)
    }

    fn show(&self) -> Value {
        Value::from(self.to_string())
    }

    fn schema() -> Value {
        json!({ "type": "string", "minLength": 1 })
    }
}

/// An HTTP address: `http` or `https`, a host, and optionally a port, a path and a query.
/// Credentials are refused, because addresses are logged.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpUrl(String);

impl HttpUrl {
    /// Returns the whole address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the address has a query, so that no path can be added to it.
    #[must_use]
    pub fn has_query(&self) -> bool {
        self.0.contains('?')
    }
}

impl FromStr for HttpUrl {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let lower = lowercase_scheme(text);
        let (scheme, ..) = scheme_and_authority(&lower)?;
        if !["http", "https"].contains(&scheme) {
            return Err(AddressError::UnknownScheme);
        }
        let parts = UrlParts::parse(text)?;
        if parts.credentials.is_some() {
            return Err(AddressError::Credentials);
        }
        if parts.fragment.is_some() {
            return Err(AddressError::Fragment);
        }
        // For the characters of path and query, because everything else has been checked above.
        if text.parse::<http::Uri>().is_err() {
            return Err(AddressError::Path);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Setting for HttpUrl {
    const ADDRESS: bool = true;

    fn expects() -> Cow<'static, str> {
        "an address such as `https://example.org`, without user and password".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        parse(value)
    }

    fn show(&self) -> Value {
        Value::from(self.as_str())
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://[^@]+$" })
    }
}

/// Returns "expected ..: " and the reason why a value was rejected.
pub(crate) fn expected_because<T: Setting>(why: impl fmt::Display) -> String {
    format!("expected {}: {why}", T::expects())
}

fn parse<T: Setting + FromStr<Err = AddressError>>(value: &Value) -> Result<T, String> {
    trimmed_text::<T>(value)?.parse().map_err(expected_because::<T>)
}

/// Returns the text of an address, trimmed.
///
/// # Errors
/// The value is not a text.
pub(crate) fn trimmed_text<T: Setting>(value: &Value) -> Result<&str, String> {
    let text = value.as_str().map(str::trim);
    text.ok_or_else(|| format!("expected text in quotes: {}", T::expects()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_may_have_a_port_and_nothing_else() {
        for (text, host, port) in [
            ("cache", "cache", None),
            (" cache:6379 ", "cache", Some(6379)),
            ("my_cache-1.svc.cluster.local.", "my_cache-1.svc.cluster.local.", None),
            ("10.0.0.1:1", "10.0.0.1", Some(1)),
            ("::1", "::1", None),
            ("[::1]", "::1", None),
            ("[fd00::2]:65535", "fd00::2", Some(65535)),
        ] {
            let found: HostPort = text.parse().unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!((found.host(), found.port()), (host, port), "{text}");
            assert_eq!(found.to_string().parse(), Ok(found), "{text}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused_with_the_reason() {
        use AddressError as E;
        for (text, why) in [
            ("", E::Empty),
            ("  ", E::Empty),
            ("a b", E::Space),
            ("a\tb", E::Space),
            ("redis://a", E::Url),
            ("me:hunter2@a", E::Credentials),
            ("me@a:1", E::Credentials),
            ("a/b", E::Path),
            ("/run/redis.sock", E::Path),
            ("a:1/0", E::Path),
            ("a,b", E::SeveralHosts),
            ("a:1,b:2", E::SeveralHosts),
            ("a:", E::Port),
            ("a:0", E::Port),
            ("a:abc", E::Port),
            ("a:99999", E::Port),
            ("a:-1", E::Port),
            ("a:+1", E::Port),
            (":6379", E::NoHost),
            ("a:1:2", E::Brackets),
            ("::1:99999", E::Brackets),
            ("[::1", E::Host),
            ("[a]:1", E::Host),
            ("[::1]x", E::Port),
            ("[::1]:", E::Port),
            ("a..b", E::Host),
            (".a", E::Host),
            ("-a", E::Host),
            ("a-", E::Host),
            ("bücher", E::Host),
            ("a?b", E::Host),
            ("a#b", E::Host),
            ("999.1.1.1", E::Host),
            ("1.2.3", E::Host),
            ("6379", E::Host),
            ("${HOST}", E::Host),
        ] {
            assert_eq!(text.parse::<HostPort>(), Err(why), "{text}");
        }
        assert!(format!("{}.x", "a".repeat(64)).parse::<HostPort>().is_err());
    }

    #[test]
    fn an_address_of_http_has_a_host_and_no_credentials() {
        use AddressError as E;
        for good in [
            "http://127.0.0.1:4566",
            "https://api.example.org/graphql?x=1",
            "HTTP://a_b:1/",
            "https://[::1]:8443/x",
        ] {
            assert!(good.parse::<HttpUrl>().is_ok(), "{good}");
        }
        for (text, why) in [
            ("", E::Empty),
            ("a.example", E::NoScheme),
            ("a:80", E::NoScheme),
            ("://a", E::NoScheme),
            ("ftp://a", E::UnknownScheme),
            ("tcp://a:1", E::UnknownScheme),
            ("http://", E::NoHost),
            ("http:///x", E::NoHost),
            ("http://?x", E::NoHost),
            ("http://:80", E::NoHost),
            ("http://a:", E::Port),
            ("http://a:0", E::Port),
            ("http://a:x", E::Port),
            ("http://a:65536/x", E::Port),
            ("http://me:hunter2@a", E::Credentials),
            ("http://me@a", E::Credentials),
            ("http://me:p/w@a", E::Encoding),
            ("http://me:p#w@a", E::Encoding),
            ("http://me:p@w@a", E::Encoding),
            ("http://me:100%@a", E::Encoding),
            ("http://a/#x", E::Fragment),
            ("http://a b/", E::Space),
            ("http://a/b c", E::Space),
            ("http://a,b", E::SeveralHosts),
            ("http://a..b", E::Host),
            ("http://::1", E::Brackets),
        ] {
            assert_eq!(text.parse::<HttpUrl>(), Err(why), "{text}");
        }
    }
}
