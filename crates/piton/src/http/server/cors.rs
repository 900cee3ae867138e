//! Cross-origin requests: open in development, as Gnar Gear has it, closed in production.
//!
//! Implements the Fetch standard, <https://fetch.spec.whatwg.org/#http-cors-protocol>. A browser sends a
//! preflight request (`OPTIONS`) first, unless the request is a simple one.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::http::server::cors_origin::{AllowedOrigin, OriginError};
use crate::{Settings, config};

/// The pages of other origins that may call the service from a browser.
#[derive(Clone, Debug, Settings)]
#[setting(check = Self::check)]
pub struct CorsSettings {
    /// The origins, such as `https://app.example.org`, or `https://*.example.org` for all names below
    /// `example.org` and not itself; `*` is every origin, an empty list none.
    /// **Default: `*` in development, none in production.**
    pub origins: Option<Vec<String>>,
    /// The methods that they may use. An empty list allows those that a preflight request names, and
    /// `GET, POST, PUT` in other responses. **Default: empty.**
    pub methods: Vec<String>,
    /// The headers that they may send. An empty list allows those that a preflight request names, and
    /// `Authorization` in other responses. **Default: empty.**
    pub headers: Vec<String>,
    /// The headers of responses that their scripts may read. **Default: `Authorization`.**
    pub expose_headers: Vec<String>,
    /// Allows cookies from these pages. Needs a list of origins, not `*`. **Default: `false`.**
    pub credentials: bool,
    /// Time for which a browser caches the response to a preflight request. **Default: `10m`.**
    #[setting(max = "365days")]
    pub max_age: Duration,
}

impl Default for CorsSettings {
    fn default() -> Self {
        Self {
            origins: None,
            methods: Vec::new(),
            headers: Vec::new(),
            expose_headers: vec!["Authorization".into()],
            credentials: false,
            max_age: Duration::from_secs(600),
        }
    }
}

impl CorsSettings {
    fn check(&self, reader: &mut config::Reader<'_>) {
        let origins = self.origins.iter().flatten();
        for origin in origins.clone() {
            if let Err(OriginError { why, fix }) = AllowedOrigin::parse(origin) {
                reader.refuse("origins", why, fix);
            }
        }
        if self.credentials && origins.clone().any(|origin| origin == "null") {
            let why = "every page can make its origin `null`, and would be sent cookies";
            reader.refuse("credentials", why, "take `null` from http.cors.origins");
        }
        if self.credentials && origins.clone().any(|origin| origin == "*") {
            let why = "browsers send cookies only to who names their origin";
            reader.refuse(
                "credentials",
                why,
                "list the origins in http.cors.origins instead of `*`",
            );
        }
        for (name, list) in [("headers", &self.headers), ("expose_headers", &self.expose_headers)] {
            for header in list.iter().filter(|header| header.parse::<HeaderName>().is_err()) {
                reader.refuse(name, format!("`{header}` is no header's name"), "Authorization");
            }
        }
        for method in &self.methods {
            if method.parse::<Method>().is_err() {
                reader.refuse("methods", format!("`{method}` is no method"), "GET");
            }
        }
    }
}

/// The settings, with header values prepared at launch.
#[derive(Debug)]
pub(crate) struct Cors {
    pub(crate) origins: Origins,
    methods: Option<HeaderValue>,
    headers: Option<HeaderValue>,
    expose: Option<HeaderValue>,
    credentials: bool,
    max_age: HeaderValue,
}

/// The origins that are allowed.
#[derive(Debug)]
pub(crate) enum Origins {
    Everyone,
    Listed(Vec<AllowedOrigin>),
}

fn joined(list: &[String]) -> Option<HeaderValue> {
    let text = list.join(", ");
    if text.is_empty() { None } else { HeaderValue::from_str(&text).ok() }
}

impl Cors {
    /// Returns `None` if no other origin is allowed.
    pub fn new(settings: &CorsSettings, production: bool) -> Option<Self> {
        let origins = match &settings.origins {
            None if production => return None,
            None => Origins::Everyone,
            Some(list) if list.is_empty() => return None,
            Some(list) if list.iter().any(|origin| origin == "*") => Origins::Everyone,
            Some(list) => {
                let value = |origin: &String| AllowedOrigin::parse(origin).ok();
                Origins::Listed(list.iter().filter_map(value).collect())
            }
        };
        Some(Self {
            origins,
            methods: joined(&settings.methods),
            headers: joined(&settings.headers),
            expose: joined(&settings.expose_headers),
            credentials: settings.credentials,
            max_age: HeaderValue::from(settings.max_age.as_secs()),
        })
    }

    /// Returns the value of `Access-Control-Allow-Origin` for a request from `origin`.
    fn allowed(&self, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
        match &self.origins {
            Origins::Everyone => Some(HeaderValue::from_static("*")),
            Origins::Listed(list) => {
                origin.filter(|origin| list.iter().any(|known| known.matches(origin))).cloned()
            }
        }
    }

    /// Returns the response to a preflight request; `None` for any other request.
    pub fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Response> {
        let asked = headers.get(ACCESS_CONTROL_REQUEST_METHOD)?;
        let origin = headers.get(ORIGIN)?;
        if method != Method::OPTIONS {
            return None;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let answer = response.headers_mut();
        answer.insert(VARY, HeaderValue::from_static("origin, access-control-request-headers"));
        if let Some(allowed) = self.allowed(Some(origin)) {
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
            let methods = self.methods.clone().unwrap_or_else(|| asked.clone());
            answer.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
            let wanted = headers.get(ACCESS_CONTROL_REQUEST_HEADERS);
            if let Some(headers) = self.headers.as_ref().or(wanted) {
                answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, headers.clone());
            }
            answer.insert(ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
            self.allow_credentials(answer);
        }
        Some(response)
    }

    /// Adds the CORS headers to the response of any other request.
    pub fn finish(&self, origin: Option<&HeaderValue>, answer: &mut HeaderMap) {
        if answer.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            return;
        }
        if let Origins::Listed(_) = self.origins {
            answer.append(VARY, HeaderValue::from_static("origin"));
        }
        let Some(allowed) = self.allowed(origin) else { return };
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        if let Some(expose) = &self.expose {
            answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
        }
        if matches!(self.origins, Origins::Everyone) {
            let or = |value: &Option<HeaderValue>, default| {
                value.clone().unwrap_or(HeaderValue::from_static(default))
            };
            answer.insert(ACCESS_CONTROL_ALLOW_METHODS, or(&self.methods, "GET, POST, PUT"));
            answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, or(&self.headers, "Authorization"));
        }
        self.allow_credentials(answer);
    }

    fn allow_credentials(&self, answer: &mut HeaderMap) {
        if self.credentials {
            let yes = HeaderValue::from_static("true");
            answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(credentials: bool) -> Cors {
        let origins = Some(vec!["https://a.example".to_owned()]);
        let settings = CorsSettings { origins, credentials, ..CorsSettings::default() };
        Cors::new(&settings, true).unwrap()
    }

    fn finished(cors: &Cors, origin: &'static str) -> HeaderMap {
        let mut answer = HeaderMap::new();
        cors.finish(Some(&HeaderValue::from_static(origin)), &mut answer);
        answer
    }

    #[test]
    fn development_answers_as_gnar_gear_and_production_not_at_all() {
        let cors = Cors::new(&CorsSettings::default(), false).unwrap();
        let answer = finished(&cors, "http://anywhere");
        assert_eq!(answer[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert_eq!(answer[ACCESS_CONTROL_ALLOW_METHODS], "GET, POST, PUT");
        assert_eq!(answer[ACCESS_CONTROL_ALLOW_HEADERS], "Authorization");
        assert_eq!(answer[ACCESS_CONTROL_EXPOSE_HEADERS], "Authorization");
        assert!(Cors::new(&CorsSettings::default(), true).is_none());
    }

    #[test]
    fn only_listed_origins_are_named_and_caches_are_told() {
        let answer = finished(&listed(true), "https://a.example");
        assert_eq!(answer[ACCESS_CONTROL_ALLOW_ORIGIN], "https://a.example");
        assert_eq!(answer[ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
        let answer = finished(&listed(true), "https://a.example.evil");
        assert!(!answer.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
        assert_eq!(answer[VARY], "origin");
    }

    #[test]
    fn a_preflight_is_told_what_it_asks_for_unless_lists_say_less() {
        let mut asked = HeaderMap::new();
        asked.insert(ORIGIN, HeaderValue::from_static("https://a.example"));
        asked.insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("PATCH"));
        let wanted = HeaderValue::from_static("content-type");
        asked.insert(ACCESS_CONTROL_REQUEST_HEADERS, wanted);
        let answer = listed(false).preflight(&Method::OPTIONS, &asked).unwrap();
        assert_eq!(answer.headers()[ACCESS_CONTROL_ALLOW_METHODS], "PATCH");
        assert_eq!(answer.headers()[ACCESS_CONTROL_ALLOW_HEADERS], "content-type");
        assert_eq!(answer.headers()[ACCESS_CONTROL_MAX_AGE], "600");
        asked.insert(ORIGIN, HeaderValue::from_static("https://b.example"));
        let answer = listed(false).preflight(&Method::OPTIONS, &asked).unwrap();
        assert!(!answer.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
        asked.remove(ORIGIN);
        assert!(listed(false).preflight(&Method::OPTIONS, &asked).is_none());
    }

    #[test]
    fn subdomains_are_answered_with_their_own_name_and_caches_are_told() {
        let origins = Some(vec!["https://*.example.org".to_owned()]);
        let settings = CorsSettings { origins, ..CorsSettings::default() };
        let cors = Cors::new(&settings, true).unwrap();
        let answer = finished(&cors, "https://a.example.org");
        assert_eq!(answer[ACCESS_CONTROL_ALLOW_ORIGIN], "https://a.example.org");
        assert_eq!(answer[VARY], "origin");
        for other in ["https://example.org", "https://evil-example.org"] {
            let answer = finished(&cors, other);
            assert!(!answer.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN), "{other}");
            assert_eq!(answer[VARY], "origin");
        }
    }
}
