//! Rate limits of tasks, such as `100/m`.
//!
//! Source: `celery/utils/time.py`, `rate` (Celery 5.7.0).

use std::str::FromStr;
use std::time::Duration;

use serde_json::Value;

use crate::error::Error;

/// The highest rate at which a worker starts tasks of one name.
///
/// ```
/// use piton_celery::RateLimit;
/// let limit: RateLimit = "120/m".parse()?;
/// assert_eq!(limit.interval(), std::time::Duration::from_millis(500));
/// # Ok::<(), piton_celery::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimit {
    /// Positive and finite.
    per_second: f64,
}

impl RateLimit {
    /// Reads the limit of a request or of a task's setting: text, a number of tasks per second, or no limit, which is
    /// null, 0 and the empty text.
    ///
    /// # Errors
    /// [`Kind::Malformed`](crate::Kind::Malformed) if it is none of them, or negative: Celery would start one task, and
    /// never another.
    pub fn from_value(value: &Value) -> Result<Option<Self>, Error> {
        match value {
            Value::Null | Value::Bool(false) => Ok(None),
            Value::Number(number) => Self::new(number.as_f64().unwrap_or(f64::NAN)),
            Value::String(text) => Self::from_text(text),
            _ => Err(not_a_rate()),
        }
    }

    /// Reads a number of tasks per second (`s`, and without a unit), minute (`m`) or hour (`h`). Spaces around the
    /// number are ignored, as Python does.
    fn from_text(text: &str) -> Result<Option<Self>, Error> {
        if text.is_empty() {
            return Ok(None);
        }
        let (count, unit) = text.split_once('/').unwrap_or((text, ""));
        let unit_seconds = match unit {
            "" | "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(not_a_rate()),
        };
        let count: f64 = count.trim().parse().map_err(|_| not_a_rate())?;
        Self::new(count / unit_seconds)
    }

    fn new(per_second: f64) -> Result<Option<Self>, Error> {
        if !per_second.is_finite() || per_second < 0.0 {
            return Err(not_a_rate());
        }
        Ok((per_second > 0.0).then_some(Self { per_second }))
    }

    /// Returns the number of tasks per second.
    #[must_use]
    pub fn per_second(self) -> f64 {
        self.per_second
    }

    /// Returns the time from the start of one task to that of the next.
    #[must_use]
    pub fn interval(self) -> Duration {
        Duration::try_from_secs_f64(self.per_second.recip()).unwrap_or(Duration::MAX)
    }
}

impl FromStr for RateLimit {
    type Err = Error;

    /// Reads the text of a rate.
    ///
    /// # Errors
    /// [`Kind::Malformed`](crate::Kind::Malformed) if `text` is not a rate, or is no limit.
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::from_text(text)?.ok_or_else(not_a_rate)
    }
}

fn not_a_rate() -> Error {
    Error::malformed("a rate limit is not a number of tasks per `s`, `m` or `h`, such as `100/m`")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::Kind;

    fn per_second(value: Value) -> Option<f64> {
        RateLimit::from_value(&value).unwrap().map(RateLimit::per_second)
    }

    #[test]
    fn rates_are_those_of_celery() {
        // The right side is that of `celery.utils.time.rate`.
        for (value, expected) in [
            (json!("10/s"), 10.0),
            (json!("10"), 10.0),
            (json!("10/"), 10.0),
            (json!("100/m"), 1.6666666666666667),
            (json!("18/h"), 0.005),
            (json!("0.5/s"), 0.5),
            (json!(" 1e3 /m"), 16.666666666666668),
            (json!(5), 5.0),
            (json!(2.5), 2.5),
        ] {
            assert_eq!(per_second(value), Some(expected));
        }
    }

    #[test]
    fn nothing_and_zero_are_no_limit() {
        for value in
            [json!(null), json!(0), json!(0.0), json!(""), json!("0"), json!("0/m"), json!(false)]
        {
            assert_eq!(per_second(value), None);
        }
    }

    #[test]
    fn what_is_no_rate_is_an_error_that_quotes_nothing() {
        for value in [
            json!("secret"),
            json!("1/secret"),
            json!("1/M"),
            json!("1/ s"),
            json!("/s"),
            json!("1/s/s"),
            json!("-1/s"),
            json!(-1),
            json!("nan"),
            json!("inf/m"),
            json!(true),
            json!([1]),
        ] {
            let error = RateLimit::from_value(&value).unwrap_err();
            assert_eq!(error.kind(), Kind::Malformed);
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        assert!("".parse::<RateLimit>().is_err() && "0".parse::<RateLimit>().is_err());
    }

    #[test]
    fn a_rate_below_all_others_has_an_interval_as_well() {
        let slowest = RateLimit { per_second: f64::MIN_POSITIVE };
        assert_eq!(slowest.interval(), Duration::MAX);
    }
}
