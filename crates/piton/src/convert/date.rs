//! Dates in the one form `2026-11-21`.

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;

use super::error::ConvertError;
use super::pattern::matches_template;

/// A date of the Gregorian calendar in the form of RFC 3339 (`full-date`): `2026-11-21`. Years have four digits.
///
/// ```
/// use piton::convert::Date;
///
/// let date: Date = "2026-11-21".parse()?;
/// assert_eq!(date.0, piton::chrono::NaiveDate::from_ymd_opt(2026, 11, 21).expect("a day"));
/// for wrong in ["2026-02-30", "2026-1-1", "+02026-11-21", "21.11.2026", "20261121"] {
///     assert!(wrong.parse::<Date>().is_err());
/// }
/// # Ok::<(), piton::convert::ConvertError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(pub NaiveDate);

crate::__converter!(Date:
    format = "date",
    description = "a date",
    pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    example = "2026-11-21",
);

impl FromStr for Date {
    type Err = ConvertError;

    fn from_str(text: &str) -> Result<Self, ConvertError> {
        // The form is checked first, because chrono also accepts `2026-1-1` and `+02026-11-21`, which the document
        // does not allow.
        if !matches_template(text.as_bytes(), b"9999-99-99") {
            return Err(ConvertError::new("a date is written as 2026-11-21"));
        }
        let date = text.parse().map(Self);
        date.map_err(|_| ConvertError::new("there is no such day in the calendar"))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Date> for NaiveDate {
    fn from(date: Date) -> Self {
        date.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_that_does_not_exist_has_another_message_than_a_malformed_one() {
        let why = |text: &str| text.parse::<Date>().unwrap_err().to_string();
        assert_eq!(why("2026-02-29"), "there is no such day in the calendar");
        assert_eq!(why("2026-13-01"), "there is no such day in the calendar");
        for text in ["2026-2-9", " 2026-02-09", "２０２６-02-09", "-2026-02-9", ""] {
            assert_eq!(why(text), "a date is written as 2026-11-21", "{text}");
        }
        for text in ["0000-01-01", "9999-12-31", "2024-02-29"] {
            assert_eq!(text.parse::<Date>().unwrap().to_string(), text);
        }
    }
}
