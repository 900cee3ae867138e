//! Parses hosts, ports and URLs.
//!
//! By hand, because the libraries behind the settings disagree about what an address is: the URL
//! standard accepts a host `h1,h2`, the name lookup accepts `host/path`, and both fail only at the first
//! connection. Everything is therefore checked here, at launch. No error repeats the text, because a
//! password may stand anywhere in it.

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The reason why a text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressError {
    /// The text is empty.
    Empty,
    /// The text contains a space or a control character.
    Space,
    /// A URL without `scheme://`.
    NoScheme,
    /// A scheme that is not supported.
    UnknownScheme,
    /// A scheme where only a host is expected.
    Url,
    /// No host.
    NoHost,
    /// Several hosts, separated by commas.
    SeveralHosts,
    /// The host is neither a name nor an IP address.
    Host,
    /// An IPv6 address without brackets, where a port could follow.
    Brackets,
    /// The port is not a number from 1 to 65535.
    Port,
    /// No port, where one is needed.
    NoPort,
    /// A user name or a password where none is used.
    Credentials,
    /// A character in the user name or password that must be percent-encoded.
    Encoding,
    /// A path where none is used.
    Path,
    /// A query where none is used.
    Query,
    /// A fragment (`#`), which is never sent.
    Fragment,
}

impl AddressError {
    /// Returns the reason in words, a fragment whose subject is the address.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Empty => "it is empty",
            Self::Space => "it contains a space or a control character",
            Self::NoScheme => "it has no scheme",
            Self::UnknownScheme => "its scheme is not supported",
            Self::Url => "it is a URL, and only a host is expected",
            Self::NoHost => "it names no host",
            Self::SeveralHosts => "it names several hosts",
            Self::Host => {
                "its host is neither a name (letters of ASCII, digits, `-`, `_`, `.`) nor an IP address"
            }
            Self::Brackets => "an IPv6 address must be in brackets, as `[::1]`",
            Self::Port => "its port is not a number from 1 to 65535",
            Self::NoPort => "it has no port",
            Self::Credentials => "it contains a user name or a password, which are not used here",
            Self::Encoding => {
                "its user name or password contains a character that must be percent-encoded, such as `%2F` for `/`, `%23` for `#`, `%3F` for `?`, `%40` for `@` and `%25` for `%`"
            }
            Self::Path => "it has a path, which is not used here",
            Self::Query => "it has a query (`?`), which is not used here",
            Self::Fragment => "it has a fragment (`#`), which is never sent",
        }
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for AddressError {}

/// A URL in its parts. Nothing is percent-decoded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UrlParts<'a> {
    pub scheme: &'a str,
    /// The text before the `@`.
    pub credentials: Option<&'a str>,
    /// The host, without the brackets of an IPv6 address.
    pub host: &'a str,
    pub port: Option<u16>,
    /// Empty, or with its leading `/`.
    pub path: &'a str,
    pub query: Option<&'a str>,
    pub fragment: Option<&'a str>,
}

impl<'a> UrlParts<'a> {
    /// Parses `scheme://user:password@host:port/path?query#fragment`.
    pub fn parse(text: &'a str) -> Result<Self, AddressError> {
        let (scheme, authority, rest) = scheme_and_authority(text)?;
        let (credentials, place) = match authority.rsplit_once('@') {
            Some((credentials, place)) => (Some(credentials), place),
            None => (None, authority),
        };
        // Refused, because a URL parser ends the host at the first of `/?#`. If a password contains one,
        // its part before that would be taken for the host, and shown.
        let hidden = credentials.is_none() && place.contains(':') && rest.contains('@');
        let hidden = hidden && !place.contains(',');
        if hidden || credentials.is_some_and(|it| !is_encoded(it)) {
            return Err(AddressError::Encoding);
        }
        let (host, port) = host_port(place)?;
        let (rest, fragment) = cut(rest, '#');
        let (path, query) = cut(rest, '?');
        Ok(Self { scheme, credentials, host, port, path, query, fragment })
    }
}

/// Returns the scheme, the authority, and what follows from the first of `/?#`.
pub(crate) fn scheme_and_authority(text: &str) -> Result<(&str, &str, &str), AddressError> {
    if text.is_empty() {
        return Err(AddressError::Empty);
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(AddressError::Space);
    }
    let (scheme, rest) = text.split_once("://").ok_or(AddressError::NoScheme)?;
    let of_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    if scheme.is_empty() || !scheme.chars().all(of_scheme) {
        return Err(AddressError::NoScheme);
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    Ok((scheme, &rest[..end], &rest[end..]))
}

/// Returns the text before `at`, and the text after it.
pub(crate) fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

/// Returns whether a user name and password are valid in a URL: each `%` begins an encoded byte,
/// and the decoded bytes are UTF-8.
fn is_encoded(credentials: &str) -> bool {
    let (mut bytes, mut rest) = (Vec::with_capacity(credentials.len()), credentials.as_bytes());
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte == b'@' {
            return false;
        }
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) else {
            return false;
        };
        bytes.push(byte);
        rest = &after[2..];
    }
    String::from_utf8(bytes).is_ok()
}

/// Returns the host (without brackets) and port of `host`, `host:port`, `[::1]`, `[::1]:port`.
pub(crate) fn host_port(place: &str) -> Result<(&str, Option<u16>), AddressError> {
    if place.is_empty() {
        return Err(AddressError::NoHost);
    }
    if place.contains(',') {
        return Err(AddressError::SeveralHosts);
    }
    if let Some(inner) = place.strip_prefix('[') {
        let (host, rest) = inner.split_once(']').ok_or(AddressError::Host)?;
        if host.parse::<Ipv6Addr>().is_err() {
            return Err(AddressError::Host);
        }
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(self::port(port)?))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(AddressError::Port),
        };
    }
    let (host, port) = match place.matches(':').count() {
        0 => (place, None),
        1 => {
            let (host, port) = place.split_once(':').unwrap_or((place, ""));
            (host, Some(port))
        }
        _ => return Err(AddressError::Brackets),
    };
    if host.is_empty() {
        return Err(AddressError::NoHost);
    }
    if !is_host(host) {
        return Err(AddressError::Host);
    }
    Ok((host, port.map(self::port).transpose()?))
}

fn port(text: &str) -> Result<u16, AddressError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| digits && *port != 0);
    port.ok_or(AddressError::Port)
}

/// Returns whether `host` is a host name or an IPv4 address. Underscores are allowed, since names
/// of containers have them.
pub(crate) fn is_host(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    // The URL standard treats a host that ends with a number as an IPv4 address, or as invalid.
    // The URL standard parses a host whose last label is a number, also a hexadecimal one such as `0x7f000001`,
    // as an IPv4 address, or rejects it.
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let is_numeric = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit())
        || hex.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if is_numeric {
        return host.parse::<Ipv4Addr>().is_ok();
    }
    name.len() <= 253 && name.split('.').all(label)
}

/// Returns the URL with its scheme in lower case. Schemes are case-insensitive (RFC 3986, section 3.1).
pub(crate) fn lowercase_scheme(text: &str) -> Cow<'_, str> {
    match text.split_once("://") {
        Some((scheme, rest)) if scheme.contains(|c: char| c.is_ascii_uppercase()) => {
            format!("{}://{rest}", scheme.to_ascii_lowercase()).into()
        }
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_comes_apart() {
        let parts = UrlParts::parse("rediss://me:p%40s@[::1]:6380/0?a=b#c").unwrap();
        let all = UrlParts {
            scheme: "rediss",
            credentials: Some("me:p%40s"),
            host: "::1",
            port: Some(6380),
            path: "/0",
            query: Some("a=b"),
            fragment: Some("c"),
        };
        assert_eq!(parts, all);
        let bare = UrlParts::parse("http://a").unwrap();
        assert_eq!((bare.path, bare.query, bare.port), ("", None, None));
    }
}
