//! Refuses WebSockets that a page of another origin opens in its user's name.
//!
//! A browser sends cookies with every WebSocket and applies no CORS to it, so that the service itself
//! must compare the header `Origin` (RFC 6455, section 10.2). Other clients send none, and
//! have no cookies of another user.

use http::{HeaderMap, HeaderValue, header};

use crate::error::Error;
use crate::http::server::cors::{Cors, CorsSettings, Origins};

/// The origins whose pages may open a WebSocket.
pub(super) struct OriginPolicy {
    cors: Option<Cors>,
    /// Set if every page may, with cookies too: the default of development.
    is_open: bool,
}

impl OriginPolicy {
    pub fn new(settings: &CorsSettings, production: bool) -> Self {
        let is_open = settings.origins.is_none() && !production;
        Self { cors: Cors::new(settings, production), is_open }
    }

    /// Admits requests without an origin, of the service's own origin, and of those in
    /// `http.cors.origins`. `*` there admits only requests without cookies, as CORS does.
    ///
    /// # Errors
    /// 403 for any other origin.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Error> {
        let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
        if self.is_open || is_same_origin(origin, headers.get(header::HOST)) {
            return Ok(());
        }
        let has_cookies = headers.contains_key(header::COOKIE);
        let is_allowed = match self.cors.as_ref().map(|cors| &cors.origins) {
            None => false,
            Some(Origins::Everyone) => !has_cookies,
            Some(Origins::Listed(list)) => list.iter().any(|known| known.matches(origin)),
        };
        if is_allowed {
            return Ok(());
        }
        let cause = format!("the origin {origin:?} is not in http.cors.origins");
        let detail = "pages of this origin may not open a WebSocket here";
        Err(Error::forbidden(detail).caused_by(cause))
    }
}

/// Returns whether the origin's host and port are those of the request. Its scheme is not compared,
/// because TLS may end at a proxy.
fn is_same_origin(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let (Ok(origin), Some(Ok(host))) = (origin.to_str(), host.map(HeaderValue::to_str)) else {
        return false;
    };
    let (authority, default_port) = match origin.split_once("://") {
        Some(("https", authority)) => (authority, ":443"),
        Some(("http", authority)) => (authority, ":80"),
        _ => return false,
    };
    let plain = |authority: &str| {
        let authority = authority.to_ascii_lowercase();
        authority.strip_suffix(default_port).map(str::to_owned).unwrap_or(authority)
    };
    plain(authority) == plain(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(origin: &str, host: &str, cookie: bool) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
        if cookie {
            headers.insert(header::COOKIE, HeaderValue::from_static("session=1"));
        }
        headers
    }

    fn policy(origins: Option<&[&str]>, production: bool) -> OriginPolicy {
        let origins = origins.map(|list| list.iter().map(ToString::to_string).collect());
        OriginPolicy::new(&CorsSettings { origins, ..CorsSettings::default() }, production)
    }

    fn admits(policy: &OriginPolicy, origin: &str, host: &str, cookie: bool) -> bool {
        policy.check(&headers(origin, host, cookie)).is_ok()
    }

    #[test]
    fn production_admits_its_own_pages_only() {
        let closed = policy(None, true);
        assert!(closed.check(&HeaderMap::new()).is_ok());
        for (origin, host) in [
            ("https://shop.example", "shop.example"),
            ("https://shop.example", "shop.example:443"),
            ("http://shop.example:8080", "Shop.example:8080"),
            ("http://[::1]:5000", "[::1]:5000"),
        ] {
            assert!(admits(&closed, origin, host, true), "{origin} {host}");
        }
        for (origin, host) in [
            ("https://evil.example", "shop.example"),
            ("https://shop.example.evil", "shop.example"),
            ("https://shop.example:8443", "shop.example"),
            ("https://shop.example:80", "shop.example"),
            ("null", "shop.example"),
            ("file://", ""),
        ] {
            assert!(!admits(&closed, origin, host, false), "{origin} {host}");
        }
    }

    #[test]
    fn a_listed_origin_is_admitted_and_a_star_without_cookies_only() {
        let listed = policy(Some(&["https://app.example"]), true);
        assert!(admits(&listed, "https://app.example", "api.example", true));
        assert!(!admits(&listed, "https://evil.example", "api.example", false));
        let everyone = policy(Some(&["*"]), true);
        assert!(admits(&everyone, "https://evil.example", "api.example", false));
        assert!(!admits(&everyone, "https://evil.example", "api.example", true));
    }

    #[test]
    fn development_is_open() {
        assert!(admits(&policy(None, false), "http://localhost:3000", "localhost:5000", true));
    }
}
