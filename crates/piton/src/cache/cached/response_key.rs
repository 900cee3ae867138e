//! The cache key of a response.

use std::fmt;

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts as Head;
use http::{HeaderMap, HeaderName, header};
use sha2::{Digest, Sha256};

use crate::cache::key::{KeyBuilder, MAX_LENGTH, hex};

/// A text with path parameters in it: `company:{cnpj}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<TemplatePart>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum TemplatePart {
    Text(String),
    Parameter(String),
}

impl Template {
    /// # Errors
    /// An unmatched brace, or a parameter without a name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some(begin) = rest.find(['{', '}']) {
            let end = rest[begin..].find('}').filter(|end| *end > 1).map(|end| begin + end);
            let name = end.map(|end| &rest[begin + 1..end]);
            let Some((name, end)) = name.zip(end).filter(|(name, _)| !name.contains('{')) else {
                return Err(format!(
                    "`{text}`: expected braces around the name of a parameter, as in `{{id}}`"
                ));
            };
            if begin > 0 {
                pieces.push(TemplatePart::Text(rest[..begin].to_owned()));
            }
            pieces.push(TemplatePart::Parameter(name.to_owned()));
            rest = &rest[end + 1..];
        }
        if !rest.is_empty() {
            pieces.push(TemplatePart::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            TemplatePart::Parameter(name) => Some(name.as_str()),
            TemplatePart::Text(_) => None,
        })
    }

    pub fn has_parameters(&self) -> bool {
        self.names().next().is_some()
    }

    /// Returns a parameter of the template that `path` does not have.
    pub fn unknown_in(&self, path: &str) -> Option<&str> {
        let has = |name: &str| {
            path.contains(&format!("{{{name}}}")) || path.contains(&format!("{{*{name}}}"))
        };
        self.names().find(|name| !has(name))
    }

    /// Returns the text with the values unescaped. For tags only: a colliding tag invalidates too
    /// much, and never returns a wrong value.
    pub fn fill(&self, parameters: &PathParameters) -> String {
        let text = self.0.iter().map(|piece| match piece {
            TemplatePart::Text(text) => text.as_str(),
            TemplatePart::Parameter(name) => value(parameters, name),
        });
        text.collect()
    }

    /// Returns a key with the values escaped, so that distinct values give distinct keys.
    pub fn key(&self, parameters: &PathParameters) -> KeyBuilder {
        self.0.iter().fold(KeyBuilder::new(), |key, piece| match piece {
            TemplatePart::Text(text) => key.text(text),
            TemplatePart::Parameter(name) => key.value(value(parameters, name)),
        })
    }
}

fn value<'a>(parameters: &'a PathParameters, name: &str) -> &'a str {
    let found = parameters.iter().find(|(known, _)| known == name);
    found.map_or("", |(_, value)| value.as_str())
}

/// Writes the text that the template was parsed from.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            TemplatePart::Text(text) => f.write_str(text),
            TemplatePart::Parameter(name) => write!(f, "{{{name}}}"),
        })
    }
}

/// The decoded path parameters, by name.
pub(super) type PathParameters = Vec<(String, String)>;

/// Reads the path's parameters. `None` if one is not UTF-8, because it then has no text to
/// distinguish it from others.
pub(super) async fn parameters(head: &mut Head) -> Option<PathParameters> {
    let found = RawPathParams::from_request_parts(head, &()).await;
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    found.map(|found| found.iter().map(owned).collect()).ok()
}

/// Returns whether the request has a password (`Authorization: Basic`).
pub(super) fn is_basic(headers: &HeaderMap) -> bool {
    headers.get_all(header::AUTHORIZATION).iter().any(|value| {
        value.as_bytes().get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic"))
    })
}

/// The parts of a request that its response depends on.
pub(super) struct ResponseKey<'a> {
    /// The route's own key, filled in, which replaces path and query.
    pub own_key: Option<&'a str>,
    pub head: &'a Head,
    pub vary: &'a [HeaderName],
    /// The headers with the caller's credentials, if the response is for one caller.
    pub credentials: &'a [HeaderName],
    /// True if path and query may hold secrets, which must not be readable in Redis.
    pub is_secret: bool,
}

impl ResponseKey<'_> {
    /// Returns the key. Its first character distinguishes it from keys of the service's own, as long as
    /// those do not begin with it. Of credentials it holds nothing but their SHA-256.
    pub fn key(&self) -> String {
        let (path, query) = (self.head.uri.path(), self.head.uri.query());
        let plain = match (self.own_key, query) {
            (Some(own), _) => format!("~{own}"),
            (None, None) => format!("/{path}"),
            (None, Some(query)) => format!("/{path}?{query}"),
        };
        let depends = !self.vary.is_empty() || !self.credentials.is_empty();
        if depends || self.is_secret || plain.len() > MAX_LENGTH {
            return self.hashed(&plain);
        }
        plain
    }

    fn hashed(&self, plain: &str) -> String {
        let mut hash = Sha256::new();
        // Each piece is preceded by its length, so that different lists of pieces are different bytes.
        let mut add = |piece: &[u8]| {
            hash.update((piece.len() as u64).to_be_bytes());
            hash.update(piece);
        };
        add(plain.as_bytes());
        for name in self.vary.iter().chain(self.credentials) {
            add(name.as_str().as_bytes());
            let values = self.head.headers.get_all(name);
            add(&values.iter().count().to_be_bytes());
            values.iter().for_each(|value| add(value.as_bytes()));
        }
        hex(&hash.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(uri: &str, headers: &[(&'static str, &str)]) -> Head {
        let mut request = http::Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn key(head: &Head, credentials: &[HeaderName]) -> String {
        let is_secret = !credentials.is_empty();
        ResponseKey { own_key: None, head, vary: &[], credentials, is_secret }.key()
    }

    #[test]
    fn a_template_is_filled_and_a_malformed_one_is_refused() {
        let template = Template::parse("company:{cnpj}/{year}").unwrap();
        assert!(template.has_parameters());
        assert_eq!(template.unknown_in("/{cnpj}/x"), Some("year"));
        assert_eq!(template.unknown_in("/{cnpj}/{*year}"), None);
        let values = vec![("year".to_owned(), "26".to_owned()), ("cnpj".into(), "1".into())];
        assert_eq!(template.fill(&values), "company:1/26");
        assert_eq!(template.key(&values).finish(), "company:1/26");
        for wrong in ["{", "}", "a{}", "a{b{c}", "a}b{c}"] {
            assert!(Template::parse(wrong).is_err(), "{wrong}");
        }
        assert!(!Template::parse("companies").unwrap().has_parameters());
    }

    #[test]
    fn each_caller_has_an_own_key_without_credentials_in_it() {
        let credentials = [header::AUTHORIZATION, header::COOKIE];
        let of = |headers: &[(&'static str, &str)]| key(&head("/me", headers), &credentials);
        let one = of(&[("authorization", "Bearer one")]);
        assert_ne!(one, of(&[("authorization", "Bearer other")]));
        assert_ne!(one, of(&[("cookie", "Bearer one")]));
        assert_ne!(one, of(&[("authorization", "Bearer"), ("authorization", "one")]));
        assert_eq!(one, of(&[("authorization", "Bearer one"), ("accept", "x")]));
        assert!(!one.contains("one") && one.len() == 65);
    }

    #[test]
    fn a_long_path_is_hashed_and_a_short_one_is_readable() {
        assert_eq!(key(&head("/a?b=c", &[]), &[]), "//a?b=c");
        let long = format!("/{}", "a".repeat(300));
        assert_eq!(key(&head(&long, &[]), &[]).len(), 65);
    }
}
