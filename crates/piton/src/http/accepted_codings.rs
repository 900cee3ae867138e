//! Parses `Accept-Encoding` (RFC 9110, section 12.5.3).

use http::{HeaderMap, header};

use crate::support::quality_value::{MAX_WEIGHT, parse_weight};

/// The codings that a client accepts, each with its weight in thousandths.
pub(in crate::http) struct AcceptedCodings<'a>(Vec<(&'a str, u16)>);

impl<'a> AcceptedCodings<'a> {
    /// Parses all lines of the header. Elements that are empty or have no valid weight are ignored.
    pub fn parse(headers: &'a HeaderMap) -> Self {
        let lines = headers.get_all(header::ACCEPT_ENCODING).iter();
        let elements = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
        Self(elements.filter_map(weighted).collect())
    }

    /// Returns the weight of the first coding whose name matches.
    pub fn weight(&self, is_name: impl Fn(&str) -> bool) -> Option<u16> {
        self.0.iter().find(|(name, _)| is_name(name)).map(|(_, weight)| *weight)
    }

    /// Returns the weight of the plain body, if the client lists it.
    pub fn identity(&self) -> Option<u16> {
        self.weight(|name| name.eq_ignore_ascii_case("identity"))
    }

    /// Returns the weight of all codings that are not listed (`*`).
    pub fn others(&self) -> Option<u16> {
        self.weight(|name| name == "*")
    }
}

/// Parses an element such as `gzip;q=0.5`.
fn weighted(element: &str) -> Option<(&str, u16)> {
    let (name, parameter) = element.split_once(';').unwrap_or((element, ""));
    let name = name.trim();
    if name.is_empty() {
        return None;
    }
    if parameter.trim().is_empty() {
        return Some((name, MAX_WEIGHT));
    }
    let (q, weight) = parameter.split_once('=')?;
    let weight = parse_weight(weight.trim())?;
    q.trim().eq_ignore_ascii_case("q").then_some((name, weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_has_a_name_and_perhaps_a_weight() {
        for (element, expected) in [
            ("gzip", Some(("gzip", 1000))),
            (" gzip ;", Some(("gzip", 1000))),
            ("br; Q = 0.5", Some(("br", 500))),
            ("br;q=0.001", Some(("br", 1))),
            ("*;q=0", Some(("*", 0))),
            ("", None),
            (";q=1", None),
            ("gzip;q=2", None),
            ("gzip;q=-1", None),
            ("gzip;q=1e0", None),
            ("gzip;q=0.0001", None),
            ("gzip;q=x", None),
            ("gzip;q=", None),
            ("gzip;level=9", None),
        ] {
            assert_eq!(weighted(element), expected, "{element}");
        }
    }
}
