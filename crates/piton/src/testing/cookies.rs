//! The cookies that a [`TestApp`](super::TestApp) keeps between requests, if the test wants them.

use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderValue, Request, header};

/// Cookies by name and path (RFC 6265, section 5). Requests in memory have no host and no scheme, so
/// `Domain`, `Secure` and `SameSite` do not limit where a cookie is sent.
#[derive(Clone, Debug, Default)]
pub(super) struct CookieJar(Vec<StoredCookie>);

#[derive(Clone, Debug)]
struct StoredCookie {
    name: String,
    value: String,
    path: String,
}

impl CookieJar {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|cookie| cookie.name == name).map(|cookie| &*cookie.value)
    }

    /// Sets a cookie for all paths.
    pub fn set(&mut self, name: &str, value: &str) {
        let (name, value, path) = (name.to_owned(), value.to_owned(), "/".to_owned());
        self.replace(StoredCookie { name, value, path });
    }

    /// Stores the cookies of a response to a request of `path`; removes those that have expired.
    pub fn store(&mut self, path: &str, headers: &HeaderMap) {
        let lines = headers.get_all(header::SET_COOKIE).iter();
        for line in lines.filter_map(|line| line.to_str().ok()) {
            let Some((cookie, is_expired)) = parse(line, path) else { continue };
            if is_expired {
                self.remove(&cookie);
            } else {
                self.replace(cookie);
            }
        }
    }

    fn remove(&mut self, cookie: &StoredCookie) {
        self.0.retain(|other| (&other.name, &other.path) != (&cookie.name, &cookie.path));
    }

    fn replace(&mut self, cookie: StoredCookie) {
        self.remove(&cookie);
        self.0.push(cookie);
    }

    /// Adds the cookies of the request's path to its header, behind those of the test itself.
    pub fn add_to<B>(&self, request: &mut Request<B>) {
        let path = request.uri().path();
        let fitting = self.0.iter().filter(|cookie| is_within(path, &cookie.path));
        let mut pairs: Vec<_> =
            fitting.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        if pairs.is_empty() {
            return;
        }
        if let Some(own) = request.headers().get(header::COOKIE) {
            pairs.insert(0, String::from_utf8_lossy(own.as_bytes()).into_owned());
        }
        let value = HeaderValue::try_from(pairs.join("; ")).expect("cookies came from headers");
        request.headers_mut().insert(header::COOKIE, value);
    }
}

/// Parses a line of `Set-Cookie`, and returns whether it deletes the cookie.
fn parse(line: &str, request_path: &str) -> Option<(StoredCookie, bool)> {
    let mut parts = line.split(';').map(str::trim);
    let (name, value) = parts.next()?.split_once('=')?;
    let mut path = default_path(request_path);
    let (mut max_age, mut expires) = (None, None);
    for (attribute, value) in parts.filter_map(|part| part.split_once('=')) {
        match attribute.to_ascii_lowercase().as_str() {
            "path" if value.starts_with('/') => path = value,
            "max-age" => max_age = value.parse::<i64>().ok(),
            "expires" => expires = DateTime::parse_from_rfc2822(value).ok(),
            _ => {}
        }
    }
    // `Max-Age` has precedence (RFC 6265, section 5.3).
    let is_expired = match (max_age, expires) {
        (Some(seconds), _) => seconds <= 0,
        (None, Some(time)) => time <= Utc::now(),
        (None, None) => false,
    };
    let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
    Some((StoredCookie { name, value, path: path.to_owned() }, is_expired))
}

/// Returns the path of a cookie without one (RFC 6265, section 5.1.4).
fn default_path(request_path: &str) -> &str {
    match request_path.rfind('/') {
        None | Some(0) => "/",
        Some(end) => &request_path[..end],
    }
}

fn is_within(path: &str, cookie_path: &str) -> bool {
    path.strip_prefix(cookie_path)
        .is_some_and(|rest| rest.is_empty() || cookie_path.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jar(path: &str, lines: &[&str]) -> CookieJar {
        let mut jar = CookieJar::default();
        for line in lines {
            let mut headers = HeaderMap::new();
            headers.append(header::SET_COOKIE, line.parse().unwrap());
            jar.store(path, &headers);
        }
        jar
    }

    fn sent(jar: &CookieJar, path: &str) -> String {
        let mut request = Request::builder().uri(path).body(()).unwrap();
        jar.add_to(&mut request);
        let value = request.headers().get(header::COOKIE);
        value.map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn cookies_are_sent_to_their_paths() {
        let jar = jar("/user/login", &["a=1; Path=/; HttpOnly", "b=2", "c=3; path=/us"]);
        assert_eq!(sent(&jar, "/user/me?x=1"), "a=1; b=2");
        assert_eq!(sent(&jar, "/users"), "a=1");
        assert_eq!(sent(&jar, "/us"), "a=1; c=3");
    }

    #[test]
    fn a_cookie_is_replaced_and_deleted() {
        let past = "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
        assert_eq!(jar("/", &["a=1", "a=2"]).get("a"), Some("2"));
        assert_eq!(jar("/", &["a=1", "a=; Max-Age=0"]).get("a"), None);
        assert_eq!(jar("/", &["a=1", past]).get("a"), None);
        assert_eq!(
            jar("/", &["a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT"]).get("a"),
            Some("1")
        );
    }

    #[test]
    fn the_tests_own_cookies_come_first() {
        let jar = jar("/", &["a=1"]);
        let mut request = Request::builder().uri("/").header("cookie", "b=2").body(()).unwrap();
        jar.add_to(&mut request);
        assert_eq!(request.headers()[header::COOKIE], "b=2; a=1");
    }
}
