//! Parses the origins in `http.cors.origins`: each is one origin, or all subdomains of one.
//!
//! A browser sends an origin in one form only
//! (<https://html.spec.whatwg.org/#ascii-serialisation-of-an-origin>): in small letters, without a
//! path, without the default port of the scheme. A setting in another form would never match, so it
//! is refused with the form to write.

use crate::parse_address::{AddressError, host_port, is_host};
use crate::secrets::redact_credentials;
use std::net::Ipv6Addr;

use http::HeaderValue;

/// One entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AllowedOrigin {
    /// `*`.
    Any,
    /// `https://app.example.org`, or `null`.
    Exact(HeaderValue),
    /// `https://*.example.org`: every name below, at any depth, and not `example.org` itself.
    Subdomains { scheme: &'static str, suffix: String },
}

/// The reason why an entry is refused, and the fix.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OriginError {
    pub why: String,
    pub fix: String,
}

impl AllowedOrigin {
    /// Parses an entry of the list.
    pub fn parse(written: &str) -> Result<Self, OriginError> {
        let shown = redact_credentials(written);
        let refused = |why: &str, fix: String| {
            Err(OriginError { why: format!("`{shown}` {why}"), fix: format!("write `{fix}`") })
        };
        const EXAMPLE: &str = "https://app.example.org";
        match written {
            "*" => return Ok(Self::Any),
            "null" => return Ok(Self::Exact(HeaderValue::from_static("null"))),
            _ => {}
        }
        if written.contains("://") && written.contains(',') {
            return refused(
                "is more than one origin",
                "[\"https://a.example\", \"https://b.example\"]".into(),
            );
        }
        if let Some(canonical) = app_origin(written.trim()) {
            return match HeaderValue::from_str(&canonical) {
                Ok(value) if canonical == written => Ok(Self::Exact(value)),
                _ => refused("is not as it is sent (small letters, no path)", canonical),
            };
        }
        let Some(parts) = Parts::of(written.trim()) else {
            return refused("is not an origin of `http://` or `https://`", EXAMPLE.into());
        };
        let (host, wild) = match parts.host.strip_prefix("*.") {
            Some(rest) => (rest, true),
            None => (&*parts.host, false),
        };
        if host.contains('*') {
            let why = "has a `*` where none is possible: it stands for the names below a domain, at the front";
            return refused(why, "https://*.example.org".into());
        }
        if !host.is_ascii() {
            let why = "is not in ASCII, in which browsers send it: convert the name to punycode (`xn--..`)";
            return refused(why, "https://xn--bcher-kva.example".into());
        }
        let place = match parts.port {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let (name, port) = match host_port(&place) {
            Ok((name, port)) => (name.to_ascii_lowercase(), port),
            Err(AddressError::Brackets) => {
                return refused(
                    "has an IPv6 address without brackets",
                    "https://[::1]:3000".into(),
                );
            }
            Err(why) => return refused(&format!("is not an origin: {why}"), EXAMPLE.into()),
        };
        let name = match name.parse::<Ipv6Addr>() {
            Ok(address) => format!("[{}]", as_browsers_write(address)),
            Err(_) => name,
        };
        let port = port.filter(|port| *port != parts.default_port());
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let star = if wild { "*." } else { "" };
        let canonical = format!("{}://{star}{name}{port}", parts.scheme);
        // A wildcard below a top-level domain would admit everybody; `localhost` is this machine.
        let is_top = !name.trim_end_matches('.').contains('.') && name != "localhost";
        let is_ip = !is_host(&name)
            || name.ends_with(|c: char| c.is_ascii_digit())
                && name.parse::<std::net::Ipv4Addr>().is_ok();
        if wild && (is_top || is_ip) {
            let why = "covers all names below a top-level domain or an IP address";
            return refused(why, "https://*.example.org".into());
        }
        if canonical != written {
            let why = "is not as browsers send it (small letters, no path, no default port, no `/` at the end)";
            return refused(why, canonical);
        }
        if wild {
            return Ok(Self::Subdomains { scheme: parts.scheme, suffix: format!(".{name}{port}") });
        }
        match HeaderValue::from_str(&canonical) {
            Ok(value) => Ok(Self::Exact(value)),
            Err(_) => refused("is not an origin", EXAMPLE.into()),
        }
    }

    /// Returns whether a request's `AllowedOrigin` matches.
    pub fn matches(&self, origin: &HeaderValue) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(known) => known == origin,
            Self::Subdomains { scheme, suffix } => {
                let below = origin.to_str().ok().and_then(|origin| {
                    origin.strip_prefix(scheme)?.strip_prefix("://")?.strip_suffix(&**suffix)
                });
                // Only characters of a name may remain, because any others could change the host.
                below.is_some_and(|name| {
                    let plain = |byte: u8| {
                        byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte)
                    };
                    name.bytes().all(plain) && !name.split('.').any(str::is_empty)
                })
            }
        }
    }
}

/// Returns the origin of an app in a web view or of a browser's extension, as it is sent. `None` for
/// other schemes and for hosts that are not one name.
fn app_origin(text: &str) -> Option<String> {
    const SCHEMES: [&str; 6] = [
        "capacitor",
        "ionic",
        "tauri",
        "chrome-extension",
        "moz-extension",
        "safari-web-extension",
    ];
    let (scheme, rest) = text.split_once("://")?;
    let scheme = SCHEMES.iter().find(|known| known.eq_ignore_ascii_case(scheme))?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // The ids of Safari's extensions are in capitals.
    let host = if *scheme == "safari-web-extension" { host.into() } else { host.to_lowercase() };
    is_host(&host).then(|| format!("{scheme}://{host}"))
}

/// Returns an IPv6 address as the URL standard writes it: never with an IPv4 address at its end.
fn as_browsers_write(address: Ipv6Addr) -> String {
    match (address.to_ipv4_mapped(), address.segments()) {
        (Some(_), [.., high, low]) => format!("::ffff:{high:x}:{low:x}"),
        (None, _) => address.to_string(),
    }
}

/// The parts of an origin, with those that do not belong to one removed.
struct Parts<'a> {
    scheme: &'static str,
    host: std::borrow::Cow<'a, str>,
    port: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// Returns `None` for an unsupported scheme. Text without a scheme is read as `https`.
    fn of(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://").unwrap_or_else(|| {
            // What is developed on this machine is rarely served by TLS.
            let host = text.trim_end_matches(|c: char| c.is_ascii_digit() || c == '/');
            let host = host.trim_end_matches(':');
            let is_loopback = matches!(host, "localhost" | "[::1]") || text.starts_with("127.");
            (if is_loopback { "http" } else { "https" }, text)
        });
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => "http",
            "https" => "https",
            _ => return None,
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if host.ends_with(']') || !host.contains(':') => (host, Some(port)),
            _ => (place, None),
        };
        Some(Self { scheme, host: host.to_lowercase().into(), port })
    }

    fn default_port(&self) -> u16 {
        if self.scheme == "https" { 443 } else { 80 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(written: &str, origin: &'static str) -> bool {
        AllowedOrigin::parse(written).unwrap().matches(&HeaderValue::from_static(origin))
    }

    #[test]
    fn an_origin_is_written_as_browsers_send_it() {
        for good in [
            "*",
            "null",
            "https://a.example",
            "http://localhost:3000",
            "http://127.0.0.1:8080",
            "http://[::1]:3000",
            "https://a.example:80",
            "http://a.example:443",
            "https://xn--bcher-kva.example",
            "https://*.example.org",
            "https://*.app.example.org:8443",
            "http://*.localhost:3000",
            "http://[::ffff:102:304]",
            "capacitor://localhost",
            "ionic://localhost",
            "tauri://localhost",
            "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
            "moz-extension://0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f",
        ] {
            assert!(AllowedOrigin::parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn what_could_never_match_is_refused_with_what_to_write() {
        for (wrong, fix) in [
            ("a.example", "https://a.example"),
            ("a.example:8080", "https://a.example:8080"),
            ("localhost:3000", "http://localhost:3000"),
            ("127.0.0.1:3000", "http://127.0.0.1:3000"),
            ("[::1]:3000", "http://[::1]:3000"),
            ("http://[::ffff:1.2.3.4]", "http://[::ffff:102:304]"),
            ("http://0x7f000001", "https://app.example.org"),
            ("http://a.0x10", "https://app.example.org"),
            ("capacitor://localhost/", "capacitor://localhost"),
            ("TAURI://localhost", "tauri://localhost"),
            ("chrome-extension://*", "https://app.example.org"),
            ("https://A.Example", "https://a.example"),
            ("HTTPS://a.example", "https://a.example"),
            ("https://a.example:443", "https://a.example"),
            ("http://a.example:80", "http://a.example"),
            ("https://a.example:08443", "https://a.example:8443"),
            ("https://a.example/", "https://a.example"),
            ("https://a.example/app", "https://a.example"),
            ("https://a.example?x", "https://a.example"),
            ("https://a.example#x", "https://a.example"),
            (" https://a.example", "https://a.example"),
            ("https://me:hunter2@a.example", "https://a.example"),
            ("https://[0:0::1]:3000", "https://[::1]:3000"),
            ("https://*.Example.org/", "https://*.example.org"),
            ("*.example.org", "https://*.example.org"),
            ("NULL", "https://null"),
            ("https://", "https://app.example.org"),
            ("ftp://a", "https://app.example.org"),
            ("", "https://app.example.org"),
            ("https://a.example:", "https://app.example.org"),
            ("https://a.example:0", "https://app.example.org"),
            ("https://a.example:99999", "https://app.example.org"),
            ("https://a b", "https://app.example.org"),
            ("https://::1", "https://[::1]:3000"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            ("https://*", "https://*.example.org"),
            ("https://a.*.org", "https://*.example.org"),
            ("https://app-*.example.org", "https://*.example.org"),
            ("https://*example.org", "https://*.example.org"),
            ("https://*.*.example.org", "https://*.example.org"),
            ("https://*.org", "https://*.example.org"),
            ("https://*.10.0.0.1", "https://*.example.org"),
            ("https://*.[::1]", "https://*.example.org"),
            ("https://a.example:*", "https://app.example.org"),
        ] {
            let refused = AllowedOrigin::parse(wrong).expect_err(wrong);
            assert_eq!(refused.fix, format!("write `{fix}`"), "{wrong}: {}", refused.why);
            assert!(!refused.why.contains("hunter2"), "{}", refused.why);
        }
        assert!(AllowedOrigin::parse("https://a.example,https://b.example").is_err());
    }

    #[test]
    fn subdomains_are_below_and_never_beside_or_above() {
        let wild = "https://*.example.org";
        for good in ["https://a.example.org", "https://a.b.example.org", "https://x-1.example.org"]
        {
            assert!(matches(wild, good), "{good}");
        }
        for wrong in [
            "https://example.org",
            "https://.example.org",
            "https://evil-example.org",
            "https://evilexample.org",
            "http://a.example.org",
            "https://a.example.org:8443",
            "https://a.example.org.evil",
            "https://a..example.org",
            "https://evil/.example.org",
            "https://evil#.example.org",
            "https://me@.example.org",
            "https://evil:1.example.org",
            "https://A.example.org",
            "null",
        ] {
            assert!(!matches(wild, wrong), "{wrong}");
        }
        assert!(matches("https://*.example.org:8443", "https://a.example.org:8443"));
        assert!(!matches("https://*.example.org:8443", "https://a.example.org"));
        assert!(matches("https://a.example", "https://a.example"));
        assert!(!matches("https://a.example", "https://b.a.example"));
    }
}
