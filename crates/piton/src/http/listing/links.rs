//! Links to the other pages, as the header `Link` has them (RFC 8288).
//!
//! Each is the query alone (`<?page=2>`), which a client resolves against the address it asked: so
//! they are right behind every proxy, whatever that makes of hosts and paths.

use std::fmt::Write;

use http::HeaderValue;

use super::super::pairs;

/// A query longer than this is not repeated in a header that most clients do not read.
const MOST: usize = 2000;

/// The query of the other pages of a list, but for the number of the page.
pub(super) fn query_without_page(query: &str) -> String {
    if query.len() > MOST || query.is_empty() {
        return String::new();
    }
    let mut pairs = pairs::split(query.as_bytes());
    pairs.retain(|(name, value)| name != "page" && !value.is_empty());
    serde_urlencoded::to_string(pairs).unwrap_or_default()
}

/// The links from page `page` of `pages`.
pub(super) fn links(query: &str, page: u64, pages: u64) -> Option<HeaderValue> {
    let others = [
        ("first", (pages > 0).then_some(1)),
        ("prev", (page > 1 && pages > 0).then(|| (page - 1).min(pages))),
        ("next", (page < pages).then_some(page + 1)),
        ("last", (pages > 0).then_some(pages)),
    ];
    let mut text = String::new();
    for (rel, page) in others {
        let Some(page) = page else { continue };
        let comma = if text.is_empty() { "" } else { ", " };
        let and = if query.is_empty() { "" } else { "&" };
        write!(text, "{comma}<?{query}{and}page={page}>; rel=\"{rel}\"")
            .expect("a String takes all text");
    }
    if text.is_empty() { None } else { HeaderValue::try_from(text).ok() }
}
