//! Timestamps: formatted as RFC 3339, and parsed in the variants that libraries of common languages write.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, SecondsFormat, Utc};

use super::error::ConvertError;
use super::pattern::matches_template;

/// A timestamp with an offset (RFC 3339): `2026-11-21T09:30:00Z`, `2026-11-21T06:30:00.5-03:00`. The offset is required.
///
/// These unambiguous variants are accepted too, because clients send them: an offset as `+0300` or `+03`, no seconds
/// (`2026-11-21T09:30Z`, as Java writes a full minute), a space instead of the `T`, lower-case letters, and a space
/// instead of the `+` of an offset, which is how a query decodes a `+` that is not written as `%2B`.
///
/// ```
/// use piton::convert::Timestamp;
///
/// let timestamp: Timestamp = "2026-11-21T06:30:00-03:00".parse()?;
/// assert_eq!(timestamp.to_string(), "2026-11-21T09:30:00Z");
/// assert_eq!("2026-11-21 06:30-0300".parse::<Timestamp>()?, timestamp);
/// for wrong in ["2026-11-21", "2026-11-21T09:30:00", "2026-11-21T9:30:00Z", "20261121T093000Z"] {
///     assert!(wrong.parse::<Timestamp>().is_err());
/// }
/// # Ok::<(), piton::convert::ConvertError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub DateTime<Utc>);

crate::__converter!(Timestamp:
    format = "date-time",
    description = "a timestamp with an offset, in the form of RFC 3339",
    pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?([Zz]|[+ -][0-9]{2}(:?[0-9]{2})?)$",
    example = "2026-11-21T09:30:00Z",
);

impl FromStr for Timestamp {
    type Err = ConvertError;

    fn from_str(text: &str) -> Result<Self, ConvertError> {
        let text = to_rfc3339(text).ok_or_else(|| {
            ConvertError::new(
                "a timestamp is written as 2026-11-21T09:30:00Z, or with an offset instead of Z",
            )
        })?;
        let timestamp = DateTime::parse_from_rfc3339(&text)
            .map_err(|_| ConvertError::new("there is no such date or time"))?
            .to_utc();
        // Other years are rejected, because their text does not sort by time, and SQLite stores timestamps as text.
        if !(0..=9999).contains(&timestamp.year()) {
            return Err(ConvertError::new("the year of a timestamp must be from 0 to 9999 in UTC"));
        }
        Ok(Self(timestamp))
    }
}

/// Converts an accepted variant to the form of RFC 3339. Returns `None` for any other text.
fn to_rfc3339(text: &str) -> Option<Cow<'_, str>> {
    let minute = text.get(..16).filter(|minute| is_date_and_minute(minute.as_bytes()))?;
    let rest = &text[16..];
    let (seconds, offset) = rest.split_at(seconds_length(rest.as_bytes())?);
    let offset = to_rfc3339_offset(offset)?;
    // Nearly every timestamp is in that form already; it is borrowed instead of copied.
    if !seconds.is_empty() && text.ends_with(&*offset) && !minute.contains(' ') {
        return Some(text.into());
    }
    let seconds = if seconds.is_empty() { ":00" } else { seconds };
    Some(format!("{}{seconds}{offset}", minute.replace(' ', "T")).into())
}

fn is_date_and_minute(text: &[u8]) -> bool {
    let templates: [&[u8]; 3] = [b"9999-99-99T99:99", b"9999-99-99t99:99", b"9999-99-99 99:99"];
    templates.iter().any(|template| matches_template(text, template))
}

/// Returns the length of `:30` or `:30.5` at the start of `text`; 0 if there are no seconds.
fn seconds_length(text: &[u8]) -> Option<usize> {
    if text.first() != Some(&b':') {
        return Some(0);
    }
    matches_template(text.get(..3)?, b":99").then_some(())?;
    let Some((b'.', fraction)) = text[3..].split_first() else { return Some(3) };
    let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (digits > 0).then_some(4 + digits)
}

/// Converts an accepted offset to `Z` or `+03:00`.
fn to_rfc3339_offset(zone: &str) -> Option<Cow<'_, str>> {
    if matches!(zone, "Z" | "z") {
        return Some(zone.into());
    }
    let sign = match zone.as_bytes().first()? {
        b'-' => '-',
        // A space counts as `+`, because a query decodes `+` as a space.
        b'+' | b' ' => '+',
        _ => return None,
    };
    let offset = &zone[1..];
    let has = |template: &[u8]| matches_template(offset.as_bytes(), template);
    if has(b"99:99") {
        let is_rfc3339 = zone.starts_with(sign);
        return Some(if is_rfc3339 { zone.into() } else { format!("{sign}{offset}").into() });
    }
    if has(b"9999") {
        return Some(format!("{sign}{}:{}", &offset[..2], &offset[2..]).into());
    }
    has(b"99").then(|| format!("{sign}{offset}:00").into())
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl From<Timestamp> for DateTime<Utc> {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_rfc_3339_is_accepted() {
        for (text, shown) in [
            ("1985-04-12T23:20:50.52Z", "1985-04-12T23:20:50.520Z"),
            ("1996-12-19T16:39:57-08:00", "1996-12-20T00:39:57Z"),
            ("1937-01-01t12:00:27.87+00:20", "1937-01-01T11:40:27.870Z"),
            ("1990-12-31T23:59:60z", "1990-12-31T23:59:60Z"),
            ("2026-11-21T00:00:00.123456789123Z", "2026-11-21T00:00:00.123456789Z"),
            ("2026-11-21T00:00:00-00:00", "2026-11-21T00:00:00Z"),
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn variants_written_by_libraries_of_other_languages_are_accepted() {
        for (text, shown) in [
            // Python: isoformat, str, strftime("%z").
            ("2026-11-21T09:30:00+00:00", "2026-11-21T09:30:00Z"),
            ("2026-11-21 09:30:00.123456+00:00", "2026-11-21T09:30:00.123456Z"),
            ("2026-11-21T09:30:00-0330", "2026-11-21T13:00:00Z"),
            ("2026-11-21T09:30:00+0000", "2026-11-21T09:30:00Z"),
            // Java: OffsetDateTime, Instant. JavaScript: toISOString. PostgreSQL's zones.
            ("2026-01-01T00:00Z", "2026-01-01T00:00:00Z"),
            ("2026-01-01T00:00+01:00", "2025-12-31T23:00:00Z"),
            ("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00Z"),
            ("2026-01-01 00:00:00+00", "2026-01-01T00:00:00Z"),
            ("2026-01-01t00:00z", "2026-01-01T00:00:00Z"),
            // A `+` in a query that was not encoded.
            ("2026-11-21T09:30:00 03:00", "2026-11-21T06:30:00Z"),
            ("2026-11-21T09:30:00.5 0000", "2026-11-21T09:30:00.500Z"),
            ("2026-11-21 09:30 03", "2026-11-21T06:30:00Z"),
        ] {
            let read = text.parse::<Timestamp>().unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!(read.to_string(), shown, "{text}");
        }
    }

    #[test]
    fn a_malformed_timestamp_has_another_message_than_one_that_does_not_exist() {
        let why = |text: &str| text.parse::<Timestamp>().unwrap_err().to_string();
        for text in [
            "2026-11-21T00:00:00+0",
            "2026-11-21T00:00:00+000",
            "2026-11-21T00:00:00+00:0",
            "2026-11-21T00:00:00+00:00:00",
            "2026-11-21T00:00:00--03",
            "2026-11-21T00:00:00.Z",
            "2026-11-21T00:00:Z",
            "2026-11-21T00:00.5Z",
            "2026-11-21T00Z",
            "2026-11-21T000000Z",
            "20261121T00:00:00Z",
            "+2026-11-21T00:00:00Z",
            "2026-11-21T00:00:00é",
            "2026-11-21T00:0é:00Z",
            "2026-11-21T00:00:00Z ",
            "2026-11-21  00:00:00Z",
            "2026-11-21T00:00:00  03:00",
            "2026-11-21T00:00:00",
            "2026-11-21 00:00",
            "2026-11-21",
            "",
        ] {
            assert!(why(text).starts_with("a timestamp is written as"), "{text}");
        }
        assert!(why("2026-02-30T00:00:00Z").starts_with("there is no such date or time"));
        assert!(why("2026-02-20T24:00:00Z").starts_with("there is no such date or time"));
        assert!(why("9999-12-31T23:59:59-01:00").starts_with("the year of a timestamp"));
        assert!(why("0000-01-01T00:00:00+01:00").starts_with("the year of a timestamp"));
    }
}
