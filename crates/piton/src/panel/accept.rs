//! Which of two forms a request prefers.

use http::{HeaderMap, header};

/// Whether the request prefers JSON to a page. Who has no preference gets the page.
pub(super) fn prefers_json(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let ranges: Vec<(&str, f32)> = lines.flat_map(|line| line.split(',')).map(range).collect();
    weight(&ranges, ["application/json", "application/*", "*/*"])
        > weight(&ranges, ["text/html", "text/*", "*/*"])
}

/// `text/html;q=0.5`.
fn range(text: &str) -> (&str, f32) {
    let mut parts = text.split(';').map(str::trim);
    let range = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| {
        let (name, weight) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| weight.trim().parse().unwrap_or(0.0))
    });
    (range, weight.unwrap_or(1.0))
}

/// What the most specific of the ranges says.
fn weight(ranges: &[(&str, f32)], names: [&str; 3]) -> f32 {
    let of = |name: &str| {
        let mut all = ranges.iter().filter(|(range, _)| range.eq_ignore_ascii_case(name));
        all.next().map(|(_, weight)| *weight)
    };
    names.into_iter().find_map(of).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_for_those_who_prefer_it() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8";
        for (accept, json) in [
            ("application/json", true),
            ("Application/JSON", true),
            ("application/*", true),
            ("application/json, text/html;q=0.9", true),
            ("*/*;q=0.1, application/json", true),
            ("text/html, application/json", false),
            ("application/json;q=0.5, text/html", false),
            ("application/json;q=0", false),
            ("application/json;q=x", false),
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
