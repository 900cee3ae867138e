//! A moment: written as RFC 3339 has it, and read in the forms that the libraries of common languages write.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, SecondsFormat, Utc};

use super::{Refused, has_form};

/// A moment: `2026-11-21T09:30:00Z`, `2026-11-21T06:30:00.5-03:00`. The zone is never left out.
///
/// Also read are forms that mean the same and that clients send: a zone as `+0300` or `+03`, no seconds
/// (`2026-11-21T09:30Z`, as Java writes a full minute), a blank for the `T`, small letters, and a blank for the `+` of
/// a zone, which is what a query makes of a `+` that is not written `%2B`.
///
/// ```
/// use piton::convert::Moment;
///
/// let moment: Moment = "2026-11-21T06:30:00-03:00".parse()?;
/// assert_eq!(moment.to_string(), "2026-11-21T09:30:00Z");
/// assert_eq!("2026-11-21 06:30-0300".parse::<Moment>()?, moment);
/// for wrong in ["2026-11-21", "2026-11-21T09:30:00", "2026-11-21T9:30:00Z", "20261121T093000Z"] {
///     assert!(wrong.parse::<Moment>().is_err());
/// }
/// # Ok::<(), piton::convert::Refused>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub DateTime<Utc>);

crate::__converter!(Moment:
    format = "date-time",
    about = "a moment with its zone, as RFC 3339 writes it",
    pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?([Zz]|[+ -][0-9]{2}(:?[0-9]{2})?)$",
    example = "2026-11-21T09:30:00Z",
);

impl FromStr for Moment {
    type Err = Refused;

    fn from_str(text: &str) -> Result<Self, Refused> {
        let text = strict(text).ok_or_else(|| {
            Refused::new(
                "a moment is written as 2026-11-21T09:30:00Z, or with the zone's offset instead of Z",
            )
        })?;
        let moment = DateTime::parse_from_rfc3339(&text)
            .map_err(|_| Refused::new("there is no such moment in the calendar"))?
            .to_utc();
        // What no database keeps in a form that sorts.
        if !(0..=9999).contains(&moment.year()) {
            return Err(Refused::new("a moment is in the years 0 to 9999, also in UTC"));
        }
        Ok(Self(moment))
    }
}

/// Returns `text` as RFC 3339 writes it, if it has one of the forms that are read.
fn strict(text: &str) -> Option<Cow<'_, str>> {
    let minute = text.get(..16).filter(|minute| has_minute(minute.as_bytes()))?;
    let rest = &text[16..];
    let (seconds, zone) = rest.split_at(length_of_seconds(rest.as_bytes())?);
    let zone = strict_zone(zone)?;
    // Nearly every moment is written right, and is not copied.
    if !seconds.is_empty() && text.ends_with(&*zone) && !minute.contains(' ') {
        return Some(text.into());
    }
    let seconds = if seconds.is_empty() { ":00" } else { seconds };
    Some(format!("{}{seconds}{zone}", minute.replace(' ', "T")).into())
}

fn has_minute(text: &[u8]) -> bool {
    let forms: [&[u8]; 3] = [b"9999-99-99T99:99", b"9999-99-99t99:99", b"9999-99-99 99:99"];
    forms.iter().any(|form| has_form(text, form))
}

/// Returns the length of `:30` or `:30.5` at the start; 0 if the seconds are left out.
fn length_of_seconds(text: &[u8]) -> Option<usize> {
    if text.first() != Some(&b':') {
        return Some(0);
    }
    has_form(text.get(..3)?, b":99").then_some(())?;
    let Some((b'.', fraction)) = text[3..].split_first() else { return Some(3) };
    let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (digits > 0).then_some(4 + digits)
}

fn strict_zone(zone: &str) -> Option<Cow<'_, str>> {
    if matches!(zone, "Z" | "z") {
        return Some(zone.into());
    }
    let sign = match zone.as_bytes().first()? {
        b'-' => '-',
        // A `+` in a query is a blank.
        b'+' | b' ' => '+',
        _ => return None,
    };
    let offset = &zone[1..];
    let has = |form: &[u8]| has_form(offset.as_bytes(), form);
    if has(b"99:99") {
        let is_strict = zone.starts_with(sign);
        return Some(if is_strict { zone.into() } else { format!("{sign}{offset}").into() });
    }
    if has(b"9999") {
        return Some(format!("{sign}{}:{}", &offset[..2], &offset[2..]).into());
    }
    has(b"99").then(|| format!("{sign}{offset}:00").into())
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl From<Moment> for DateTime<Utc> {
    fn from(moment: Moment) -> Self {
        moment.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_rfc_3339_is_read() {
        for (text, shown) in [
            ("1985-04-12T23:20:50.52Z", "1985-04-12T23:20:50.520Z"),
            ("1996-12-19T16:39:57-08:00", "1996-12-20T00:39:57Z"),
            ("1937-01-01t12:00:27.87+00:20", "1937-01-01T11:40:27.870Z"),
            ("1990-12-31T23:59:60z", "1990-12-31T23:59:60Z"),
            ("2026-11-21T00:00:00.123456789123Z", "2026-11-21T00:00:00.123456789Z"),
            ("2026-11-21T00:00:00-00:00", "2026-11-21T00:00:00Z"),
        ] {
            assert_eq!(text.parse::<Moment>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_libraries_of_other_languages_write_is_read() {
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
            let read = text.parse::<Moment>().unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!(read.to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_or_has_no_place_is_told_apart() {
        let why = |text: &str| text.parse::<Moment>().unwrap_err().to_string();
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
            assert!(why(text).starts_with("a moment is written as"), "{text}");
        }
        assert!(why("2026-02-30T00:00:00Z").starts_with("there is no such moment"));
        assert!(why("2026-02-20T24:00:00Z").starts_with("there is no such moment"));
        assert!(why("9999-12-31T23:59:59-01:00").starts_with("a moment is in the years"));
        assert!(why("0000-01-01T00:00:00+01:00").starts_with("a moment is in the years"));
    }
}
