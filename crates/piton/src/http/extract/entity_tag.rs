//! Entity tags and lists of them (RFC 9110, section 8.8.3).

use std::borrow::Cow;
use std::fmt::{self, Display};

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

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
    /// of a resource must never have the same version: [`If-Match`](crate::http::Preconditions) relies on it.
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

    /// Makes a tag that begins with `start`.
    fn quoted(start: &str, version: &dyn Display) -> Self {
        let version = version.to_string();
        let tag = format!("{start}{}\"", utf8_percent_encode(&version, NOT_IN_TAGS));
        Self(HeaderValue::try_from(tag).expect("printable ASCII is a header's value"))
    }

    /// Returns the value of the header `ETag`.
    #[must_use]
    pub fn as_header(&self) -> &HeaderValue {
        &self.0
    }

    /// Converts the tag to the value of the header `ETag`.
    pub(super) fn into_header(self) -> HeaderValue {
        self.0
    }

    /// Returns the tag as text, quotes included.
    pub(super) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

impl Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The value of `If-Match` or `If-None-Match` (RFC 9110, section 13.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ETagList {
    /// `*`: any representation.
    Any,
    /// The tags as they were sent, quotes and `W/` included.
    Listed(Vec<Box<str>>),
}

impl JsonSchema for ETagList {
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

impl ETagList {
    /// Parses all lines of a header. Returns `None` if there are none.
    ///
    /// # Errors
    /// The text that is not an entity tag; `*` if it comes with tags.
    pub fn read(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Self>, String> {
        let mut lines = headers.get_all(name).iter().peekable();
        if lines.peek().is_none() {
            return Ok(None);
        }
        let mut listed = Vec::new();
        let mut any = false;
        for line in lines {
            // The lossy conversion is safe, because our tags are ASCII: a tag with other bytes (`obs-text`) matches
            // none of them.
            let line = String::from_utf8_lossy(line.as_bytes());
            for tag in split_tags(&line).filter(|tag| !tag.is_empty()) {
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

    /// Returns whether one of the tags is `tag` by the strong comparison (RFC 9110, section 8.8.3.2): both are strong and
    /// equal.
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

    /// Returns whether one of the tags is weak.
    pub fn has_weak(&self) -> bool {
        matches!(self, Self::Listed(tags) if tags.iter().any(|tag| tag.starts_with("W/")))
    }
}

/// Returns whether the client's `If-None-Match` lists `tag`, so that 304 is enough. A malformed header is ignored,
/// because the whole response is always right.
#[cfg(feature = "openapi")]
pub(crate) fn is_not_modified(headers: &HeaderMap, tag: &str) -> bool {
    let list = ETagList::read(headers, &http::header::IF_NONE_MATCH);
    list.ok().flatten().is_some_and(|list| list.matches_weakly(tag))
}

/// Returns the tag without `W/`.
fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// Returns whether `text` has the form of an entity tag.
fn is_tag(text: &str) -> bool {
    let inner = opaque(text).strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.is_some_and(|inner| !inner.contains(|letter| matches!(letter, '"' | '\0'..=' ' | '\x7f')))
}

/// Splits a list at its commas. A tag may contain commas within its quotes.
fn split_tags(line: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let ends = move |letter: char| {
        quoted ^= letter == '"';
        letter == ',' && !quoted
    };
    line.split(ends).map(|tag| tag.trim_matches([' ', '\t']))
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::*;

    fn read(lines: &[&'static str]) -> Result<Option<ETagList>, String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::IF_MATCH, HeaderValue::from_static(line));
        }
        ETagList::read(&headers, &header::IF_MATCH)
    }

    fn list(lines: &[&'static str]) -> ETagList {
        read(lines).unwrap().unwrap()
    }

    #[test]
    fn lists_stars_and_several_lines_are_parsed() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(list(&["*"]), ETagList::Any);
        assert_eq!(list(&[""]), ETagList::Listed(Vec::new()));
        let listed = list(&[r#""x,y", W/"a" ,,"""#, r#""b%22""#]);
        assert_eq!(
            listed,
            ETagList::Listed([r#""x,y""#, r#"W/"a""#, r#""""#, r#""b%22""#].map(Into::into).into())
        );
    }

    #[test]
    fn text_that_is_not_a_list_of_tags_is_named() {
        for (line, invalid) in [
            ("7", "7"),
            (r#""a", b"#, "b"),
            (r#"w/"a""#, r#"w/"a""#),
            (r#""a"#, r#""a"#),
            (r#""a" "b""#, r#""a" "b""#),
            (r#"*, "a""#, "*"),
            (r#"W/*"#, "W/*"),
        ] {
            assert_eq!(read(&[line]), Err(invalid.to_owned()), "{line}");
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
    fn a_version_of_any_text_makes_a_valid_tag() {
        for version in ["", "7", "2026-11-29T10:00:00.5Z", "a\"b", "é ü", "100%", "\n"] {
            let (strong, weak) = (ETag::strong(version), ETag::weak(version));
            assert!(is_tag(strong.as_str()) && is_tag(weak.as_str()), "{strong} {weak}");
            assert_eq!(opaque(weak.as_str()), strong.as_str());
        }
        assert_ne!(ETag::strong("a b"), ETag::strong("a%20b"));
    }
}
