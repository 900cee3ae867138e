//! The content codings of this build.

pub(super) use super::zstd::OFFERED;

/// A content coding, as `Content-Encoding` and `Accept-Encoding` name it. Those of [`OFFERED`] are in
/// the order of preference for a client that accepts several equally: the smallest output for its time
/// first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Zstd,
    Brotli,
    Gzip,
    /// The zlib format. Only decoded: every client that accepts it accepts gzip, too.
    Deflate,
}

impl Coding {
    const ALL: [Self; 4] = [Self::Zstd, Self::Brotli, Self::Gzip, Self::Deflate];

    /// Returns the name in headers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }

    /// Returns the coding of that name, if this build has it. Names are case-insensitive; `x-gzip` is `gzip` (RFC 9110,
    /// section 8.4.1.3).
    pub fn of_name(name: &str) -> Option<Self> {
        let name = if name.eq_ignore_ascii_case("x-gzip") { "gzip" } else { name };
        let named = Self::ALL.into_iter().find(|it| it.name().eq_ignore_ascii_case(name));
        named.filter(|coding| *coding == Self::Deflate || OFFERED.contains(coding))
    }
}
