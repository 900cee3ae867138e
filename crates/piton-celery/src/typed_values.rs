//! Python values for which JSON has no type, as Kombu writes them.
//!
//! Kombu 5.3 and later write `{"__type__": T, "__value__": V}`. Arguments and results are read with these objects in
//! them, so that they can be forwarded unchanged; [`plain`] turns them into what types of Rust deserialize:
//!
//! | `T` | Python | [`plain`] | read by |
//! |---|---|---|---|
//! | `datetime` | `datetime` | its ISO 8601 text | `DateTime<Utc>`, `NaiveDateTime`, [`IsoDateTime`] |
//! | `date` | `date` | its ISO 8601 text | `NaiveDate` |
//! | `time` | `time` | its ISO 8601 text | `NaiveTime` |
//! | `decimal` | `Decimal` | its digits | `rust_decimal::Decimal`, `String` |
//! | `uuid` | `UUID` | hyphenated text | `uuid::Uuid` |
//! | `bytes`, `base64` | `bytes` | an array of numbers | `Vec<u8>` |
//! | `piton.number` | `float`, `int` | its text | [`python_float`](crate::python_float), `String` |
//!
//! Kombu writes `bytes` for bytes that are UTF-8, and `base64` for others. Both become an array, since no task can
//! know in advance which one it gets. The last row is this crate's own and never on the wire: see
//! [`python_json`](crate::python_json).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{NaiveDate, NaiveTime};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::error::{Error, Kind};
use crate::iso_date_time::IsoDateTime;
use crate::python_json::{NUMBER_TYPE, is_python_number};

const TYPE: &str = "__type__";
const VALUE: &str = "__value__";

/// Turns all typed values within `value` into plain ones.
///
/// ```
/// use serde_json::json;
/// let argument = json!({"since": {"__type__": "date", "__value__": "2024-01-31"}});
/// assert_eq!(piton_celery::typed_values::plain(argument)?, json!({"since": "2024-01-31"}));
/// # Ok::<(), piton_celery::Error>(())
/// ```
///
/// # Errors
/// [`Kind::UnknownType`] for a `__type__` that is not in the table, such as one that the sender has registered with
/// Kombu itself, and for a `__value__` that does not fit.
pub fn plain(mut value: Value) -> Result<Value, Error> {
    make_plain(&mut value)?;
    Ok(value)
}

fn make_plain(value: &mut Value) -> Result<(), Error> {
    match value {
        Value::Array(items) => items.iter_mut().try_for_each(make_plain),
        Value::Object(members) => {
            members.values_mut().try_for_each(make_plain)?;
            if let Some((name, typed)) = parts(members) {
                *value = plain_of(name, typed)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Returns the type and the value of an object with exactly these two members.
pub(crate) fn parts(members: &Map<String, Value>) -> Option<(&str, &Value)> {
    if members.len() != 2 {
        return None;
    }
    let (name, value) = (members.get(TYPE)?, members.get(VALUE)?);
    // A type that is not text is as unknown as any other.
    Some((name.as_str().unwrap_or_default(), value))
}

fn plain_of(name: &str, value: &Value) -> Result<Value, Error> {
    let text = value.as_str();
    let plain = match name {
        "datetime" | "time" | "decimal" => text.map(Value::from),
        // Kombu wrote a date as midnight once, and reads both.
        "date" => text.and_then(|text| text.split(['T', ' ']).next()).map(Value::from),
        "uuid" => uuid_of(value).map(|uuid| uuid.to_string().into()),
        "bytes" | "base64" => bytes_of(name, value).map(|bytes| bytes.into()),
        NUMBER_TYPE => text.filter(|text| is_python_number(text)).map(Value::from),
        _ => return Err(Error::new(Kind::UnknownType, UNKNOWN)),
    };
    plain.ok_or_else(|| Error::new(Kind::UnknownType, "a typed value does not fit its `__type__`"))
}

const UNKNOWN: &str = "a `__type__` is none of datetime, date, time, bytes, base64, decimal, uuid: \
                       send a plain JSON value instead";

pub(crate) fn uuid_of(value: &Value) -> Option<Uuid> {
    Uuid::try_parse(value.get("hex")?.as_str()?).ok()
}

pub(crate) fn bytes_of(name: &str, value: &Value) -> Option<Vec<u8>> {
    let text = value.as_str()?;
    if name == "bytes" { Some(text.as_bytes().to_vec()) } else { BASE64_STANDARD.decode(text).ok() }
}

fn typed(name: &str, value: impl Into<Value>) -> Value {
    Value::Object(Map::from_iter([
        (TYPE.to_owned(), name.into()),
        (VALUE.to_owned(), value.into()),
    ]))
}

/// Returns the value that Python reads as a `datetime`.
#[must_use]
pub fn datetime(time: impl Into<IsoDateTime>) -> Value {
    typed("datetime", time.into().to_string())
}

/// Returns the value that Python reads as a `date`.
#[must_use]
pub fn date(date: NaiveDate) -> Value {
    typed("date", date.to_string())
}

/// Returns the value that Python reads as a `time`, to the microsecond.
#[must_use]
pub fn time(time: NaiveTime) -> Value {
    let text = IsoDateTime::Naive(NaiveDate::default().and_time(time)).to_string();
    typed("time", text.split('T').next_back().unwrap_or_default())
}

/// Returns the value that Python reads as a `Decimal`, from its digits.
#[must_use]
pub fn decimal(digits: &str) -> Value {
    typed("decimal", digits)
}

/// Returns the value that Python reads as a `UUID`.
#[must_use]
pub fn uuid(uuid: Uuid) -> Value {
    let hex = uuid.simple().to_string();
    typed("uuid", Map::from_iter([("hex".to_owned(), hex.into())]))
}

/// Returns the value that Python reads as `bytes`.
#[must_use]
pub fn bytes(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => typed("bytes", text),
        Err(_) => typed("base64", BASE64_STANDARD.encode(bytes)),
    }
}

/// Returns the value that Python reads as this `float`, also if it is not finite.
#[must_use]
pub fn float(number: f64) -> Value {
    if number.is_finite() {
        return number.into();
    }
    let name = if number.is_nan() {
        "NaN"
    } else if number > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    };
    typed(NUMBER_TYPE, name)
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::json;

    use super::*;

    fn read<T: DeserializeOwned>(value: Value) -> T {
        serde_json::from_value(plain(value).unwrap()).unwrap()
    }

    #[test]
    fn types_of_rust_read_what_python_writes() {
        let now = chrono::DateTime::from_timestamp_micros(1_795_217_342_001_000).unwrap();
        assert_eq!(read::<chrono::DateTime<chrono::Utc>>(datetime(now)), now);
        assert_eq!(read::<chrono::NaiveDateTime>(datetime(now.naive_utc())), now.naive_utc());
        assert_eq!(read::<NaiveDate>(date(now.date_naive())), now.date_naive());
        assert_eq!(read::<NaiveTime>(time(now.time())), now.time());
        assert_eq!(read::<Uuid>(uuid(Uuid::from_u128(1))), Uuid::from_u128(1));
        assert_eq!(read::<String>(decimal("1.50")), "1.50");
        assert_eq!(read::<Vec<u8>>(bytes(b"text")), b"text");
        assert_eq!(read::<Vec<u8>>(bytes(&[0xff, 0])), [0xff, 0]);
        assert_eq!(read::<String>(float(f64::NEG_INFINITY)), "-Infinity");
        assert_eq!(read::<f64>(float(0.5)), 0.5);
    }

    #[test]
    fn a_date_that_kombu_wrote_as_midnight_is_read() {
        assert_eq!(plain(typed("date", "2024-01-01T00:00:00")).unwrap(), "2024-01-01");
    }

    #[test]
    fn typed_values_are_found_at_any_depth_and_other_objects_left_alone() {
        let value = json!([{"a": [decimal("1")], "__type__": "x"}, {"__type__": "x", "__value__": 1, "z": 2}]);
        let expected =
            json!([{"a": ["1"], "__type__": "x"}, {"__type__": "x", "__value__": 1, "z": 2}]);
        assert_eq!(plain(value).unwrap(), expected);
    }

    #[test]
    fn unknown_types_and_values_that_do_not_fit_are_errors_that_quote_nothing() {
        for (name, value) in [
            (json!("secret"), json!("x")),
            (json!(1), json!("x")),
            (json!("datetime"), json!(1)),
            (json!("uuid"), json!({"hex": "secret"})),
            (json!("base64"), json!("secret!")),
            (json!("piton.number"), json!("secret")),
        ] {
            let error = plain(json!({"__type__": name, "__value__": value})).unwrap_err();
            assert_eq!(error.kind(), Kind::UnknownType);
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
