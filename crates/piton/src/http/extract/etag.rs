//! Entity tags and lists of them (RFC 9110, section 8.8.3).

use std::borrow::Cow;
use std::fmt::{self, Display};

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::http::extract::preconditions::Preconditions;
use crate::http::routing::operation::{Operation, Output};

/// Characters that an entity tag cannot hold (RFC 9110, section 8.8.3), and `%`, which escapes them.
const NOT_IN_TAGS: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

/// The entity tag of a representation: the header `ETag`.
///
/// ```
/// use piton::http::ETag;
///
/// assert_eq!(ETag::strong(7).to_string(), "\"7\"");
/// assert_eq!(ETag::weak("2026-11-29").to_string(), "W/\"2026-11-29\"");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ETag(HeaderValue);

impl ETag {
    /// Makes a strong tag of a version, such as the number of changes or the time of the last one. Two states
    /// of a resource must never have the same version: [`If-Match`](Preconditions) relies on it.
    ///
    /// Characters that a tag cannot hold (quotes, spaces, anything but printable ASCII) are percent-encoded.
    #[must_use]
    pub fn strong(version: impl Display) -> Self {
        Self::quoted("\"", &version)
    }

    /// Makes a weak tag: two representations that have it are equivalent, and not necessarily the same
    /// bytes. `If-Match` never accepts one; `If-None-Match` does.
    #[must_use]
    pub fn weak(version: impl Display) -> Self {
        Self::quoted("W/\"", &version)
    }

    fn quoted(start: &str, version: &dyn Display) -> Self {
        let version = version.to_string();
        let tag = format!("{start}{}\"", utf8_percent_encode(&version, NOT_IN_TAGS));
        Self(HeaderValue::try_from(tag).expect("printable ASCII is a header's value"))
    }

    /// Returns the header's value.
    #[must_use]
    pub fn as_header(&self) -> &HeaderValue {
        &self.0
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

impl Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The value of `If-Match` or `If-None-Match`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TagList {
    /// `*`: any representation.
    Any,
    /// The tags as they were sent, quotes and `W/` included.
    Listed(Vec<Box<str>>),
}

impl JsonSchema for TagList {
    fn schema_name() -> Cow<'static, str> {
        "EntityTags".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let tag = r#"(W/)?"[!#-~]*""#;
        json_schema!({
            "type": "string",
            "pattern": format!(r"^(\*|{tag}( *, *{tag})*)$"),
            "examples": ["*", "\"7\""],
        })
    }
}

impl TagList {
    /// Reads all lines of a header. Returns `None` without one.
    ///
    /// # Errors
    /// The text that is not an entity tag.
    pub fn read(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Self>, String> {
        let mut lines = headers.get_all(name).iter().peekable();
        if lines.peek().is_none() {
            return Ok(None);
        }
        let mut listed = Vec::new();
        let mut any = false;
        for line in lines {
            // A tag may hold bytes beyond ASCII (`obs-text`). Ours never do, so such a tag matches none.
            let line = String::from_utf8_lossy(line.as_bytes());
            for tag in tags(&line).filter(|tag| !tag.is_empty()) {
                match tag {
                    "*" => any = true,
                    tag if is_tag(tag) => listed.push(tag.into()),
                    other => return Err(other.to_owned()),
                }
            }
        }
        match (any, listed.is_empty()) {
            (true, true) => Ok(Some(Self::Any)),
            (true, false) => Err("*".to_owned()),
            (false, _) => Ok(Some(Self::Listed(listed))),
        }
    }

    /// Returns whether one of the tags is `tag` by the strong comparison: both are strong and the same.
    pub fn matches_strongly(&self, tag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(tags) => !tag.starts_with("W/") && tags.iter().any(|it| **it == *tag),
        }
    }

    /// Returns whether one of the tags is `tag` by the weak comparison, which ignores `W/`.
    pub fn matches_weakly(&self, tag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(tags) => tags.iter().any(|it| opaque(it) == opaque(tag)),
        }
    }

    pub fn has_weak(&self) -> bool {
        matches!(self, Self::Listed(tags) if tags.iter().any(|tag| tag.starts_with("W/")))
    }
}

/// Returns whether the client has the representation with this tag, by its `If-None-Match`. A
/// malformed header is ignored, because the whole response is always right.
#[cfg(feature = "openapi")]
pub(crate) fn client_has(headers: &HeaderMap, tag: &str) -> bool {
    let list = TagList::read(headers, &header::IF_NONE_MATCH);
    list.ok().flatten().is_some_and(|list| list.matches_weakly(tag))
}

fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

fn is_tag(text: &str) -> bool {
    let inner = opaque(text).strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.is_some_and(|inner| !inner.contains(|letter| matches!(letter, '"' | '\0'..=' ' | '\x7f')))
}

/// Splits a list. A comma may stand in a tag, between its quotes.
fn tags(line: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let ends = move |letter: char| {
        quoted ^= letter == '"';
        letter == ',' && !quoted
    };
    line.split(ends).map(|tag| tag.trim_matches([' ', '\t']))
}

/// A body with its entity tag: `Tagged::new(company.etag(), Json(company))`.
///
/// ```
/// use piton::prelude::*;
/// use piton::http::{ETag, Preconditions, Tagged};
///
/// async fn show(preconditions: Preconditions) -> Tagged<Json<u32>> {
///     Tagged::new(ETag::strong(7), Json(42)).or_not_modified(&preconditions)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Tagged<T> {
    etag: ETag,
    /// `None`: the client has it.
    body: Option<T>,
}

impl<T> Tagged<T> {
    /// Adds the header `ETag` to the response that `body` makes.
    pub fn new(etag: ETag, body: T) -> Self {
        Self { etag, body: Some(body) }
    }

    /// Answers 304 without the body if the client has it already, by its `If-None-Match`. For
    /// `GET` only; routes with `#[cached]` do so by themselves.
    #[must_use]
    pub fn or_not_modified(mut self, preconditions: &Preconditions) -> Self {
        if preconditions.client_has(&self.etag) {
            self.body = None;
        }
        self
    }
}

impl<T: IntoResponse> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let mut response = match self.body {
            Some(body) => body.into_response(),
            None => StatusCode::NOT_MODIFIED.into_response(),
        };
        response.headers_mut().insert(header::ETAG, self.etag.0);
        response
    }
}

impl<T: Output> Output for Tagged<T> {
    fn describe(operation: &mut Operation) {
        operation.with_header("ETag", "The entity tag of this version.", T::describe);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&'static str]) -> Result<Option<TagList>, String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::IF_MATCH, HeaderValue::from_static(line));
        }
        TagList::read(&headers, &header::IF_MATCH)
    }

    fn list(lines: &[&'static str]) -> TagList {
        read(lines).unwrap().unwrap()
    }

    #[test]
    fn lists_stars_and_several_lines_are_read() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(list(&["*"]), TagList::Any);
        assert_eq!(list(&[""]), TagList::Listed(Vec::new()));
        let listed = list(&[r#""x,y", W/"a" ,,"""#, r#""b%22""#]);
        assert_eq!(
            listed,
            TagList::Listed([r#""x,y""#, r#"W/"a""#, r#""""#, r#""b%22""#].map(Into::into).into())
        );
    }

    #[test]
    fn what_is_no_list_of_tags_is_named() {
        for (line, wrong) in [
            ("7", "7"),
            (r#""a", b"#, "b"),
            (r#"w/"a""#, r#"w/"a""#),
            (r#""a"#, r#""a"#),
            (r#""a" "b""#, r#""a" "b""#),
            (r#"*, "a""#, "*"),
            (r#"W/*"#, "W/*"),
        ] {
            assert_eq!(read(&[line]), Err(wrong.to_owned()), "{line}");
        }
    }

    #[test]
    fn only_equal_strong_tags_match_strongly() {
        let tag = r#""a""#;
        assert!(list(&[r#""x", "a""#]).matches_strongly(tag) && list(&["*"]).matches_strongly(tag));
        assert!(!list(&[r#"W/"a""#]).matches_strongly(tag));
        assert!(!list(&[r#""a""#]).matches_strongly(r#"W/"a""#));
        assert!(!list(&[r#"W/"a""#]).matches_strongly(r#"W/"a""#));
        assert!(!list(&[""]).matches_strongly(tag) && !list(&[r#""A""#]).matches_strongly(tag));
        assert!(list(&[r#"W/"a""#]).matches_weakly(tag) && list(&[tag]).matches_weakly(r#"W/"a""#));
        assert!(!list(&[r#""x,a,y""#]).matches_weakly(tag));
    }

    #[test]
    fn a_version_of_any_text_makes_a_tag_that_is_read_again() {
        for version in ["", "7", "2026-11-29T10:00:00.5Z", "a\"b", "é ü", "100%", "\n"] {
            let (strong, weak) = (ETag::strong(version), ETag::weak(version));
            assert!(is_tag(strong.as_str()) && is_tag(weak.as_str()), "{strong} {weak}");
            assert_eq!(opaque(weak.as_str()), strong.as_str());
        }
        assert_ne!(ETag::strong("a b"), ETag::strong("a%20b"));
    }
}
