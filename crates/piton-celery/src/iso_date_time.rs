//! Dates with times, read and written as Python's `datetime.isoformat` does.

use std::fmt;
use std::str::FromStr;

use chrono::{
    DateTime, Datelike, Days, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone,
    Timelike, Utc,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::Error;

/// A date with a time, with an offset from UTC or without one, as Python's `datetime`.
///
/// Reads `2026-11-20T23:28:36.345927+00:00`, also with `Z`, with a space for the `T`, without seconds, without a
/// time, and with other offsets. Writes what Python's `isoformat` writes: microseconds only where they are not
/// zero, never `Z`. More precise fractions are cut off.
///
/// ```
/// use piton_celery::IsoDateTime;
/// let eta: IsoDateTime = "2030-01-02T03:04:05Z".parse()?;
/// assert_eq!(eta.to_string(), "2030-01-02T03:04:05+00:00");
/// # Ok::<(), piton_celery::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsoDateTime {
    /// A point in time.
    Aware(DateTime<FixedOffset>),
    /// A time on the wall clock of the zone that the app is configured for (`timezone`, by default UTC).
    Naive(NaiveDateTime),
}

impl IsoDateTime {
    /// Returns the point in time. Without an offset the time is UTC, which is the default of Celery.
    #[must_use]
    pub fn to_utc(self) -> DateTime<Utc> {
        self.to_utc_in(&Utc)
    }

    /// Returns the point in time. Without an offset the time is one of `zone`: where a clock shows it twice the
    /// first, and where it is skipped the one by the offset before.
    #[must_use]
    pub fn to_utc_in<Z: TimeZone>(self, zone: &Z) -> DateTime<Utc> {
        let local = match self {
            Self::Aware(time) => return time.to_utc(),
            Self::Naive(local) => local,
        };
        zone.from_local_datetime(&local).earliest().map_or_else(
            || {
                // A day before is before the change of the clock, wherever in the world.
                let before = zone.offset_from_utc_datetime(&day_before(local));
                local.checked_sub_offset(before.fix()).unwrap_or(local).and_utc()
            },
            |time| time.to_utc(),
        )
    }
}

fn day_before(time: NaiveDateTime) -> NaiveDateTime {
    time.checked_sub_days(Days::new(1)).unwrap_or(time)
}

impl<Z: TimeZone> From<DateTime<Z>> for IsoDateTime {
    fn from(time: DateTime<Z>) -> Self {
        Self::Aware(time.fixed_offset())
    }
}

impl From<NaiveDateTime> for IsoDateTime {
    fn from(time: NaiveDateTime) -> Self {
        Self::Naive(time)
    }
}

impl fmt::Display for IsoDateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Naive(time) => write_naive(f, time),
            Self::Aware(time) => {
                write_naive(f, &time.naive_local())?;
                write_offset(f, time.offset().local_minus_utc())
            }
        }
    }
}

fn write_naive(f: &mut fmt::Formatter<'_>, time: &NaiveDateTime) -> fmt::Result {
    let (year, month, day) = (time.year(), time.month(), time.day());
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
    match microseconds(time) {
        0 => Ok(()),
        microseconds => write!(f, ".{microseconds:06}"),
    }
}

/// Returns the microseconds of a second. chrono has a leap second as more than a whole one, Python has none.
pub(crate) fn microseconds(time: &impl Timelike) -> u32 {
    (time.nanosecond() / 1000).min(999_999)
}

fn write_offset(f: &mut fmt::Formatter<'_>, seconds: i32) -> fmt::Result {
    let (sign, seconds) = (if seconds < 0 { '-' } else { '+' }, seconds.abs());
    write!(f, "{sign}{:02}:{:02}", seconds / 3600, seconds / 60 % 60)?;
    match seconds % 60 {
        0 => Ok(()),
        seconds => write!(f, ":{seconds:02}"),
    }
}

impl FromStr for IsoDateTime {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).ok_or_else(|| Error::malformed("a date with a time is not in ISO 8601"))
    }
}

fn parse(text: &str) -> Option<IsoDateTime> {
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    let date = parse_date(date)?;
    let Some(rest) = rest.strip_prefix(['T', 't', ' ']) else {
        return rest.is_empty().then(|| NaiveDateTime::from(date).into());
    };
    let at = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (time, offset) = rest.split_at(at);
    let time = date.and_time(parse_time(time)?);
    if offset.is_empty() {
        return Some(time.into());
    }
    Some(parse_offset(offset)?.from_local_datetime(&time).single()?.into())
}

fn parse_date(text: &str) -> Option<NaiveDate> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let year = number(year, 4).filter(|year| *year > 0)?;
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, number(month, 2)?, number(day, 2)?)
}

fn parse_time(text: &str) -> Option<NaiveTime> {
    let (clock, fraction) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    let mut parts = clock.split(':');
    let (hour, minute) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let second = parts.next().map_or(Some(0), |second| number(second, 2))?;
    if parts.next().is_some() || clock.len() == 5 && clock.len() != text.len() {
        return None;
    }
    NaiveTime::from_hms_micro_opt(hour, minute, second, parse_fraction(fraction)?)
}

/// Returns the microseconds of a fraction of a second with any number of digits.
fn parse_fraction(digits: &str) -> Option<u32> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = digits.get(..6).unwrap_or(digits);
    format!("{digits:0<6}").parse().ok()
}

fn parse_offset(text: &str) -> Option<FixedOffset> {
    if matches!(text, "Z" | "z") {
        return FixedOffset::east_opt(0);
    }
    let (sign, text) = text.split_at(1);
    let digits: String = text.chars().filter(|character| *character != ':').collect();
    let part = |range| digits.get(range).map_or(Some(0), |text| number(text, 2));
    if !matches!(digits.len(), 2 | 4 | 6) {
        return None;
    }
    let (hours, minutes, seconds) = (part(0..2)?, part(2..4)?, part(4..6)?);
    let seconds = i32::try_from(hours * 3600 + minutes * 60 + seconds).ok()?;
    FixedOffset::east_opt(if sign == "-" { -seconds } else { seconds })
}

/// Returns a number of exactly this many digits.
fn number(text: &str, digits: usize) -> Option<u32> {
    // `parse` alone would take a sign.
    let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

impl Serialize for IsoDateTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for IsoDateTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl de::Visitor<'_> for Text {
            type Value = IsoDateTime;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a date with a time in ISO 8601")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<IsoDateTime, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        text.parse::<IsoDateTime>().unwrap().to_string()
    }

    #[test]
    fn what_python_writes_comes_back_as_it_was() {
        for text in [
            "2026-11-20T23:28:36.345927+00:00",
            "2030-01-02T03:04:05",
            "2030-01-02T03:04:05.000001-03:00",
            "0001-01-01T00:00:00",
            "9999-12-31T23:59:59.999999+23:59",
            "1900-01-01T00:00:00-00:44:30",
        ] {
            assert_eq!(written(text), text);
        }
    }

    #[test]
    fn other_spellings_are_read() {
        for (text, expected) in [
            ("2030-01-02T03:04:05Z", "2030-01-02T03:04:05+00:00"),
            ("2030-01-02 03:04:05.5+0530", "2030-01-02T03:04:05.500000+05:30"),
            ("2030-01-02T03:04:05.123456789-03", "2030-01-02T03:04:05.123456-03:00"),
            ("2030-01-02T03:04", "2030-01-02T03:04:00"),
            ("2030-01-02", "2030-01-02T00:00:00"),
        ] {
            assert_eq!(written(text), expected);
        }
    }

    #[test]
    fn what_is_no_date_with_a_time_is_refused() {
        for text in [
            "",
            "2030",
            "2030-13-01",
            "2030-01-02X03:04:05",
            "2030-01-02T",
            "2030-01-02T25:00:00",
            "+030-01-02T03:04:05",
            "2030-01-02T03:04:05.",
            "2030-01-02T03:04.5",
            "2030-01-02T03:04:05+1",
            "2030-01-02T03:04:05+99:00",
            "0000-01-01T00:00:00",
            "2030-01-0é03:04:05",
            "2030-01-02T03:04:05:06",
            "1795217381.8",
        ] {
            assert!(text.parse::<IsoDateTime>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_without_an_offset_is_utc_unless_a_zone_is_passed() {
        let naive: IsoDateTime = "2030-01-02T03:04:05".parse().unwrap();
        assert_eq!(naive.to_utc().to_rfc3339(), "2030-01-02T03:04:05+00:00");
        let zone = FixedOffset::west_opt(3 * 3600).unwrap();
        assert_eq!(naive.to_utc_in(&zone).to_rfc3339(), "2030-01-02T06:04:05+00:00");
        let aware: IsoDateTime = "2030-01-02T03:04:05+01:00".parse().unwrap();
        assert_eq!(aware.to_utc_in(&zone).to_rfc3339(), "2030-01-02T02:04:05+00:00");
    }
}
