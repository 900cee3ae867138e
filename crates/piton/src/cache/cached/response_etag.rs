//! `ETag` and `If-None-Match` of cached responses (RFC 9110, sections 8.8.3 and 13.1.2).

use http::{HeaderMap, HeaderValue, header};
use sha2::{Digest, Sha256};

use crate::http::ETagList;

/// Computes the weak tag of a response. Weak, because the stack may send the body compressed: the same
/// response in other bytes.
pub(super) fn weak_etag(content_type: Option<&HeaderValue>, body: &[u8]) -> HeaderValue {
    let mut hash = Sha256::new();
    hash.update(content_type.map_or(&[][..], HeaderValue::as_bytes));
    hash.update([0]);
    hash.update(body);
    let digits = hash.finalize()[..12]
        .iter()
        .fold(String::from("W/\""), |text, byte| text + &format!("{byte:02x}"));
    HeaderValue::try_from(digits + "\"").expect("hexadecimal digits are ASCII")
}

/// The condition in the header `If-None-Match` of a request.
pub(super) struct IfNoneMatch(Option<ETagList>);

impl IfNoneMatch {
    /// Reads the header. A malformed one is ignored, because the whole response is always right.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        Self(ETagList::read(headers, &header::IF_NONE_MATCH).unwrap_or_default())
    }

    /// Returns whether the client has the response with this tag.
    pub fn knows(&self, etag: Option<&HeaderValue>) -> bool {
        let Some(list) = &self.0 else { return false };
        let etag = etag.and_then(|etag| etag.to_str().ok());
        etag.is_some_and(|etag| list.matches_weakly(etag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knows(lines: &[&'static str], etag: &'static str) -> bool {
        let lines = lines.iter().map(|line| HeaderValue::from_static(line));
        let headers = lines.map(|line| (header::IF_NONE_MATCH, line)).collect();
        IfNoneMatch::from_headers(&headers).knows(Some(&HeaderValue::from_static(etag)))
    }

    #[test]
    fn a_tag_matches_in_a_list_by_star_and_weakly() {
        assert!(knows(&[r#""a""#], r#""a""#));
        assert!(knows(&[r#""a""#], r#"W/"a""#) && knows(&[r#"W/"a""#], r#""a""#));
        assert!(knows(&[r#""x", W/"a" ,"y""#], r#"W/"a""#));
        assert!(knows(&[r#""x""#, r#""a""#], r#""a""#));
        assert!(knows(&["*"], r#""a""#));
        assert!(knows(&[r#""x,y", "z""#], r#""x,y""#));
        assert!(!knows(&[r#""x,a,y""#], r#""a""#) && !knows(&[], r#""a""#));
        assert!(!knows(&["a"], r#""a""#) && !IfNoneMatch(Some(ETagList::Any)).knows(None));
    }

    #[test]
    fn the_tag_is_weak_and_depends_on_type_and_body() {
        let json = HeaderValue::from_static("application/json");
        let one = weak_etag(Some(&json), b"{}");
        assert!(one.as_bytes().starts_with(b"W/\"") && one.len() == 28);
        assert_ne!(one, weak_etag(None, b"{}"));
        assert_ne!(one, weak_etag(Some(&json), b"[]"));
        assert_eq!(one, weak_etag(Some(&json), b"{}"));
    }
}
