//! Kombu's typed values as Python's `repr` writes the values that they stand for.

use std::fmt::Write;

use chrono::{Datelike, NaiveDateTime, NaiveTime, Timelike};
use serde_json::Value;

use crate::iso_date_time::{IsoDateTime, microseconds};
use crate::python_json::{NUMBER_TYPE, is_python_number};
use crate::python_repr::push_text;
use crate::typed_values::{bytes_of, uuid_of};

/// Returns the representation of a typed value, or `None` if it is not valid.
pub(crate) fn repr(name: &str, value: &Value) -> Option<String> {
    if name == "bytes" || name == "base64" {
        return bytes_of(name, value).map(|bytes| bytes_repr(&bytes));
    }
    repr_without_bytes(name, value)
}

/// Returns the representation of all types but bytes, whose length is limited in another way.
pub(crate) fn repr_without_bytes(name: &str, value: &Value) -> Option<String> {
    let midnight = || value.as_str()?.parse().ok().map(|time: IsoDateTime| wall_clock(&time));
    match name {
        "datetime" => value.as_str()?.parse().ok().map(|time| datetime_repr(&time)),
        "date" => midnight().map(|date| {
            format!("datetime.date({}, {}, {})", date.year(), date.month(), date.day())
        }),
        "time" => {
            let time: IsoDateTime = format!("1970-01-01T{}", value.as_str()?).parse().ok()?;
            Some(format!(
                "datetime.time({}{})",
                clock_repr(wall_clock(&time).time()),
                zone_repr(&time)
            ))
        }
        "decimal" => Some(called("Decimal", value.as_str()?)),
        "uuid" => uuid_of(value).map(|uuid| called("UUID", &uuid.to_string())),
        NUMBER_TYPE => number_repr(value.as_str()?),
        _ => None,
    }
}

fn called(name: &str, text: &str) -> String {
    let mut out = format!("{name}(");
    push_text(&mut out, text);
    out.push(')');
    out
}

fn number_repr(number: &str) -> Option<String> {
    let name = match number {
        "NaN" => "nan",
        "Infinity" => "inf",
        "-Infinity" => "-inf",
        integer if is_python_number(integer) => integer,
        _ => return None,
    };
    Some(name.to_owned())
}

fn wall_clock(time: &IsoDateTime) -> NaiveDateTime {
    match time {
        IsoDateTime::Aware(time) => time.naive_local(),
        IsoDateTime::Naive(time) => *time,
    }
}

fn datetime_repr(time: &IsoDateTime) -> String {
    let local = wall_clock(time);
    let (year, month, day) = (local.year(), local.month(), local.day());
    let (clock, zone) = (clock_repr(local.time()), zone_repr(time));
    format!("datetime.datetime({year}, {month}, {day}, {clock}{zone})")
}

/// Returns the numbers of a time. Python leaves out zeros at the end, but for hour and minute.
fn clock_repr(time: NaiveTime) -> String {
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    match (second, microseconds(&time)) {
        (0, 0) => format!("{hour}, {minute}"),
        (_, 0) => format!("{hour}, {minute}, {second}"),
        (_, microsecond) => format!("{hour}, {minute}, {second}, {microsecond}"),
    }
}

fn zone_repr(time: &IsoDateTime) -> String {
    let IsoDateTime::Aware(time) = time else { return String::new() };
    let seconds = time.offset().local_minus_utc();
    let delta = match seconds {
        0 => return ", tzinfo=datetime.timezone.utc".to_owned(),
        ..0 => format!("days=-1, seconds={}", seconds + 86_400),
        _ => format!("seconds={seconds}"),
    };
    format!(", tzinfo=datetime.timezone(datetime.timedelta({delta}))")
}

fn bytes_repr(bytes: &[u8]) -> String {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { '"' } else { '\'' };
    let mut out = format!("b{quote}");
    for byte in bytes {
        match byte {
            b'\\' => out.push_str(r"\\"),
            b'\n' => out.push_str(r"\n"),
            b'\r' => out.push_str(r"\r"),
            b'\t' => out.push_str(r"\t"),
            _ if char::from(*byte) == quote => out.extend(['\\', quote]),
            b' '..=b'~' => out.push(char::from(*byte)),
            // Writing to a `String` cannot fail.
            _ => drop(write!(out, "\\x{byte:02x}")),
        }
    }
    out.push(quote);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn typed_values_are_written_as_python_writes_what_they_stand_for() {
        // The right side is Python 3.11's.
        for (name, value, expected) in [
            (
                "datetime",
                "2024-01-01T00:00:00+00:00",
                "datetime.datetime(2024, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)",
            ),
            ("datetime", "2024-01-01T02:03:04.000005", "datetime.datetime(2024, 1, 1, 2, 3, 4, 5)"),
            (
                "datetime",
                "2024-01-01T02:03:04-03:00",
                "datetime.datetime(2024, 1, 1, 2, 3, 4, tzinfo=datetime.timezone(datetime.timedelta(days=-1, seconds=75600)))",
            ),
            (
                "datetime",
                "2024-01-01T02:03:00+01:00",
                "datetime.datetime(2024, 1, 1, 2, 3, tzinfo=datetime.timezone(datetime.timedelta(seconds=3600)))",
            ),
            ("date", "2024-12-31", "datetime.date(2024, 12, 31)"),
            ("time", "01:02:03", "datetime.time(1, 2, 3)"),
            ("decimal", "1.50", "Decimal('1.50')"),
            ("bytes", "a'b\n", r#"b"a'b\n""#),
            ("base64", "/wA=", r"b'\xff\x00'"),
            ("piton.number", "-Infinity", "-inf"),
        ] {
            assert_eq!(repr(name, &json!(value)).as_deref(), Some(expected), "{name}");
        }
        let uuid = json!({"hex": "00000000000000000000000000000001"});
        assert_eq!(
            repr("uuid", &uuid).as_deref(),
            Some("UUID('00000000-0000-0000-0000-000000000001')")
        );
        assert_eq!(repr("set", &json!([])), None);
    }
}
