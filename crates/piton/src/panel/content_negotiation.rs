//! Content negotiation between the page and JSON (RFC 9110, section 12.5.1).

use http::{HeaderMap, header};

use crate::support::quality_value::{MAX_WEIGHT, parse_weight};

/// Returns whether the request prefers JSON to the page, or refuses the page and not JSON. A request without
/// a preference gets the page.
pub(super) fn prefers_json(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let ranges: Vec<(&str, u16)> =
        lines.flat_map(|line| line.split(',')).map(media_range).collect();
    let json = weight(&ranges, ["application/json", "application/*", "*/*"]);
    let page = weight(&ranges, ["text/html", "text/*", "*/*"]);
    match (json, page) {
        (None, page) => page == Some(0),
        (Some(json), page) => json > page.unwrap_or(0),
    }
}

/// Parses a media range and its weight: `text/html;q=0.5`.
fn media_range(text: &str) -> (&str, u16) {
    let mut parts = text.split(';').map(str::trim);
    let range = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| {
        let (name, weight) = part.split_once('=')?;
        let weight = parse_weight(weight.trim());
        name.trim().eq_ignore_ascii_case("q").then_some(weight.unwrap_or(0))
    });
    (range, weight.unwrap_or(MAX_WEIGHT))
}

/// Returns the weight of the most specific of the ranges in `names`, from the most specific to the least;
/// `None` if the request has none of them.
fn weight(ranges: &[(&str, u16)], names: [&str; 3]) -> Option<u16> {
    let of = |name: &str| {
        let mut all = ranges.iter().filter(|(range, _)| range.eq_ignore_ascii_case(name));
        all.next().map(|(_, weight)| *weight)
    };
    names.into_iter().find_map(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_the_response_to_requests_that_prefer_it() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8";
        for (accept, json) in [
            ("application/json", true),
            ("Application/JSON", true),
            ("application/*", true),
            ("application/json, text/html;q=0.9", true),
            ("*/*;q=0.1, application/json", true),
            ("text/html;q=0", true),
            ("text/*;q=0", true),
            ("text/html;q=0, */*", true),
            ("application/json;q=0.5, text/html;q=0, */*;q=0", true),
            ("application/json;q=0, text/html;q=0", false),
            ("application/json;q=0, */*", false),
            ("application/json;q=0, text/html;q=0.1", false),
            ("*/*;q=0", false),
            ("text/html, application/json", false),
            ("application/json;q=0.5, text/html", false),
            ("application/json;q=0", false),
            ("application/json;q=x", false),
            ("application/json;q=inf", false),
            ("*/*", false),
            ("image/png", false),
            ("", false),
            (browser, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            assert_eq!(prefers_json(&headers), json, "{accept}");
        }
        assert!(!prefers_json(&HeaderMap::new()));
    }
}
