//! The time of a line. Formatted by hand instead of by `chrono`, because it is written for every line.

use chrono::{DateTime, Datelike, Local, NaiveDateTime, TimeZone, Timelike, Utc};

/// The time of an event.
#[derive(Clone, Copy)]
pub(super) struct LogTime {
    /// The date and the time of day in the zone that lines show.
    pub local: NaiveDateTime,
    /// Seconds since 1970.
    pub seconds: i64,
}

impl LogTime {
    pub fn local() -> Self {
        Self::of(&Local::now())
    }

    pub fn utc() -> Self {
        Self::of(&Utc::now())
    }

    pub fn of<Zone: TimeZone>(time: &DateTime<Zone>) -> Self {
        Self { local: time.naive_local(), seconds: time.timestamp() }
    }

    /// Returns the milliseconds. A leap second would have more than 999.
    pub fn millis(self) -> u32 {
        (self.local.nanosecond() / 1_000_000).min(999)
    }

    /// Returns Python's `time.time()`.
    #[expect(clippy::cast_precision_loss, reason = "seconds are exact in a double for 10^8 years")]
    pub fn created(self) -> f64 {
        self.seconds as f64 + f64::from(self.local.nanosecond()) / 1e9
    }
}

/// Writes a time such as `2018-07-09 15:41:46.420`.
pub(super) fn date_time(line: &mut String, moment: LogTime, between: char) {
    date_and_seconds(line, moment, between);
    line.push('.');
    digits(line, moment.millis(), 3);
}

/// Writes a time such as `2018-07-09 15:41:46`.
pub(super) fn date_and_seconds(line: &mut String, moment: LogTime, between: char) {
    let time = moment.local;
    digits(line, u32::try_from(time.year()).unwrap_or(0), 4);
    for (lead, number) in [
        ('-', time.month()),
        ('-', time.day()),
        (between, time.hour()),
        (':', time.minute()),
        (':', time.second()),
    ] {
        line.push(lead);
        digits(line, number, 2);
    }
}

fn digits(line: &mut String, number: u32, width: u32) {
    for place in (0..width).rev() {
        let digit = number / 10_u32.pow(place) % 10;
        line.push(char::from_digit(digit, 10).unwrap_or('0'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_milliseconds_and_leading_zeros() {
        let time = Utc.timestamp_opt(1_531_112_466, 42_000_000).single().expect("a time");
        let mut line = String::new();
        date_time(&mut line, LogTime::of(&time), ' ');
        assert_eq!(line, "2018-07-09 05:01:06.042");
        assert_eq!(line, time.naive_utc().format("%Y-%m-%d %H:%M:%S%.3f").to_string());
    }
}
