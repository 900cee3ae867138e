//! The cookies that keep tokens in a browser.

use std::fmt::Write as _;
use std::time::Duration;

use axum::response::{IntoResponseParts, ResponseParts};
use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderValue, header};

use super::claims::TokenType;
use super::setting_types::SameSite;
use super::settings::JwtSettings;
use crate::http::Error;
use crate::parse_address::is_host;

/// `Max-Age` of the cookie of a token that never expires: a year, as in Flask-JWT-Extended. Browsers
/// cap it at about that (RFC 6265bis).
const MAX_COOKIE_AGE: Duration = Duration::from_secs(31_540_000);

/// The last second of the year 9999, in seconds since 1970.
const LAST_SECOND: i64 = 253_402_300_799;

/// The cookies of a response: `(tokens.cookies(&token)?, Json(..))`.
#[derive(Clone, Debug)]
#[must_use = "cookies do nothing unless they are part of a response"]
pub struct TokenCookies {
    cookies: Vec<Cookie>,
    max_age: Option<Duration>,
    domain: Option<String>,
    secure: bool,
    /// `; SameSite=Lax`, or empty.
    same_site: &'static str,
}

#[derive(Clone)]
struct Cookie {
    name: String,
    value: String,
    path: String,
    http_only: bool,
}

impl std::fmt::Debug for Cookie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the value, because it is a token.
        f.debug_struct("Cookie").field("name", &self.name).finish_non_exhaustive()
    }
}

impl TokenCookies {
    /// Sets the age at which browsers drop the cookies, regardless of `jwt.session_cookie`.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Sends the cookies to this domain, instead of `jwt.cookie_domain`. Cookies that are set for
    /// a domain are removed for the same one.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    fn lines(&self) -> Result<Vec<HeaderValue>, Error> {
        if let Some(domain) = self.domain.as_ref().filter(|domain| !is_domain(domain)) {
            return Err(Error::internal(format!("`{domain}` is not a domain for cookies")));
        }
        // Refused, because browsers would drop the cookie silently.
        let is_host = |cookie: &&Cookie| self.domain.is_some() && is_host_cookie(&cookie.name);
        if let Some(cookie) = self.cookies.iter().find(is_host) {
            let name = &cookie.name;
            return Err(Error::internal(format!("the cookie `{name}` can have no domain")));
        }
        let line = |cookie: &Cookie| {
            let mut value = HeaderValue::from_str(&self.line(cookie)).map_err(Error::from)?;
            value.set_sensitive(true);
            Ok(value)
        };
        self.cookies.iter().map(line).collect()
    }

    fn line(&self, cookie: &Cookie) -> String {
        let Cookie { name, value, path, http_only } = cookie;
        let mut line = format!("{name}={value}");
        if let Some(max_age) = self.max_age {
            // `Expires` is sent too because clients older than RFC 6265 ignore `Max-Age`.
            let _ = write!(line, "; Max-Age={}; Expires={}", max_age.as_secs(), expires(max_age));
        }
        if *http_only {
            line.push_str("; HttpOnly");
        }
        let _ = write!(line, "; Path={path}");
        if let Some(domain) = &self.domain {
            let _ = write!(line, "; Domain={domain}");
        }
        if self.secure || is_secure_cookie(name) {
            line.push_str("; Secure");
        }
        line.push_str(self.same_site);
        line
    }
}

impl IntoResponseParts for TokenCookies {
    type Error = Error;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Self::Error> {
        for line in self.lines()? {
            parts.headers_mut().append(header::SET_COOKIE, line);
        }
        Ok(parts)
    }
}

/// Returns the date at which a cookie of this age expires; 1970 for an age of zero.
fn expires(max_age: Duration) -> String {
    let left = TimeDelta::from_std(max_age).unwrap_or(TimeDelta::MAX);
    let end = match max_age.is_zero() {
        true => Some(DateTime::UNIX_EPOCH),
        false => Utc::now().checked_add_signed(left),
    };
    // Clamped, because the date format has four digits for the year (RFC 9110, section 5.6.7).
    let last = DateTime::from_timestamp(LAST_SECOND, 0).unwrap_or(DateTime::UNIX_EPOCH);
    end.map_or(last, |end| end.min(last)).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Returns whether cookies can be sent to this domain. A dot in front is allowed, and ignored by
/// browsers.
pub(super) fn is_domain(domain: &str) -> bool {
    is_host(domain.strip_prefix('.').unwrap_or(domain))
}

/// Returns whether browsers take a cookie of this name only without a domain and with the path `/`.
pub(super) fn is_host_cookie(name: &str) -> bool {
    has_prefix(name, "__Host-")
}

/// Returns whether browsers take a cookie of this name only if it is `Secure`.
pub(super) fn is_secure_cookie(name: &str) -> bool {
    is_host_cookie(name) || has_prefix(name, "__Secure-")
}

fn has_prefix(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// The rules by which cookies are written.
#[derive(Clone, Debug)]
pub(super) struct CookieRules {
    names: [String; 2],
    paths: [String; 2],
    /// Names and paths of the cookies with the CSRF tokens; `None` if there are none.
    csrf: Option<[(String, String); 2]>,
    secure: bool,
    same_site: &'static str,
    domain: Option<String>,
    session: bool,
}

impl CookieRules {
    pub fn new(settings: &JwtSettings, production: bool) -> Self {
        let secure = settings.cookie_secure.unwrap_or(production)
            || settings.cookie_samesite == SameSite::None;
        let same_site = match settings.cookie_samesite {
            SameSite::Strict => "; SameSite=Strict",
            SameSite::Lax => "; SameSite=Lax",
            SameSite::None => "; SameSite=None",
            SameSite::Unset => "",
        };
        let csrf = settings.cookie_csrf_protect && settings.csrf_in_cookies;
        let csrf = csrf.then(|| {
            let (access, refresh) =
                (&settings.access_csrf_cookie_path, &settings.refresh_csrf_cookie_path);
            [
                (settings.access_csrf_cookie_name.clone(), access.clone()),
                (settings.refresh_csrf_cookie_name.clone(), refresh.clone()),
            ]
        });
        Self {
            names: [settings.access_cookie_name.clone(), settings.refresh_cookie_name.clone()],
            paths: [settings.access_cookie_path.clone(), settings.refresh_cookie_path.clone()],
            csrf,
            secure,
            same_site,
            domain: settings.cookie_domain.clone(),
            session: settings.session_cookie,
        }
    }

    /// Returns the cookie of a token, and the cookie with its CSRF token, which pages read.
    pub fn set(
        &self,
        of: TokenType,
        token: &str,
        csrf: Option<&str>,
        left: Option<Duration>,
    ) -> TokenCookies {
        let mut cookies = vec![self.cookie(of, token)];
        cookies.extend(csrf.and_then(|csrf| self.csrf_cookie(of, csrf)));
        let max_age = (!self.session).then(|| left.unwrap_or(MAX_COOKIE_AGE));
        self.cookies(cookies, max_age)
    }

    /// Removes the cookies of tokens of these types.
    pub fn unset(&self, types: &[TokenType]) -> TokenCookies {
        let of = |of: &TokenType| [Some(self.cookie(*of, "")), self.csrf_cookie(*of, "")];
        let cookies = types.iter().flat_map(of).flatten().collect();
        self.cookies(cookies, Some(Duration::ZERO))
    }

    fn cookies(&self, cookies: Vec<Cookie>, max_age: Option<Duration>) -> TokenCookies {
        let (domain, secure, same_site) = (self.domain.clone(), self.secure, self.same_site);
        TokenCookies { cookies, max_age, domain, secure, same_site }
    }

    fn cookie(&self, of: TokenType, value: &str) -> Cookie {
        let (name, path) = (self.names[of as usize].clone(), self.paths[of as usize].clone());
        Cookie { name, value: value.to_owned(), path, http_only: true }
    }

    fn csrf_cookie(&self, of: TokenType, value: &str) -> Option<Cookie> {
        let (name, path) = self.csrf.as_ref()?[of as usize].clone();
        // Without HttpOnly, because the page has to read the token.
        Some(Cookie { name, value: value.to_owned(), path, http_only: false })
    }
}
