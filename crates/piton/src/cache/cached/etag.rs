//! `ETag`, and whether the client has the answer already (RFC 9110, sections 8.8.3 and 13.1.2).

use http::{HeaderMap, HeaderValue, header};
use sha2::{Digest, Sha256};

/// A weak tag of a body: the stack may send it compressed, which is the same answer in other bytes.
pub(super) fn of(content_type: Option<&HeaderValue>, body: &[u8]) -> HeaderValue {
    let mut hash = Sha256::new();
    hash.update(content_type.map_or(&[][..], HeaderValue::as_bytes));
    hash.update([0]);
    hash.update(body);
    let digits = hash.finalize()[..12]
        .iter()
        .fold(String::from("W/\""), |text, byte| text + &format!("{byte:02x}"));
    HeaderValue::try_from(digits + "\"").expect("hexadecimal digits are ASCII")
}

/// What the client says it has.
pub(super) struct Condition(Vec<HeaderValue>);

impl Condition {
    pub fn of(headers: &HeaderMap) -> Self {
        Self(headers.get_all(header::IF_NONE_MATCH).iter().cloned().collect())
    }

    /// Whether the client has what `etag` stands for. Weak comparison: `W/` makes no difference.
    pub fn knows(&self, etag: Option<&HeaderValue>) -> bool {
        let Some(etag) = etag.and_then(|etag| etag.to_str().ok()) else { return false };
        let etag = etag.trim_start_matches("W/");
        let lines = self.0.iter().filter_map(|line| line.to_str().ok());
        lines.flat_map(tags).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
    }
}

/// The tags of a list. A comma may stand in a tag, between its quotes.
fn tags(line: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let ends = move |letter: char| {
        quoted ^= letter == '"';
        letter == ',' && !quoted
    };
    line.split(ends).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knows(said: &[&'static str], etag: &'static str) -> bool {
        let condition = Condition(said.iter().map(|line| HeaderValue::from_static(line)).collect());
        condition.knows(Some(&HeaderValue::from_static(etag)))
    }

    #[test]
    fn a_client_knows_by_lists_by_star_and_weakly() {
        assert!(knows(&[r#""a""#], r#""a""#));
        assert!(knows(&[r#""a""#], r#"W/"a""#) && knows(&[r#"W/"a""#], r#""a""#));
        assert!(knows(&[r#""x", W/"a" ,"y""#], r#"W/"a""#));
        assert!(knows(&[r#""x""#, r#""a""#], r#""a""#));
        assert!(knows(&["*"], r#""a""#));
        assert!(knows(&[r#""x,y", "z""#], r#""x,y""#));
        assert!(!knows(&[r#""x,a,y""#], r#""a""#) && !knows(&[], r#""a""#));
        assert!(!Condition(vec![HeaderValue::from_static("*")]).knows(None));
    }

    #[test]
    fn the_tag_is_weak_and_of_type_and_body() {
        let json = HeaderValue::from_static("application/json");
        let one = of(Some(&json), b"{}");
        assert!(one.as_bytes().starts_with(b"W/\"") && one.len() == 28);
        assert_ne!(one, of(None, b"{}"));
        assert_ne!(one, of(Some(&json), b"[]"));
        assert_eq!(one, of(Some(&json), b"{}"));
    }
}
