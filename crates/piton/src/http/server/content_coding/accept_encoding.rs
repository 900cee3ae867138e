//! Negotiates the coding of a response by `Accept-Encoding` (RFC 9110, section 12.5.3).

use http::HeaderMap;

use super::coding::{Coding, OFFERED};
use crate::http::accepted_codings::AcceptedCodings;

/// Returns the offered coding that the client prefers, or `None` for the plain body.
///
/// A client that accepts nothing that is offered, and not even the plain body (`identity;q=0`), gets
/// the plain body: the handler may have changed something, and a 406 would hide that.
pub(super) fn preferred(headers: &HeaderMap) -> Option<Coding> {
    let accepted = AcceptedCodings::parse(headers);
    let others = accepted.others().unwrap_or(0);
    let mut best = (None, accepted.identity().unwrap_or(0));
    for coding in OFFERED {
        let own = accepted.weight(|name| Coding::of_name(name) == Some(*coding)).unwrap_or(others);
        // A coding is preferred to the plain body of the same weight, but not to one before it.
        if own > best.1 || (own == best.1 && own > 0 && best.0.is_none()) {
            best = (Some(*coding), own);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::*;

    fn preferred_of(lines: &[&'static str]) -> &'static str {
        let line =
            |text: &&'static str| (header::ACCEPT_ENCODING, http::HeaderValue::from_static(text));
        preferred(&lines.iter().map(line).collect()).map_or("identity", Coding::name)
    }

    #[test]
    fn weights_decide_and_equal_ones_take_the_smaller_output() {
        for (line, expected) in [
            ("", "identity"),
            ("gzip", "gzip"),
            ("X-GZIP", "gzip"),
            ("br;q=0.5, gzip", "gzip"),
            ("gzip;q=0.5 ,BR", "br"),
            ("gzip, deflate, br", "br"),
            ("gzip; Q=0.9, br ;q=0.9", "br"),
            ("gzip;q=0.001", "gzip"),
            ("deflate", "identity"),
            ("compress, x", "identity"),
            ("identity", "identity"),
            ("identity, gzip", "gzip"),
            ("identity;q=1, gzip;q=0.5", "identity"),
            ("identity;q=0.2, gzip;q=0.5", "gzip"),
            ("*;q=0, gzip", "gzip"),
            ("br;q=0, gzip;q=0.1", "gzip"),
            ("gzip;q=2, br;q=x", "identity"),
            ("gzip;level=9", "identity"),
        ] {
            assert_eq!(preferred_of(&[line]), expected, "{line}");
        }
        assert_eq!(preferred_of(&["br;q=0.1", "gzip;q=0.2"]), "gzip");
        assert_eq!(
            preferred_of(&["*, br;q=0.5"]),
            if cfg!(feature = "zstd") { "zstd" } else { "gzip" }
        );
        let newest = if cfg!(feature = "zstd") { "zstd" } else { "br" };
        assert_eq!(preferred_of(&["gzip, deflate, br, zstd"]), newest);
        assert_eq!(preferred_of(&["*"]), newest);
    }

    #[test]
    fn a_client_that_accepts_nothing_gets_the_plain_body() {
        for line in ["identity;q=0", "*;q=0", "gzip;q=0, *;q=0", "identity;q=0, compress"] {
            assert_eq!(preferred_of(&[line]), "identity", "{line}");
        }
        assert_eq!(preferred_of(&["identity;q=0, gzip;q=0.1"]), "gzip");
    }
}
