//! Ranges of bytes (RFC 9110, section 14).

use std::ops::Range;

use http::HeaderValue;

/// The part of a representation that a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RequestedRange {
    /// All of it. Also for several ranges, which a server may ignore: answering them takes more bytes than the whole,
    /// and overlapping ones have been used to exhaust servers (CVE-2011-3192).
    Whole,
    /// The bytes of one range.
    Part(Range<u64>),
    /// A range beyond the end. The response is 416.
    Unsatisfiable,
}

impl RequestedRange {
    /// Reads the header `Range` for a representation of `length` bytes. A header that is not valid is ignored, as
    /// section 14.2 says.
    pub fn of(header: &HeaderValue, length: u64) -> Self {
        Self::parse(header.as_bytes(), length).unwrap_or(Self::Whole)
    }

    fn parse(header: &[u8], length: u64) -> Option<Self> {
        let (unit, ranges) = std::str::from_utf8(header).ok()?.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") || ranges.contains(',') {
            return None;
        }
        let (first, last) = ranges.trim().split_once('-')?;
        match (position(first)?, position(last)?) {
            (None, None) => None,
            (None, Some(0)) => Some(Self::Unsatisfiable),
            (None, Some(suffix)) if length > 0 => {
                Some(Self::Part(length.saturating_sub(suffix)..length))
            }
            (Some(first), Some(last)) if last < first => None,
            (Some(first), last) if first < length => {
                let end = last.map_or(length, |last| last.saturating_add(1).min(length));
                Some(Self::Part(first..end))
            }
            _ => Some(Self::Unsatisfiable),
        }
    }
}

/// Parses a position, which may be left out. Returns `None` if it is not a number.
fn position(text: &str) -> Option<Option<u64>> {
    match text {
        "" => Some(None),
        // `parse` alone would accept `+5`.
        digits if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
            // More digits than any file has bytes are a position behind its end.
            Some(Some(digits.parse().unwrap_or(u64::MAX)))
        }
        _ => None,
    }
}

/// Returns the value of `Content-Range` for a part.
pub(super) fn content_range(part: &Range<u64>, length: u64) -> HeaderValue {
    let text = format!("bytes {}-{}/{length}", part.start, part.end.saturating_sub(1));
    HeaderValue::try_from(text).expect("digits are a header's value")
}

/// Returns the value of `Content-Range` of a 416.
pub(super) fn unsatisfied_range(length: u64) -> HeaderValue {
    HeaderValue::try_from(format!("bytes */{length}")).expect("digits are a header's value")
}

#[cfg(test)]
mod tests {
    use super::*;
    use RequestedRange::{Part, Unsatisfiable, Whole};

    #[test]
    fn one_range_is_cut_to_the_length_and_an_invalid_one_is_ignored() {
        for (header, expected) in [
            ("bytes=0-0", Part(0..1)),
            ("bytes=2-4", Part(2..5)),
            ("Bytes = 2-", Part(2..10)),
            ("bytes=2-", Part(2..10)),
            ("BYTES=-3", Part(7..10)),
            ("bytes=-30", Part(0..10)),
            ("bytes=5-99999999999999999999999", Part(5..10)),
            ("bytes=10-", Unsatisfiable),
            ("bytes=99999999999999999999999-", Unsatisfiable),
            ("bytes=-0", Unsatisfiable),
            ("bytes=4-2", Whole),
            ("bytes=0-1,3-4", Whole),
            ("bytes=+1-2", Whole),
            ("bytes=a-b", Whole),
            ("bytes=-", Whole),
            ("bytes=", Whole),
            ("items=0-1", Whole),
            ("", Whole),
        ] {
            let found = RequestedRange::of(&HeaderValue::from_static(header), 10);
            assert_eq!(found, expected, "{header}");
        }
    }

    #[test]
    fn an_empty_representation_has_no_part() {
        for header in ["bytes=0-", "bytes=-5", "bytes=0-0"] {
            assert_eq!(RequestedRange::of(&HeaderValue::from_static(header), 0), Unsatisfiable);
        }
    }
}
