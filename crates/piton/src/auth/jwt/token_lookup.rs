//! Finds the token of a request.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::claims::TokenType;
use super::csrf::CsrfRules;
use super::found_token::{FoundToken, NotFound};
use super::refusal::{Refusal, RefusalKind};
use super::setting_types::{FlaskVersion, TokenLocation};
use super::settings::JwtSettings;
use super::token_in_body::{self, BufferedBody};

/// The headers, cookies, parameters and members that carry tokens, by the settings. The first entry
/// of a pair is for access tokens, the second for refresh tokens.
#[derive(Debug)]
pub(super) struct TokenLookup {
    pub locations: Vec<TokenLocation>,
    header: HeaderName,
    /// The header as the settings spell it, for messages.
    header_label: String,
    /// Empty for a token that stands alone in its header.
    header_type: String,
    query: String,
    query_prefix: String,
    json_keys: [String; 2],
    cookies: [String; 2],
    csrf: Option<CsrfRules>,
    messages: FlaskVersion,
}

impl TokenLookup {
    /// Reads the names from the settings, which have been checked.
    pub fn new(settings: &JwtSettings, messages: FlaskVersion) -> Self {
        let header = HeaderName::from_bytes(settings.header_name.as_bytes());
        Self {
            locations: settings.location.clone(),
            header: header.unwrap_or(header::AUTHORIZATION),
            header_label: settings.header_name.clone(),
            header_type: settings.header_type.clone(),
            query: settings.query_string_name.clone(),
            query_prefix: settings.query_string_value_prefix.clone(),
            json_keys: [settings.json_key.clone(), settings.refresh_json_key.clone()],
            cookies: [settings.access_cookie_name.clone(), settings.refresh_cookie_name.clone()],
            csrf: settings.cookie_csrf_protect.then(|| CsrfRules::from_settings(settings)),
            messages,
        }
    }

    /// Returns whether one of these locations requires the body to be read.
    pub fn need_body(&self, locations: &[TokenLocation]) -> bool {
        let checks_form = self.csrf.as_ref().is_some_and(CsrfRules::checks_form);
        locations.contains(&TokenLocation::Json)
            || (checks_form && locations.contains(&TokenLocation::Cookies))
    }

    /// Returns the header that carries tokens.
    pub fn header(&self) -> &HeaderName {
        &self.header
    }

    /// Returns the value of the header for `token`.
    pub fn header_value(&self, mut token: String) -> String {
        if !self.header_type.is_empty() {
            token.insert(0, ' ');
            token.insert_str(0, &self.header_type);
        }
        token
    }

    /// Returns the first token that one of the locations has.
    pub fn find<'a>(
        &self,
        head: &'a Parts,
        locations: &[TokenLocation],
        wanted: TokenType,
    ) -> Result<FoundToken<'a>, NotFound> {
        let mut missing = Vec::new();
        for location in locations {
            let found = match location {
                TokenLocation::Headers => self.find_in_header(&head.headers),
                TokenLocation::Cookies => self.find_in_cookie(head, wanted),
                TokenLocation::QueryString => self.find_in_query(head),
                TokenLocation::Json => self.find_in_json(head, wanted),
            };
            match found {
                // Not refused yet, because another scheme in `Authorization` may be meant for a proxy while the
                // cookie has the token.
                Err(NotFound::Absent(refusal))
                    if refusal.kind() == RefusalKind::Missing || locations.len() > 1 =>
                {
                    missing.push(refusal);
                }
                other => return other,
            }
        }
        Err(NotFound::Absent(join_refusals(locations, missing)))
    }

    fn find_in_header<'a>(&self, headers: &'a HeaderMap) -> Result<FoundToken<'a>, NotFound> {
        let mut lines = headers.get_all(&self.header).iter();
        let value = lines.next().map(HeaderValue::as_bytes).unwrap_or_default();
        let value = std::str::from_utf8(value).unwrap_or("?").trim();
        if lines.next().is_some() {
            return Err(self.invalid_header());
        }
        if value.is_empty() || (self.messages == FlaskVersion::Version4 && value == ",") {
            let message = format!("Missing {} Header", self.header_label);
            return Err(NotFound::Absent(Refusal::missing(message)));
        }
        let found = |token: &'a str| FoundToken {
            token: Cow::Borrowed(token),
            location: TokenLocation::Headers,
            csrf: None,
        };
        if self.header_type.is_empty() {
            let mut words = value.split_ascii_whitespace();
            return match (words.next(), words.next()) {
                (Some(token), None) => Ok(found(token)),
                _ => Err(self.invalid_header()),
            };
        }
        // Split at commas, because clients may join several credentials in one header line.
        // Case-insensitive (RFC 9110, section 11.1), unlike in Flask-JWT-Extended.
        let ours = |words: &mut std::str::SplitAsciiWhitespace<'_>| {
            words.next().is_some_and(|scheme| scheme.eq_ignore_ascii_case(&self.header_type))
        };
        let mut fields = value.split(',').map(str::split_ascii_whitespace);
        let field = fields.find_map(|mut words| ours(&mut words).then_some(words));
        let mut words = field.ok_or_else(|| self.missing_scheme())?;
        if self.messages == FlaskVersion::Version4 && fields.any(|mut words| ours(&mut words)) {
            return Err(self.missing_scheme());
        }
        match (words.next(), words.next()) {
            (Some(token), None) => Ok(found(token)),
            _ => Err(self.invalid_header()),
        }
    }

    /// Returns the refusal of a header with another scheme.
    fn missing_scheme(&self) -> NotFound {
        let (name, scheme) = (&self.header_label, &self.header_type);
        match self.messages {
            FlaskVersion::Version3 => self.invalid_header(),
            FlaskVersion::Version4 => NotFound::Absent(Refusal::missing(format!(
                "Missing '{scheme}' type in '{name}' header. Expected '{name}: {scheme} <JWT>'"
            ))),
        }
    }

    fn invalid_header(&self) -> NotFound {
        let (name, scheme) = (&self.header_label, &self.header_type);
        let space = if scheme.is_empty() { "" } else { " " };
        match self.messages {
            FlaskVersion::Version3 => NotFound::Absent(Refusal::invalid(format!(
                "Bad {name} header. Expected value '{scheme}{space}<JWT>'"
            ))),
            FlaskVersion::Version4 => NotFound::Refused(Refusal::invalid(format!(
                "Bad {name} header. Expected '{name}: {scheme}{space}<JWT>'"
            ))),
        }
    }

    fn find_in_cookie<'a>(
        &self,
        head: &'a Parts,
        wanted: TokenType,
    ) -> Result<FoundToken<'a>, NotFound> {
        let name = &self.cookies[wanted as usize];
        let token = cookies(&head.headers).find(|(found, _)| found == name);
        let Some((_, token)) = token.filter(|(_, token)| !token.is_empty()) else {
            let message = format!("Missing cookie \"{name}\"");
            return Err(NotFound::Absent(Refusal::missing(message)));
        };
        let csrf = match &self.csrf {
            Some(rules) => rules.required_token(head, wanted)?,
            None => None,
        };
        Ok(FoundToken { token: Cow::Borrowed(token), location: TokenLocation::Cookies, csrf })
    }

    fn find_in_query(&self, head: &Parts) -> Result<FoundToken<'static>, NotFound> {
        let name = &self.query;
        let query = head.uri.query().unwrap_or_default();
        let value = token_in_body::find_pair(query.as_bytes(), name);
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            let message = match self.messages {
                FlaskVersion::Version3 => format!("Missing \"{name}\" query paramater"),
                FlaskVersion::Version4 => format!("Missing '{name}' query paramater"),
            };
            return Err(NotFound::Absent(Refusal::missing(message)));
        };
        let prefix = &self.query_prefix;
        let token = value.strip_prefix(prefix.as_str()).map(|it| Cow::Owned(it.to_owned()));
        let token = token.ok_or_else(|| {
            NotFound::Refused(Refusal::invalid(format!(
                "Invalid value for query parameter '{name}'. Expected the value to start with \
                 '{prefix}'"
            )))
        })?;
        Ok(FoundToken { token, location: TokenLocation::QueryString, csrf: None })
    }

    fn find_in_json<'a>(
        &self,
        head: &'a Parts,
        wanted: TokenType,
    ) -> Result<FoundToken<'a>, NotFound> {
        if !token_in_body::is_json(&head.headers) {
            let message = "Invalid content-type. Must be application/json.";
            return Err(NotFound::Absent(Refusal::missing(message)));
        }
        let BufferedBody(body) = head.extensions.get::<BufferedBody>().ok_or(NotFound::InBody)?;
        let key = &self.json_keys[wanted as usize];
        match token_in_body::find_member(body, key) {
            Some(token_in_body::JsonMember::Text(token)) => {
                let token = Cow::Owned(token);
                Ok(FoundToken { token, location: TokenLocation::Json, csrf: None })
            }
            Some(token_in_body::JsonMember::Other) => {
                Err(NotFound::Refused(Refusal::invalid("Invalid token type. Token must be text")))
            }
            _ => {
                let message = format!("Missing \"{key}\" key in json data.");
                Err(NotFound::Absent(Refusal::missing(message)))
            }
        }
    }
}

/// Joins the refusals of all locations in the way of Flask-JWT-Extended.
fn join_refusals(locations: &[TokenLocation], mut missing: Vec<Refusal>) -> Refusal {
    if let [_] = missing.as_slice() {
        return missing.remove(0);
    }
    let names: Vec<_> = locations.iter().map(|location| location.name()).collect();
    let (last, first) = names.split_last().map_or(("", &names[..]), |(last, first)| (*last, first));
    let details: Vec<_> = missing.iter().map(ToString::to_string).collect();
    let message = format!("Missing JWT in {} or {last} ({})", first.join(", "), details.join("; "));
    Refusal::missing(message)
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes);
    lines.flat_map(|line| line.split(|byte| *byte == b';')).filter_map(|pair| {
        // Other cookies may hold bytes that are not UTF-8: they must not hide the one with the token.
        let (name, value) = std::str::from_utf8(pair).ok()?.split_once('=')?;
        Some((name.trim(), value.trim().trim_matches('"')))
    })
}

/// Set by the first served route whose guard lists cookies among its own locations: from then on tokens get
/// the claim `csrf`. With several apps in one process, the tokens of the others get an unused claim.
static COOKIE_GUARD_EXISTS: AtomicBool = AtomicBool::new(false);

/// Returns whether any guard accepts tokens in cookies, regardless of `jwt.location`.
pub(super) fn cookie_guard_exists() -> bool {
    COOKIE_GUARD_EXISTS.load(Ordering::Relaxed)
}

/// Notes that a guard accepts tokens in cookies.
pub(super) fn note_cookie_guard() {
    COOKIE_GUARD_EXISTS.store(true, Ordering::Relaxed);
}
