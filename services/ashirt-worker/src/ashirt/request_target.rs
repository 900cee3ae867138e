//! Request targets, written exactly as sent: the signed text and the sent text are the same.

use std::fmt;
use std::str::FromStr;

use http::Uri;

use super::error::Error;

/// Address of the backend: `http://backend:3000`, or `https://proxy.example/ashirt` behind a
/// reverse proxy.
///
/// ```
/// # use ashirt_worker::ashirt::BaseUrl;
/// assert!("http://backend:3000".parse::<BaseUrl>().is_ok());
/// let wrong = "http://backend:3000/".parse::<BaseUrl>().unwrap_err();
/// assert_eq!(wrong.to_string(), "the backend's address ends with `/`: leave it out");
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BaseUrl {
    https: bool,
    authority: String,
    prefix: String,
}

impl BaseUrl {
    /// Returns host and port as configured. The port is missing if it is the scheme's default.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Returns whether connections are encrypted.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// Returns the address of a target, which `hyper` sends unchanged.
    pub(super) fn uri(&self, target: &str) -> Result<Uri, Error> {
        let scheme = if self.https { "https" } else { "http" };
        let path = format!("{}{target}", self.prefix);
        let uri = Uri::builder().scheme(scheme).authority(&*self.authority).path_and_query(path);
        uri.build()
            .map_err(|error| Error::invalid("the target makes no valid URL").with_source(error))
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.prefix)
    }
}

impl FromStr for BaseUrl {
    type Err = Error;

    /// # Errors
    /// `Invalid` says what does not belong there, and repeats nothing of the address: it may hold a password.
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |what: &str| Err(Error::invalid(format!("the backend's address {what}")));
        if text.contains(['?', '#']) {
            return wrong("has a query or a fragment: give scheme, host, port and at most a path");
        }
        let Some(uri) = text.parse::<Uri>().ok().filter(|_| text.is_ascii()) else {
            return wrong("is not a valid URL: write it as http://backend:3000");
        };
        let https = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(_) => return wrong("is neither http:// nor https://"),
            None => return wrong("has no scheme: write it as http://backend:3000"),
        };
        let Some(authority) = uri.authority().filter(|authority| !authority.host().is_empty())
        else {
            return wrong("has no host");
        };
        if authority.as_str().contains('@') {
            return wrong("contains a user or a password, which is not used: leave it out");
        }
        if authority.port().is_none() && authority.as_str() != authority.host() {
            return wrong("has an invalid port");
        }
        if text.ends_with('/') {
            return wrong("ends with `/`: leave it out");
        }
        let prefix = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { https, authority: authority.to_string(), prefix })
    }
}

/// Joins segments under `/api`, each percent-encoded once.
///
/// # Errors
/// `Invalid` if one is empty: the path would be that of another route.
pub(super) fn path(segments: &[&str]) -> Result<String, Error> {
    let mut path = String::from("/api");
    for segment in segments {
        if segment.is_empty() {
            return Err(Error::invalid("an operation's slug and an evidence's uuid are not empty"));
        }
        path.push('/');
        push_segment(&mut path, segment);
    }
    Ok(path)
}

/// Encodes a query value.
pub(super) fn query_value(value: &str) -> String {
    let mut encoded = String::new();
    push_encoded(&mut encoded, value, is_unreserved);
    encoded
}

fn push_segment(path: &mut String, segment: &str) {
    // Encoded, because proxies and servers resolve dot segments, and the received path would not be
    // the signed one.
    if let "." | ".." = segment {
        path.push_str(&segment.replace('.', "%2E"));
    } else {
        push_encoded(path, segment, is_plain_in_a_path);
    }
}

/// Returns whether Go writes the byte unencoded in a path. A path that is encoded differently is
/// not decoded by the backend's router before it looks for the slug.
fn is_plain_in_a_path(byte: u8) -> bool {
    is_unreserved(byte) || b"$&+,:;=@".contains(&byte)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)
}

fn push_encoded(to: &mut String, text: &str, is_plain: fn(u8) -> bool) {
    for byte in text.bytes() {
        if is_plain(byte) {
            to.push(char::from(byte));
        } else {
            to.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_segment_is_encoded_once() {
        for (slug, sent) in [
            ("op", "/api/operations/op"),
            ("two words", "/api/operations/two%20words"),
            ("100%", "/api/operations/100%25"),
            ("%2d", "/api/operations/%252d"),
            ("a#b?c/d", "/api/operations/a%23b%3Fc%2Fd"),
            (".", "/api/operations/%2E"),
            ("..", "/api/operations/%2E%2E"),
            ("...", "/api/operations/..."),
            ("é", "/api/operations/%C3%A9"),
            ("a:b&c=d+e@f", "/api/operations/a:b&c=d+e@f"),
            ("a!*'()[]", "/api/operations/a%21%2A%27%28%29%5B%5D"),
            ("a\r\nb\0\u{7f}\"\\", "/api/operations/a%0D%0Ab%00%7F%22%5C"),
        ] {
            let path = path(&["operations", slug]).unwrap();
            assert_eq!(path, sent);
            let base: BaseUrl = "http://backend:3000/pre%2Dfix".parse().unwrap();
            let uri = base.uri(&path).unwrap();
            assert_eq!(uri.path_and_query().unwrap().as_str(), format!("/pre%2Dfix{sent}"));
        }
    }

    #[test]
    fn an_empty_segment_is_refused() {
        assert!(path(&["operations", "", "evidence"]).is_err());
    }

    #[test]
    fn a_value_of_a_query_cannot_begin_another() {
        assert_eq!(query_value("tag:\"foo bar\""), "tag%3A%22foo%20bar%22");
        assert_eq!(query_value("a&b=c#d+é"), "a%26b%3Dc%23d%2B%C3%A9");
    }

    #[test]
    fn an_address_that_would_not_work_is_refused_with_the_reason() {
        for (address, said) in [
            ("", "is not a valid URL"),
            ("backend", "has no scheme"),
            ("/api", "has no scheme"),
            ("backend:3000", "has no scheme"),
            ("ftp://backend", "is neither"),
            ("http://", "is not a valid URL"),
            ("http://:3000", "has no host"),
            ("http://backend:99999", "has an invalid port"),
            ("http://backend:", "has an invalid port"),
            ("http://user:s3cret@backend", "contains a user"),
            ("http://backend/", "ends with `/`"),
            ("http://backend/ashirt/", "ends with `/`"),
            ("http://backend?x=s3cret", "has a query"),
            ("http://backend/#x", "has a query or a fragment"),
            ("http://backend/with blank", "is not a valid URL"),
            ("http://backend/é", "is not a valid URL"),
        ] {
            let error = address.parse::<BaseUrl>().expect_err(address).to_string();
            assert!(error.contains(said), "{address}: {error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn an_address_is_kept_as_it_was_given() {
        for address in
            ["http://backend", "https://backend:8443", "http://[::1]:3000", "http://proxy/ashirt"]
        {
            assert_eq!(address.parse::<BaseUrl>().unwrap().to_string(), address);
        }
    }
}
