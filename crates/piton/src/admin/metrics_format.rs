//! Chooses the format of the metrics by the `Accept` header (RFC 9110, section 12.5.1).

use http::{HeaderMap, header};

use crate::support::quality_value::{MAX_WEIGHT, parse_weight};

/// The weight of a media type in thousandths, and the precision of the range that gave it.
type Weight = (u16, Precision);

/// The precision of a media range. The most precise range that matches decides the weight.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Precision {
    None,
    Any,
    AnySubtype,
    Exact,
}

/// Returns whether OpenMetrics is to be sent: its weight is larger than that of text, or equal and
/// it is named first. Clients that name neither, or refuse both, get text.
pub(super) fn prefers_open_metrics(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let ranges: Vec<Range<'_>> =
        lines.flat_map(|line| line.split(',')).filter_map(Range::parse).collect();
    let open = weight(&ranges, "application", "openmetrics-text");
    let text = weight(&ranges, "text", "plain");
    let first = || {
        let first = ranges.iter().find(|range| range.is_exact());
        first.is_some_and(|range| range.of.eq_ignore_ascii_case("application"))
    };
    // A wildcard such as `*/*` gets text, unless text is refused: every client can read that.
    let is_named = open.1 > Precision::Any;
    let refuses_text = text.0 == 0 && text.1 > Precision::None;
    let is_preferred = is_named && (open.0 > text.0 || (open.0 == text.0 && first()));
    open.0 > 0 && (refuses_text || is_preferred)
}

fn weight(ranges: &[Range<'_>], of: &str, subtype: &str) -> Weight {
    let matching = ranges.iter().map(|range| (range.weight, range.precision(of, subtype)));
    let matching = matching.filter(|(_, precision)| *precision > Precision::None);
    // Of equally precise ranges the larger weight counts, since each version of a format is a range
    // of its own.
    matching.max_by_key(|(weight, precision)| (*precision, *weight)).unwrap_or((0, Precision::None))
}

/// One media range with its weight, such as `text/*;q=0.3`.
struct Range<'a> {
    of: &'a str,
    subtype: &'a str,
    weight: u16,
}

impl<'a> Range<'a> {
    /// Returns `None` for text that is not a range, and for format versions that are not supported.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (of, subtype) = parts.next()?.split_once('/')?;
        let mut weight = MAX_WEIGHT;
        for parameter in parts {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let (name, value) = (name.trim(), value.trim().trim_matches('"'));
            if name.eq_ignore_ascii_case("q") {
                weight = parse_weight(value)?;
            } else if name.eq_ignore_ascii_case("version")
                && subtype.eq_ignore_ascii_case("openmetrics-text")
                && value != "1.0.0"
            {
                return None;
            }
        }
        Some(Self { of, subtype, weight })
    }

    fn is_exact(&self) -> bool {
        self.precision("application", "openmetrics-text").max(self.precision("text", "plain"))
            == Precision::Exact
    }

    fn precision(&self, of: &str, subtype: &str) -> Precision {
        let same = self.of.eq_ignore_ascii_case(of);
        match (self.of, self.subtype) {
            ("*", "*") => Precision::Any,
            (_, "*") if same => Precision::AnySubtype,
            (_, own) if same && own.eq_ignore_ascii_case(subtype) => Precision::Exact,
            _ => Precision::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_open(accept: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        accept.iter().for_each(|line| {
            headers.append(header::ACCEPT, line.parse().unwrap());
        });
        prefers_open_metrics(&headers)
    }

    #[test]
    fn the_larger_weight_decides_and_then_the_order() {
        for open in [
            "application/openmetrics-text",
            "Application/OpenMetrics-Text; version=1.0.0",
            "application/openmetrics-text; version=\"1.0.0\"; charset=utf-8",
            "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            "text/plain;q=0.5, application/openmetrics-text;q=0.6",
            "application/openmetrics-text, text/plain",
            "application/openmetrics-text;q=0.1",
            "application/*, text/plain;q=0.9",
            "text/plain;q=0, application/openmetrics-text;q=0.001",
            "text/plain;q=0, */*",
            "text/*;q=0.2, application/openmetrics-text;q=0.3, */*;q=0.9",
        ] {
            assert!(is_open(&[open]), "{open}");
        }
        for text in [
            "",
            "*/*",
            "text/plain",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "application/json",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=0, */*",
            "application/openmetrics-text;q=0.000, text/plain;q=0",
            "text/plain, application/openmetrics-text",
            "text/plain;q=0.6, application/openmetrics-text;q=0.5",
            "text/plain;version=0.0.4;q=1,application/openmetrics-text;q=0.9",
            "application/openmetrics-text;q=0.5, */*",
            "application/openmetrics-text;version=0.0.1",
            "application/openmetrics-text;version=2.0.0",
            "application/openmetrics-text;q=x",
            "application/openmetrics-text-2",
            "x-application/openmetrics-text",
            "text/*",
            "*",
        ] {
            assert!(!is_open(&[text]), "{text}");
        }
        assert!(is_open(&["text/plain;q=0.1", "application/openmetrics-text;q=0.2"]));
        assert!(!is_open(&[]));
    }
}
