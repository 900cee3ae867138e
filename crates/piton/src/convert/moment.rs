//! A moment, as RFC 3339 writes it and no other way.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, SecondsFormat, Utc};

use super::{Refused, has_form};

/// A moment: `2026-11-21T09:30:00Z`, `2026-11-21T06:30:00.5-03:00`. The zone is never left out. In a query
/// the `+` of a zone is written `%2B`.
///
/// ```
/// use piton::convert::Moment;
///
/// let moment: Moment = "2026-11-21T06:30:00-03:00".parse()?;
/// assert_eq!(moment.to_string(), "2026-11-21T09:30:00Z");
/// for wrong in ["2026-11-21", "2026-11-21T09:30:00", "2026-11-21 09:30:00Z", "2026-11-21T09:30Z"] {
///     assert!(wrong.parse::<Moment>().is_err());
/// }
/// # Ok::<(), piton::convert::Refused>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub DateTime<Utc>);

crate::__converter!(Moment:
    format = "date-time",
    about = "a moment with its zone, as RFC 3339 writes it",
    pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$",
    example = "2026-11-21T09:30:00Z",
);

impl FromStr for Moment {
    type Err = Refused;

    fn from_str(text: &str) -> Result<Self, Refused> {
        if !is_written_right(text.as_bytes()) {
            return Err(Refused::new(what_is_written_wrong(text)));
        }
        let moment = DateTime::parse_from_rfc3339(text)
            .map_err(|_| Refused::new("there is no such moment in the calendar"))?
            .to_utc();
        // What no database keeps in a form that sorts.
        if !(0..=9999).contains(&moment.year()) {
            return Err(Refused::new("a moment is in the years 0 to 9999, also in UTC"));
        }
        Ok(Self(moment))
    }
}

/// A `+` in a query is a blank: whoever wrote the zone right is told what became of it.
#[cold]
fn what_is_written_wrong(text: &str) -> &'static str {
    if is_written_right(text.replacen(' ', "+", 1).as_bytes()) {
        return "the blank before the zone's offset is a `+` that a query does not keep: write it as `%2B`";
    }
    "a moment is written as 2026-11-21T09:30:00Z, or with the zone's offset instead of Z"
}

/// What chrono reads beyond RFC 3339 is not let through: a blank for `T`, a zone without a colon.
fn is_written_right(text: &[u8]) -> bool {
    let Some((moment, rest)) = text.split_at_checked(19) else { return false };
    let digits = |text: &[u8]| text.iter().take_while(|c| c.is_ascii_digit()).count();
    let zone = match rest.split_first() {
        Some((b'.', fraction)) if digits(fraction) > 0 => &fraction[digits(fraction)..],
        _ => rest,
    };
    let forms: [&[u8]; 2] = [b"9999-99-99T99:99:99", b"9999-99-99t99:99:99"];
    let zones: [&[u8]; 4] = [b"Z", b"z", b"+99:99", b"-99:99"];
    forms.iter().any(|form| has_form(moment, form)) && zones.iter().any(|form| has_form(zone, form))
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
    fn a_plus_that_became_a_blank_is_told_of() {
        for text in ["2026-11-21T09:30:00 03:00", "2026-11-21T09:30:00.5 00:00"] {
            let why = text.parse::<Moment>().unwrap_err().to_string();
            assert!(why.ends_with("write it as `%2B`"), "{why}");
        }
    }

    #[test]
    fn what_is_no_moment_or_has_no_place_is_told_apart() {
        let why = |text: &str| text.parse::<Moment>().unwrap_err().to_string();
        for text in [
            "2026-11-21T00:00:00+0000",
            "2026-11-21T00:00:00+00",
            "2026-11-21T00:00:00.Z",
            "+2026-11-21T00:00:00Z",
            "2026-11-21T00:00:00é",
            "2026-11-21T00:00:00Z ",
            "2026-11-21 00:00:00Z",
            "2026-11-21 00:00:00 03:00",
        ] {
            assert!(why(text).starts_with("a moment is written as"), "{text}");
        }
        assert!(why("2026-02-30T00:00:00Z").starts_with("there is no such moment"));
        assert!(why("2026-02-20T24:00:00Z").starts_with("there is no such moment"));
        assert!(why("9999-12-31T23:59:59-01:00").starts_with("a moment is in the years"));
        assert!(why("0000-01-01T00:00:00+01:00").starts_with("a moment is in the years"));
    }
}
