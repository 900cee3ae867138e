//! The header `Link` with the links to other pages (RFC 8288).
//!
//! Each link is a query alone (`<?page=2>`), which the client resolves against the address that it requested. So links
//! are right behind every proxy, even if that changes hosts and paths.

use std::borrow::Cow;
use std::fmt::Write;

use http::HeaderValue;

use super::paging::Paging;
use crate::http::extract::urlencoded::filter_pairs;

/// Maximum length in bytes of a query that is repeated in every link. A longer one appears only in
/// the link to the next page, because most clients do not read the others.
const MAX_REPEATED_QUERY: usize = 2000;

/// Returns the query for the links to other pages, which lacks the number of the page.
pub(super) fn query_without_page(query: &str) -> String {
    // The pairs keep the form in which they were sent, because a comma and a `%2C` differ in a list.
    filter_pairs(query, |name, value| name != "page" && !value.is_empty())
}

/// Returns the query of pages with `per_page` items.
pub(super) fn with_per_page(query: &str, per_page: u32) -> String {
    let mut query = filter_pairs(query, |name, _| name != "per_page");
    let and = if query.is_empty() { "" } else { "&" };
    write!(query, "{and}per_page={per_page}").expect("writing to a String does not fail");
    query
}

/// Returns the links of page `page` of `pages`. The previous page may have another size.
pub(super) fn links(
    query: &str,
    page: u64,
    pages: u64,
    previous: Option<Paging>,
) -> Option<HeaderValue> {
    let others = [
        ("first", (pages > 0).then_some(1)),
        ("prev", (page > 1 && pages > 0).then(|| (page - 1).min(pages))),
        ("next", (page < pages).then_some(page + 1)),
        ("last", (pages > 0).then_some(pages)),
    ];
    let mut text = String::new();
    for (rel, page) in others {
        let Some(page) = page else { continue };
        if query.len() > MAX_REPEATED_QUERY && rel != "next" {
            continue;
        }
        let (query, page) = match previous.filter(|_| rel == "prev") {
            Some(Paging { page, per_page }) => {
                (Cow::Owned(with_per_page(query, per_page)), u64::from(page))
            }
            None => (Cow::Borrowed(query), page),
        };
        let comma = if text.is_empty() { "" } else { ", " };
        let and = if query.is_empty() { "" } else { "&" };
        write!(text, "{comma}<?{query}{and}page={page}>; rel=\"{rel}\"")
            .expect("writing to a String does not fail");
    }
    if text.is_empty() { None } else { HeaderValue::try_from(text).ok() }
}
