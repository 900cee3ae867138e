//! Where in a request a token is, and the cookies that keep it there.

use axum::response::{IntoResponseParts, ResponseParts};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::{Value, json};

use super::Tokens;
use super::claims::TokenType;
use super::refusal::{Refusal, RefusalKind};
use super::settings::{JwtSettings, SameSite, TokenLocation};
use crate::config::{Config, Problems};
use crate::http::SecurityWays;
use crate::part::Part;

/// The header that shows that a page may read the cookies.
const CSRF_HEADER: &str = "x-csrf-token";

inventory::submit! { SecurityWays { scheme: "bearer", ways } }

/// Where a token is looked for, by the settings.
fn ways(config: &Config) -> Vec<(&'static str, Value)> {
    let settings: JwtSettings = config.read(Tokens::NAME, &mut Problems::new());
    let way = |location: &TokenLocation| match location {
        TokenLocation::Headers => (
            "bearer",
            json!({
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "A token that says who is calling.",
            }),
        ),
        TokenLocation::Cookies => (
            "cookie",
            json!({
                "type": "apiKey",
                "in": "cookie",
                "name": cookie(TokenType::Access),
                "description": "A token in a cookie. A request that changes something shows what \
                    stands in the cookie `csrf_access_token` in its header `X-CSRF-TOKEN`.",
            }),
        ),
    };
    settings.location.iter().map(way).collect()
}

/// A token as it was found.
pub(super) struct Found<'a> {
    pub token: &'a str,
    pub location: TokenLocation,
    /// What the claim `csrf` must be.
    pub csrf: Option<&'a str>,
}

/// Why none was found.
pub(super) enum NotFound {
    /// There is none, or none of ours: who need not show one goes on without.
    Absent(Refusal),
    /// There is one, but not as it should be.
    Refused(Refusal),
}

/// The first token that one of the locations has.
pub(super) fn find<'a>(
    head: &'a Parts,
    locations: &[TokenLocation],
    wanted: TokenType,
    csrf: bool,
) -> Result<Found<'a>, NotFound> {
    let mut missing = Vec::new();
    for location in locations {
        let found = match location {
            TokenLocation::Headers => in_header(&head.headers),
            TokenLocation::Cookies => in_cookie(head, wanted, csrf),
        };
        match found {
            // A header with another scheme is for the proxy, say, where a cookie has the token.
            Err(NotFound::Absent(refusal))
                if refusal.kind() == RefusalKind::Missing || locations.len() > 1 =>
            {
                missing.push(refusal);
            }
            other => return other,
        }
    }
    Err(NotFound::Absent(all_missing(locations, missing)))
}

/// What Flask-JWT-Extended says where there are several places to look at.
fn all_missing(locations: &[TokenLocation], mut missing: Vec<Refusal>) -> Refusal {
    if let [_] = missing.as_slice() {
        return missing.remove(0);
    }
    let names: Vec<_> = locations.iter().map(|location| location.name()).collect();
    let (last, first) = names
        .split_last()
        .map_or(("", ""), |(last, first)| (*last, first.first().copied().unwrap_or_default()));
    let details: Vec<_> = missing.iter().map(ToString::to_string).collect();
    let said = format!("Missing JWT in {first} or {last} ({})", details.join("; "));
    Refusal::new(RefusalKind::Missing, said)
}

fn in_header(headers: &HeaderMap) -> Result<Found<'_>, NotFound> {
    let missing = || Refusal::new(RefusalKind::Missing, "Missing Authorization Header");
    let bad = || Refusal::invalid("Bad Authorization header. Expected value 'Bearer <JWT>'");
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let value = lines.next().map(HeaderValue::as_bytes).unwrap_or_default();
    let value = std::str::from_utf8(value).unwrap_or("?").trim();
    if lines.next().is_some() {
        return Err(NotFound::Absent(bad()));
    }
    if value.is_empty() {
        return Err(NotFound::Absent(missing()));
    }
    // Several may stand in one line, with commas.
    let mut fields = value.split(',').map(str::split_ascii_whitespace);
    let bearer = fields.find_map(|mut words| (words.next() == Some("Bearer")).then_some(words));
    let mut words = bearer.ok_or_else(|| NotFound::Absent(bad()))?;
    match (words.next(), words.next()) {
        (Some(token), None) => Ok(Found { token, location: TokenLocation::Headers, csrf: None }),
        _ => Err(NotFound::Absent(bad())),
    }
}

fn in_cookie(head: &Parts, wanted: TokenType, csrf: bool) -> Result<Found<'_>, NotFound> {
    let name = cookie(wanted);
    let token = cookies(&head.headers).find(|(found, _)| *found == name);
    let Some((_, token)) = token.filter(|(_, token)| !token.is_empty()) else {
        let said = format!("Missing cookie \"{name}\"");
        return Err(NotFound::Absent(Refusal::new(RefusalKind::Missing, said)));
    };
    let changes =
        matches!(head.method, Method::POST | Method::PUT | Method::PATCH | Method::DELETE);
    let csrf = match csrf && changes {
        false => None,
        true => {
            let shown = head.headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok());
            let shown = shown.filter(|value| !value.is_empty());
            let missing = || Refusal::new(RefusalKind::Csrf, "Missing CSRF token");
            Some(shown.ok_or_else(|| NotFound::Refused(missing()))?)
        }
    };
    Ok(Found { token, location: TokenLocation::Cookies, csrf })
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes);
    lines.flat_map(|line| line.split(|byte| *byte == b';')).filter_map(|pair| {
        // Another cookie may have letters of another alphabet.
        let (name, value) = std::str::from_utf8(pair).ok()?.split_once('=')?;
        Some((name.trim(), value.trim().trim_matches('"')))
    })
}

const fn cookie(of: TokenType) -> &'static str {
    match of {
        TokenType::Access => "access_token_cookie",
        TokenType::Refresh => "refresh_token_cookie",
    }
}

const fn csrf_cookie(of: TokenType) -> &'static str {
    match of {
        TokenType::Access => "csrf_access_token",
        TokenType::Refresh => "csrf_refresh_token",
    }
}

/// Cookies for an answer: `(tokens.cookies(&token)?, Json(..))`.
#[derive(Clone, Debug)]
#[must_use = "cookies do nothing unless they are part of an answer"]
pub struct TokenCookies(Vec<HeaderValue>);

impl IntoResponseParts for TokenCookies {
    type Error = std::convert::Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Self::Error> {
        for cookie in self.0 {
            parts.headers_mut().append(header::SET_COOKIE, cookie);
        }
        Ok(parts)
    }
}

/// How cookies are written.
#[derive(Clone, Debug)]
pub(super) struct CookieRules {
    attributes: String,
    session: bool,
}

impl CookieRules {
    pub fn new(settings: &JwtSettings, production: bool) -> Self {
        let mut attributes = String::from("; Path=/");
        if let Some(domain) = &settings.cookie_domain {
            attributes += &format!("; Domain={domain}");
        }
        if settings.cookie_secure.unwrap_or(production)
            || settings.cookie_samesite == SameSite::None
        {
            attributes += "; Secure";
        }
        attributes += match settings.cookie_samesite {
            SameSite::Strict => "; SameSite=Strict",
            SameSite::Lax => "; SameSite=Lax",
            SameSite::None => "; SameSite=None",
        };
        Self { attributes, session: settings.cookie_session }
    }

    /// The cookie of a token, and the one that pages read to prove that they may.
    pub fn set(
        &self,
        of: TokenType,
        token: &str,
        csrf: Option<&str>,
        seconds_left: u64,
    ) -> TokenCookies {
        let ends = match self.session {
            true => String::new(),
            false => format!("; Max-Age={seconds_left}"),
        };
        let attributes = &self.attributes;
        let mut lines = vec![format!("{}={token}{ends}; HttpOnly{attributes}", cookie(of))];
        // No HttpOnly: the page has to read it.
        lines.extend(csrf.map(|csrf| format!("{}={csrf}{ends}{attributes}", csrf_cookie(of))));
        written(&lines)
    }

    /// Takes all of them away.
    pub fn unset(&self) -> TokenCookies {
        let attributes = &self.attributes;
        let gone = |name: &str| format!("{name}=; Max-Age=0{attributes}");
        let all = [TokenType::Access, TokenType::Refresh];
        let lines: Vec<_> =
            all.into_iter().flat_map(|of| [gone(cookie(of)), gone(csrf_cookie(of))]).collect();
        written(&lines)
    }
}

fn written(lines: &[String]) -> TokenCookies {
    let values = lines.iter().filter_map(|line| HeaderValue::from_str(line).ok());
    TokenCookies(
        values
            .map(|mut value| {
                value.set_sensitive(true);
                value
            })
            .collect(),
    )
}
