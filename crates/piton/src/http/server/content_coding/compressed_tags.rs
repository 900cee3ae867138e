//! Entity tags of compressed responses.
//!
//! A strong tag promises the same bytes, which compression changes: RFC 9110 (section 8.8.3.3) asks for
//! another tag. The compressed response gets a weak one, because two versions of a compressor write
//! other bytes for the same content. Its suffix marks the tag as made here from a strong one: a
//! condition that names it is compared as the strong tag, so that a browser, which always accepts
//! compressed responses, can send `If-Match` with the tag that it got.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::coding::{Coding, OFFERED};
use crate::http::extract::entity_tag::ETagList;

/// Separates a strong tag from the name of the coding. Two hyphens, because tags of services may well
/// end with `-br`.
const SEPARATOR: &str = "--";

/// Replaces the tags of compressed responses in the conditions of a request by those that the handler
/// knows. Returns the coding of the first such tag in `If-None-Match`.
pub(super) fn restore(headers: &mut HeaderMap) -> Option<Coding> {
    restore_in(headers, &header::IF_MATCH);
    restore_in(headers, &header::IF_NONE_MATCH)
}

fn restore_in(headers: &mut HeaderMap, name: &HeaderName) -> Option<Coding> {
    let mut lines = headers.get_all(name).iter();
    // Most requests end here.
    if !lines.any(|line| line.as_bytes().windows(2).any(|pair| pair == SEPARATOR.as_bytes())) {
        return None;
    }
    // A malformed list stays as it is, for the handler to refuse.
    let Ok(Some(ETagList::Listed(tags))) = ETagList::read(headers, name) else { return None };
    let first = tags.iter().find_map(|tag| Some(split(tag)?.1))?;
    let restored: Vec<String> = tags
        .iter()
        .map(|tag| split(tag).map_or_else(|| tag.to_string(), |(strong, _)| strong))
        .collect();
    // A tag that is not ASCII (`obs-text`) was read lossily, and is no tag of ours.
    headers.insert(name.clone(), HeaderValue::try_from(restored.join(", ")).ok()?);
    Some(first)
}

/// Returns the strong tag that the tag of a compressed response was made from, and the coding.
fn split(tag: &str) -> Option<(String, Coding)> {
    let (start, coding) = tag.strip_prefix("W/")?.strip_suffix('"')?.rsplit_once(SEPARATOR)?;
    let coding = OFFERED.iter().find(|offered| offered.name() == coding)?;
    Some((format!("{start}\""), *coding))
}

/// Makes the strong tag of a response that of its compressed form. A weak tag stays as it is: it allows
/// for other bytes.
pub(super) fn weaken(headers: &mut HeaderMap, coding: Coding) {
    let tag = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok());
    let strong = tag.filter(|tag| tag.starts_with('"')).and_then(|tag| tag.strip_suffix('"'));
    let Some(start) = strong else { return };
    let weak = HeaderValue::try_from(format!("W/{start}{SEPARATOR}{}\"", coding.name()));
    if let Ok(weak) = weak {
        headers.insert(header::ETAG, weak);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restored(line: &'static str) -> (String, Option<Coding>) {
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static(line));
        let coding = restore(&mut headers);
        (headers[header::IF_NONE_MATCH].to_str().unwrap().to_owned(), coding)
    }

    #[test]
    fn tags_made_here_are_restored_and_others_stay() {
        assert_eq!(restored(r#"W/"7--gzip""#), (r#""7""#.into(), Some(Coding::Gzip)));
        assert_eq!(
            restored(r#""6" ,W/"a,--b", W/"7--br", W/"7--gzip""#),
            (r#""6", W/"a,--b", "7", "7""#.into(), Some(Coding::Brotli))
        );
        for other in [r#""7--gzip""#, r#"W/"7-gzip""#, r#"W/"7--deflate""#, "*", r#"W/"7--gzip"#] {
            assert_eq!(restored(other), (other.to_owned(), None));
        }
    }

    #[test]
    fn a_strong_tag_becomes_weak_and_a_weak_one_stays() {
        for (tag, expected) in [
            (r#""7""#, r#"W/"7--br""#),
            (r#""""#, r#"W/"--br""#),
            (r#"W/"7""#, r#"W/"7""#),
            ("7", "7"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ETAG, HeaderValue::from_static(tag));
            weaken(&mut headers, Coding::Brotli);
            assert_eq!(headers[header::ETAG], expected);
            let mut again = HeaderMap::new();
            again.insert(header::IF_MATCH, headers[header::ETAG].clone());
            restore(&mut again);
            assert_eq!(again[header::IF_MATCH], tag);
        }
    }
}
