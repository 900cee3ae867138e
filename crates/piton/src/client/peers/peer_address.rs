//! [`PeerAddress`]: host and port of a peer, and URLs below it.

use std::borrow::Cow;

use reqwest::Url;
use serde_json::{Value, json};

use crate::config::Setting;
use crate::config::types::address_settings::{expected_because, trimmed_text};
use crate::parse_address::{AddressError, host_port};

/// The address of a peer: `127.0.0.1:9402`, `tcp://10.0.0.1:80`, `https://billing.example.com:443`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerAddress(Url);

impl PeerAddress {
    /// Parses `host:port`, optionally after `tcp://`, `http://` or `https://`. The schemes `http` and
    /// `https` have default ports; `tcp` means `http`, because Kubernetes writes it for every port.
    pub fn read_text(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = text.trim().split_once("://").unwrap_or(("", text.trim()));
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let scheme = scheme.to_ascii_lowercase();
        if !["", "tcp", "http", "https"].contains(&&*scheme) {
            return Err(AddressError::UnknownScheme);
        }
        if rest.contains('@') {
            return Err(AddressError::Credentials);
        }
        if rest.contains('/') {
            return Err(AddressError::Path);
        }
        let (_, port) = host_port(rest)?;
        if port.is_none() && !matches!(&*scheme, "http" | "https") {
            return Err(AddressError::NoPort);
        }
        let scheme = if scheme == "https" { "https" } else { "http" };
        Url::parse(&format!("{scheme}://{rest}/")).map(Self).map_err(|_| AddressError::Host)
    }

    /// Returns the address as `host:port`, with `https://` before it for TLS.
    #[must_use]
    pub fn show_text(&self) -> String {
        let at = format!("{}:{}", self.0.host_str().unwrap_or_default(), port(&self.0));
        if self.0.scheme() == "https" { format!("https://{at}") } else { at }
    }

    /// Returns the URL of a path, which may have a query. The path cannot change the host.
    ///
    /// # Errors
    /// The path holds `..`, or is not valid.
    pub(super) fn join(&self, path: &str) -> Result<Url, &'static str> {
        let (bare, _) = path.split_once(['?', '#']).unwrap_or((path, ""));
        if bare.split(['/', '\\']).any(is_dot_segment) {
            return Err("the path holds `..`");
        }
        let path = path.strip_prefix('/').unwrap_or(path);
        let url = Url::parse(&format!("{}{path}", self.0)).map_err(|_| "invalid path")?;
        if url.origin() == self.0.origin() && url.username().is_empty() && url.password().is_none()
        {
            Ok(url)
        } else {
            Err("invalid path")
        }
    }
}

/// Returns whether a segment is `.` or `..`, also written as `%2e`. A path parameter with such a value would
/// lead to another resource than the caller meant.
fn is_dot_segment(segment: &str) -> bool {
    let plain = segment.to_ascii_lowercase().replace("%2e", ".");
    // Removed, because a URL parser ignores them.
    matches!(plain.replace(['\t', '\n', '\r'], "").trim(), "." | "..")
}

/// Returns the port, also the default one of the scheme.
pub fn port(url: &Url) -> u16 {
    url.port_or_known_default().unwrap_or_default()
}

impl Setting for PeerAddress {
    const ADDRESS: bool = true;

    fn expects() -> Cow<'static, str> {
        "an address with its port, such as `127.0.0.1:9402`".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        Self::read_text(trimmed_text::<Self>(value)?).map_err(expected_because::<Self>)
    }

    fn show(&self) -> Value {
        Value::from(self.show_text())
    }

    fn schema() -> Value {
        json!({ "type": "string", "examples": ["127.0.0.1:9402"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> PeerAddress {
        PeerAddress::read_text(text).unwrap_or_else(|why| panic!("{text} is an address: {why}"))
    }

    #[test]
    fn an_address_has_many_forms_and_always_a_port() {
        for (text, shown) in [
            ("127.0.0.1:9402", "127.0.0.1:9402"),
            ("tcp://10.0.0.1:80", "10.0.0.1:80"),
            ("tcp://10.0.0.1:80/", "10.0.0.1:80"),
            ("[::1]:80", "[::1]:80"),
            ("tcp://[::1]:8080", "[::1]:8080"),
            ("piste.default.svc:80", "piste.default.svc:80"),
            ("https://piste:8443", "https://piste:8443"),
            ("https://piste", "https://piste:443"),
            (" http://piste ", "piste:80"),
        ] {
            assert_eq!(address(text).show_text(), shown);
        }
        for text in [
            "",
            "80",
            "host",
            "host:",
            "host:x",
            "host:0",
            "host:70000",
            "::1",
            "a b:80",
            "a,b:80",
            "a..b:80",
            "999.1.1.1:80",
            "tcp://",
            "http://:80",
        ] {
            assert!(PeerAddress::read_text(text).is_err(), "{text}");
        }
        for text in ["redis://h:80", "ftp://h:80", "://h:80 ", "udp://h:1"] {
            let is_known = text.starts_with("://");
            let refused =
                PeerAddress::read_text(text).is_err_and(|it| it == AddressError::UnknownScheme);
            assert_eq!(refused, !is_known, "{text}");
        }
        for text in ["user:secret@host:80", "host:80/path", "host/path:80", "host?q:80", "host#:80"]
        {
            assert!(PeerAddress::read_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_cannot_change_the_host() {
        let base = address("127.0.0.1:9402");
        for (path, expected) in [
            ("", "/"),
            ("/", "/"),
            ("user/me", "/user/me"),
            ("/user/me?a=b&c=%20", "/user/me?a=b&c=%20"),
            ("//evil.org", "//evil.org"),
            ("///evil.org/x", "///evil.org/x"),
            ("@evil.org", "/@evil.org"),
            (":80@evil.org/", "/:80@evil.org/"),
            ("http://evil.org/", "/http://evil.org/"),
            ("\\\\evil.org", "///evil.org"),
            ("a?x=../y", "/a?x=../y"),
        ] {
            let url = base.join(path).expect(path);
            assert_eq!(url.as_str(), format!("http://127.0.0.1:9402{expected}"), "{path}");
        }
        for path in ["..", "a/../b", "a/%2E%2e/b", "./a", "a\\..\\b", ".\t./a"] {
            assert_eq!(base.join(path), Err("the path holds `..`"), "{path}");
        }
    }
}
