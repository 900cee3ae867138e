//! Settings that have a unit: durations and sizes. A bare number is refused, because the author and the
//! reader of `30` may think of different units.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::config::setting::{Bounds, Setting, bounds_result, expected};

/// Returns a number, or a text that consists of a number alone.
fn bare_number(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => {
            let text = text.trim();
            text.parse::<f64>().ok().filter(|_| text.ends_with(|c: char| c.is_ascii_digit()))?;
            Some(text.to_owned())
        }
        _ => None,
    }
}

/// Reads a duration with its unit: `30s`, `1h 30m`, `250ms`.
impl Setting for Duration {
    fn expects() -> Cow<'static, str> {
        "a duration with its unit, such as `30s`".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        if let Some(number) = bare_number(value) {
            let with_unit = format!("{number}s");
            return Err(match humantime::parse_duration(&with_unit) {
                Ok(_) => format!("`{number}` has no unit: write `{with_unit}`"),
                Err(_) => expected::<Self>(),
            });
        }
        let text = value.as_str().ok_or_else(expected::<Self>)?.trim();
        if let Some(number) = text.strip_suffix('M') {
            // Refused, because humantime reads `5M` as five months.
            return Err(format!("`{text}` could be months: write `{number}m` for minutes"));
        }
        humantime::parse_duration(text).map_err(|_| expected::<Self>())
    }

    fn show(&self) -> Value {
        Value::from(humantime::format_duration(*self).to_string())
    }

    fn schema() -> Value {
        json!({ "type": "string", "examples": ["30s", "1h 30m", "250ms"] })
    }

    fn range(bounds: Bounds) -> Option<[Cow<'static, str>; 2]> {
        Some(bounds.or(DURATION_RANGE))
    }

    fn check_bounds(&self, bounds: Bounds) -> Result<(), String> {
        bounds_result::<Self>(bounds.contain(self, DURATION_RANGE), bounds)
    }

    fn expects_within(bounds: Bounds) -> Cow<'static, str> {
        let [min, max] = bounds.or(DURATION_RANGE);
        format!("a duration with its unit, such as `30s`, from `{min}` to `{max}`").into()
    }
}

/// The range of durations. Clocks and timers add durations to times, and panic on overflow.
const DURATION_RANGE: [&str; 2] = ["0s", "36500days"];

/// The range of sizes, up to more than any machine has.
const SIZE_RANGE: [&str; 2] = ["0B", "1024TiB"];

/// A number of bytes, written with its unit: `2MiB`, `512KB`, `100B`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

/// Units from the largest. Binary units come before decimal ones, because `1048576B` is best read as `1MiB`.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("B", 1),
];

impl ByteSize {
    /// Returns a size of `count` bytes.
    #[must_use]
    pub const fn bytes(count: u64) -> Self {
        Self(count)
    }

    /// Returns a size of `count` times 1,024 bytes.
    #[must_use]
    pub const fn kib(count: u64) -> Self {
        Self(count << 10)
    }

    /// Returns a size of `count` times 1,048,576 bytes.
    #[must_use]
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }

    /// Returns a size of `count` times 1,073,741,824 bytes.
    #[must_use]
    pub const fn gib(count: u64) -> Self {
        Self(count << 30)
    }

    /// Returns the number of bytes.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// Returns the number of bytes, or `usize::MAX` if it is greater.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    fn from_text(text: &str) -> Option<Self> {
        let split = text.find(|c: char| c.is_ascii_alphabetic())?;
        let (number, unit) = (text[..split].trim(), text[split..].trim());
        let (_, size) = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
        if let Ok(whole) = number.parse::<u64>() {
            return whole.checked_mul(*size).map(Self);
        }
        // A fraction such as `1.5GiB` is scaled without floating point, so that no byte is lost.
        let (whole, part) = number.split_once('.')?;
        let digits = u32::try_from(part.len()).ok()?;
        let scale = 10_u128.checked_pow(digits)?;
        let scaled = whole.parse::<u128>().ok()?.checked_mul(scale)? + part.parse::<u128>().ok()?;
        let bytes = scaled.checked_mul(u128::from(*size))?;
        let whole_bytes = bytes.is_multiple_of(scale);
        whole_bytes.then(|| u64::try_from(bytes / scale).ok().map(Self)).flatten()
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = UNITS.iter().find(|(_, size)| self.0 >= *size && self.0.is_multiple_of(*size));
        let (unit, size) = exact.unwrap_or(&("B", 1));
        write!(f, "{}{unit}", self.0 / size)
    }
}

impl Setting for ByteSize {
    fn expects() -> Cow<'static, str> {
        "a size with its unit, such as `2MiB` or `512KB`".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        if let Some(number) = bare_number(value) {
            let with_unit = format!("{number}B");
            return Err(match Self::from_text(&with_unit) {
                Some(_) => format!("`{number}` has no unit: write `{with_unit}`"),
                None => expected::<Self>(),
            });
        }
        let text = value.as_str().ok_or_else(expected::<Self>)?;
        Self::from_text(text.trim()).ok_or_else(expected::<Self>)
    }

    fn show(&self) -> Value {
        Value::from(self.to_string())
    }

    fn schema() -> Value {
        json!({ "type": "string", "examples": ["2MiB", "512KB"] })
    }

    fn range(bounds: Bounds) -> Option<[Cow<'static, str>; 2]> {
        Some(bounds.or(SIZE_RANGE))
    }

    fn check_bounds(&self, bounds: Bounds) -> Result<(), String> {
        bounds_result::<Self>(bounds.contain(self, SIZE_RANGE), bounds)
    }

    fn expects_within(bounds: Bounds) -> Cow<'static, str> {
        let [min, max] = bounds.or(SIZE_RANGE);
        format!("a size with its unit, such as `2MiB`, from `{min}` to `{max}`").into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn duration(value: impl Into<Value>) -> Result<Duration, String> {
        Duration::parse(&value.into())
    }

    fn size(value: impl Into<Value>) -> Result<u64, String> {
        ByteSize::parse(&value.into()).map(ByteSize::as_u64)
    }

    #[test]
    fn a_duration_has_a_unit() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("1h 30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration(" 250ms "), Ok(Duration::from_millis(250)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
    }

    #[test]
    fn a_bare_number_is_refused_as_a_duration_with_the_correction() {
        let why = Err("`30` has no unit: write `30s`".to_owned());
        assert_eq!(duration("30"), why);
        assert_eq!(duration(30), why);
        assert_eq!(duration("0"), Err("`0` has no unit: write `0s`".into()));
        for impossible in ["-1", "1e3", "-0.5"] {
            assert!(!duration(impossible).unwrap_err().contains("write"), "{impossible}");
        }
    }

    #[test]
    fn minutes_and_months_are_not_mixed_up() {
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert!(duration("5M").expect_err("months").contains("write `5m` for minutes"));
    }

    #[test]
    fn what_is_no_duration_is_refused_with_what_is_expected() {
        for wrong in ["", "soon", "-5s", "5 parsecs", "99999999999999999999s"] {
            let why = duration(wrong).expect_err(wrong);
            assert_eq!(why, "expected a duration with its unit, such as `30s`");
        }
        assert!(duration(true).is_err());
    }

    #[test]
    fn a_shown_duration_parses_again() {
        for millis in [0, 1, 1500, 30_000, 5_400_000, 86_400_000 * 40] {
            let duration = Duration::from_millis(millis);
            assert_eq!(Duration::parse(&duration.show()), Ok(duration));
        }
        assert_eq!(Duration::from_secs(90).show(), "1m 30s");
    }

    #[test]
    fn a_size_has_a_unit_binary_or_decimal() {
        assert_eq!(size("2MiB"), Ok(2 * 1024 * 1024));
        assert_eq!(size("512KB"), Ok(512_000));
        assert_eq!(size("512 kib"), Ok(524_288));
        assert_eq!(size("1.5GiB"), Ok(1_610_612_736));
        assert_eq!(size("0B"), Ok(0));
        assert_eq!(size("3TB"), Ok(3_000_000_000_000));
    }

    #[test]
    fn a_bare_number_is_refused_as_a_size_with_the_correction() {
        assert_eq!(size(1024), Err("`1024` has no unit: write `1024B`".into()));
        assert_eq!(size("10"), Err("`10` has no unit: write `10B`".into()));
    }

    #[test]
    fn an_unclear_size_is_refused() {
        for wrong in ["2M", "2 megabytes", "-1B", "1.5B", "1.KB", ".5KB", "MiB", "", "99999999TiB"]
        {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_size_is_shown_in_its_largest_exact_unit_and_parses_again() {
        let cases = [
            (0, "0B"),
            (1, "1B"),
            (1000, "1KB"),
            (1024, "1KiB"),
            (2 << 20, "2MiB"),
            (1500, "1500B"),
        ];
        for (bytes, text) in cases {
            assert_eq!(ByteSize::bytes(bytes).to_string(), text);
            assert_eq!(size(text), Ok(bytes));
        }
        assert_eq!(ByteSize::mib(2).as_usize(), 2 << 20);
        assert_eq!(ByteSize::kib(3).as_u64(), 3 << 10);
        assert_eq!(ByteSize::gib(3).to_string(), "3GiB");
    }
}
