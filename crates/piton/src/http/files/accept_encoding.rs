//! The choice between a file and its precompressed siblings, by `Accept-Encoding` (RFC 9110, section 12.5.3).

use http::HeaderMap;

use crate::http::accepted_codings::AcceptedCodings;

/// A content coding of which files may be stored next to the plain one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoredCoding {
    Brotli,
    Zstd,
    Gzip,
}

impl StoredCoding {
    /// All codings, from the smallest result.
    pub const ALL: [Self; 3] = [Self::Brotli, Self::Zstd, Self::Gzip];

    /// Returns the name in `Accept-Encoding` and `Content-Encoding`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// Returns whether a client means this coding. Names are case-insensitive; `x-gzip` is `gzip` (RFC 9110, section
    /// 8.4.1.3).
    fn is_named(self, name: &str) -> bool {
        name.eq_ignore_ascii_case(self.name())
            || self == Self::Gzip && name.eq_ignore_ascii_case("x-gzip")
    }

    /// Returns the end of the sibling's name: `app.js.br`.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Zstd => ".zst",
            Self::Gzip => ".gz",
        }
    }
}

/// Returns the codings that the client accepts at least as much as the plain file, the preferred first.
pub(super) fn accepted(headers: &HeaderMap) -> Vec<StoredCoding> {
    let accepted = AcceptedCodings::parse(headers);
    let plain = accepted.identity().unwrap_or(0);
    let weight_of =
        |coding: StoredCoding| accepted.weight(|name| coding.is_named(name)).or(accepted.others());
    let mut codings: Vec<(u16, StoredCoding)> = StoredCoding::ALL
        .into_iter()
        .filter_map(|coding| Some((weight_of(coding)?, coding)))
        .filter(|(weight, _)| *weight > 0 && *weight >= plain)
        .collect();
    // Stable, so that of equal weights the smallest result comes first.
    codings.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    codings.into_iter().map(|(_, coding)| coding).collect()
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header};

    use super::*;

    #[test]
    fn the_clients_weights_decide_and_then_the_size() {
        use StoredCoding::{Brotli, Gzip, Zstd};
        for (header, expected) in [
            ("", &[][..]),
            ("gzip, deflate, br, zstd", &[Brotli, Zstd, Gzip]),
            ("gzip;q=1.0, br;q=0.5", &[Gzip, Brotli]),
            ("br;q=0, gzip", &[Gzip]),
            ("*", &[Brotli, Zstd, Gzip]),
            ("*;q=0", &[]),
            ("*;q=0.1, br;q=0", &[Zstd, Gzip]),
            ("identity, br;q=0.5", &[]),
            ("GZIP;Q=0.3", &[Gzip]),
            ("X-Gzip", &[Gzip]),
            ("gzip;q=x", &[]),
            ("gzip;q=2, br", &[Brotli]),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(header));
            assert_eq!(accepted(&headers), expected, "{header}");
        }
        assert!(accepted(&HeaderMap::new()).is_empty());
    }
}
