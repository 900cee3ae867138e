//! The content codings of this build.

pub(super) use super::zstd::OFFERED;

/// A content coding, as `Content-Encoding` and `Accept-Encoding` name it. Those of [`OFFERED`] are in
/// the order of preference for a client that accepts several equally: the smallest output for its time
/// first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    #[cfg_attr(not(feature = "zstd"), expect(dead_code, reason = "neither offered nor decoded"))]
    Zstd,
    Brotli,
    Gzip,
    /// The zlib format. Only decoded: every client that accepts it accepts gzip, too.
    Deflate,
}

impl Coding {
    /// Returns the name in headers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }

    /// Returns the coding of that name. Names are case-insensitive; `x-gzip` is `gzip` (RFC 9110,
    /// section 8.4.1.3).
    pub fn of_name(name: &str) -> Option<Self> {
        let name = if name.eq_ignore_ascii_case("x-gzip") { "gzip" } else { name };
        let mut known = OFFERED.iter().copied().chain([Self::Deflate]);
        known.find(|coding| coding.name().eq_ignore_ascii_case(name))
    }
}
