//! The values of parameters and columns, independent of the database.
//!
//! A [`Value`] is what a parameter *means* (a UUID, a date), not how one database stores it: the
//! backend decides that, so the same code writes a UUID as text to SQLite and as `uuid` to
//! PostgreSQL. In the other direction, a [`Column`] accepts every storage form of its type.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// A value that is written to the database or was read from it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A UUID.
    Uuid(Uuid),
    /// A day.
    Date(NaiveDate),
    /// A time of day.
    Time(NaiveTime),
    /// A day and a time of day, in no particular zone.
    DateTime(NaiveDateTime),
    /// An instant, in UTC.
    Timestamp(DateTime<Utc>),
    /// A number with a decimal fraction, stored exactly.
    Decimal(Decimal),
    /// A JSON document.
    Json(serde_json::Value),
}

impl Value {
    /// Returns the kind of the value, for messages. It never contains the value itself.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Bool(_) => "a boolean",
            Self::Integer(_) => "an integer",
            Self::Real(_) => "a real number",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::Uuid(_) => "a UUID",
            Self::Date(_) => "a date",
            Self::Time(_) => "a time",
            Self::DateTime(_) => "a date and time",
            Self::Timestamp(_) => "a timestamp",
            Self::Decimal(_) => "a decimal number",
            Self::Json(_) => "JSON",
        }
    }
}

/// Returns the documented text form of a value, for databases and columns that store it as text.
/// `None` for NULL and bytes, which have none.
pub(super) fn text_of(value: &Value) -> Option<String> {
    const DATE_TIME: &str = "%Y-%m-%dT%H:%M:%S%.6f";
    Some(match value {
        Value::Null | Value::Bytes(_) => return None,
        Value::Bool(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Real(value) => value.to_string(),
        Value::Text(value) => value.clone(),
        Value::Uuid(value) => value.to_string(),
        Value::Date(value) => value.format("%Y-%m-%d").to_string(),
        Value::Time(value) => value.format("%H:%M:%S%.6f").to_string(),
        Value::DateTime(value) => value.format(DATE_TIME).to_string(),
        Value::Timestamp(value) => format!("{}Z", value.format(DATE_TIME)),
        Value::Decimal(value) => value.to_string(),
        Value::Json(value) => value.to_string(),
    })
}

/// The error of a value that cannot be stored, or that has another type than the reader expects.
///
/// The text names kinds and limits, never the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueError(Cow<'static, str>);

impl ValueError {
    /// Creates an error with this text. Leave the value out of it, because the text is logged.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self(text.into())
    }

    /// Returns the error "expected `wanted`, found <the kind of `found`>".
    #[must_use]
    pub fn expected(wanted: &str, found: &Value) -> Self {
        let hint =
            if matches!(found, Value::Null) { ": use `Option` for what may be NULL" } else { "" };
        Self(format!("expected {wanted}, found {}{hint}", found.kind()).into())
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ValueError {}

/// A type that can be a parameter of a statement. [`Column`] is its counterpart for reading.
///
/// Store a type of your own as one of the supported types:
///
/// ```
/// use piton::db::{Bind, Column, Value, ValueError};
///
/// #[derive(Clone, Debug, PartialEq)]
/// struct Plate(String);
///
/// impl Bind for Plate {
///     fn bind(self) -> Result<Value, ValueError> { self.0.bind() }
/// }
///
/// impl Column for Plate {
///     fn from_value(value: Value) -> Result<Self, ValueError> {
///         let text = String::from_value(value)?;
///         if text.len() == 7 { Ok(Self(text)) } else { Err(ValueError::new("expected a plate of 7 characters")) }
///     }
/// }
///
/// let stored = Plate("PIT0N26".into()).bind()?;
/// assert_eq!(Plate::from_value(stored)?, Plate("PIT0N26".into()));
/// # Ok::<(), ValueError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a parameter of a statement",
    note = "implement `piton::db::Bind` for it, or wrap it in `piton::db::AsJson(..)` to store it as JSON"
)]
pub trait Bind {
    /// Returns the value to store.
    ///
    /// # Errors
    /// The value has no form that would be read back unchanged, such as a `u64` above `i64::MAX`.
    fn bind(self) -> Result<Value, ValueError>;
}

/// A type that a column can be read as; also a whole row, if the row has one column. [`Bind`] is
/// its counterpart for writing, and has an example.
#[diagnostic::on_unimplemented(
    message = "a column cannot be read as `{Self}`",
    note = "implement `piton::db::Column` for it, or mark the field with `#[row(json)]` if it is stored as JSON"
)]
pub trait Column: Sized {
    /// Reads the value.
    ///
    /// # Errors
    /// The value is of another kind, or out of this type's range.
    fn from_value(value: Value) -> Result<Self, ValueError>;
}

impl<T: Bind + Clone> Bind for &T {
    fn bind(self) -> Result<Value, ValueError> {
        self.clone().bind()
    }
}

impl<T: Bind> Bind for Option<T> {
    fn bind(self) -> Result<Value, ValueError> {
        self.map_or(Ok(Value::Null), Bind::bind)
    }
}

impl<T: Column> Column for Option<T> {
    fn from_value(value: Value) -> Result<Self, ValueError> {
        match value {
            Value::Null => Ok(None),
            value => T::from_value(value).map(Some),
        }
    }
}

impl Bind for Value {
    fn bind(self) -> Result<Self, ValueError> {
        Ok(self)
    }
}

impl Column for Value {
    fn from_value(value: Self) -> Result<Self, ValueError> {
        Ok(value)
    }
}

macro_rules! integers {
    ($($int:ident)*) => {$(
        impl Bind for $int {
            fn bind(self) -> Result<Value, ValueError> {
                i64::try_from(self).map(Value::Integer).map_err(|_| {
                    ValueError::new(concat!("a `", stringify!($int), "` above i64::MAX cannot be stored in a database: store it as text"))
                })
            }
        }

        impl Column for $int {
            fn from_value(value: Value) -> Result<Self, ValueError> {
                match value {
                    Value::Integer(number) => Self::try_from(number).map_err(|_| {
                        ValueError::new(concat!("expected `", stringify!($int), "`, found an integer outside of its range"))
                    }),
                    // PostgreSQL returns `sum(bigint)` as `numeric`, so that whole numbers must be read
                    // from one.
                    Value::Decimal(number) if number.is_integer() => {
                        number.to_i64().and_then(|number| Self::try_from(number).ok()).ok_or_else(|| {
                            ValueError::new(concat!("expected `", stringify!($int), "`, found an integer outside of its range"))
                        })
                    }
                    other => Err(ValueError::expected(concat!("an integer (`", stringify!($int), "`)"), &other)),
                }
            }
        }
    )*};
}

integers!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize);

impl Bind for bool {
    fn bind(self) -> Result<Value, ValueError> {
        Ok(Value::Bool(self))
    }
}

impl Column for bool {
    fn from_value(value: Value) -> Result<Self, ValueError> {
        match value {
            Value::Bool(value) => Ok(value),
            Value::Integer(number @ (0 | 1)) => Ok(number == 1),
            Value::Integer(_) => {
                Err(ValueError::new("expected a boolean, found an integer other than 0 and 1"))
            }
            other => Err(ValueError::expected("a boolean", &other)),
        }
    }
}

impl Bind for f64 {
    fn bind(self) -> Result<Value, ValueError> {
        if self.is_nan() {
            // Refused, because SQLite would silently store NULL.
            return Err(ValueError::new("NaN cannot be stored in a database: use `Option`"));
        }
        Ok(Value::Real(self))
    }
}

impl Column for f64 {
    fn from_value(value: Value) -> Result<Self, ValueError> {
        /// Maximum up to which every whole number is a distinct `f64`.
        const MAX_EXACT: u64 = 1 << 53;
        match value {
            Value::Real(number) => Ok(number),
            #[expect(
                clippy::cast_precision_loss,
                reason = "within the range in which nothing is lost"
            )]
            Value::Integer(number) if number.unsigned_abs() <= MAX_EXACT => Ok(number as Self),
            Value::Decimal(number) => number
                .to_f64()
                .ok_or_else(|| ValueError::expected("a real number", &Value::Decimal(number))),
            other => Err(ValueError::expected("a real number", &other)),
        }
    }
}

impl Bind for f32 {
    fn bind(self) -> Result<Value, ValueError> {
        f64::from(self).bind()
    }
}

impl Column for f32 {
    #[expect(clippy::cast_possible_truncation, reason = "the nearest `f32` is what is asked for")]
    fn from_value(value: Value) -> Result<Self, ValueError> {
        f64::from_value(value).map(|number| number as Self)
    }
}

impl Bind for Decimal {
    fn bind(self) -> Result<Value, ValueError> {
        Ok(Value::Decimal(self))
    }
}

impl Column for Decimal {
    fn from_value(value: Value) -> Result<Self, ValueError> {
        match value {
            Value::Decimal(number) => Ok(number),
            Value::Integer(number) => Ok(number.into()),
            Value::Text(text) => text
                .parse()
                .map_err(|_| ValueError::new("expected a decimal number, found other text")),
            // A `REAL` is refused, because it was rounded when it was stored, and a `Decimal` would
            // claim to be exact.
            other => Err(ValueError::expected("a decimal number", &other)),
        }
    }
}

impl Bind for String {
    fn bind(self) -> Result<Value, ValueError> {
        Ok(Value::Text(self))
    }
}

impl Bind for &str {
    fn bind(self) -> Result<Value, ValueError> {
        Ok(Value::Text(self.to_owned()))
    }
}

impl Bind for Cow<'_, str> {
    fn bind(self) -> Result<Value, ValueError> {
        Ok(Value::Text(self.into_owned()))
    }
}

impl Column for String {
    fn from_value(value: Value) -> Result<Self, ValueError> {
        match value {
            Value::Text(text) => Ok(text),
            other => Err(ValueError::expected("text", &other)),
        }
    }
}

impl Bind for Vec<u8> {
    fn bind(self) -> Result<Value, ValueError> {
        Ok(Value::Bytes(self))
    }
}

impl Bind for &[u8] {
    fn bind(self) -> Result<Value, ValueError> {
        Ok(Value::Bytes(self.to_vec()))
    }
}

impl<const N: usize> Bind for [u8; N] {
    fn bind(self) -> Result<Value, ValueError> {
        Ok(Value::Bytes(self.to_vec()))
    }
}

impl Column for Vec<u8> {
    fn from_value(value: Value) -> Result<Self, ValueError> {
        match value {
            Value::Bytes(bytes) => Ok(bytes),
            other => Err(ValueError::expected("bytes", &other)),
        }
    }
}

/// Implements [`Bind`] and [`Column`] for a type that has a [`Value`] variant, and that some
/// databases store as text.
macro_rules! stored_as_text {
    ($type:ty, $variant:ident, $wanted:literal, $bind:expr, $parse:expr) => {
        impl Bind for $type {
            fn bind(self) -> Result<Value, ValueError> {
                let check: fn(&Self) -> Result<(), ValueError> = $bind;
                check(&self)?;
                Ok(Value::$variant(self))
            }
        }

        impl Column for $type {
            fn from_value(value: Value) -> Result<Self, ValueError> {
                let parse: fn(&str) -> Option<Self> = $parse;
                match value {
                    Value::$variant(value) => Ok(value),
                    Value::Text(text) => parse(&text).ok_or_else(|| {
                        ValueError::new(concat!("expected ", $wanted, ", found other text"))
                    }),
                    other => Err(ValueError::expected($wanted, &other)),
                }
            }
        }
    };
}

stored_as_text!(Uuid, Uuid, "a UUID", |_| Ok(()), |text| Uuid::parse_str(text).ok());
stored_as_text!(NaiveDate, Date, "a date", |date| sortable(*date), |text| { text.parse().ok() });
stored_as_text!(NaiveTime, Time, "a time", |_| Ok(()), |text| text.parse().ok());
stored_as_text!(
    NaiveDateTime,
    DateTime,
    "a date and time",
    |time| sortable(time.date()),
    date_time
);
stored_as_text!(
    DateTime<Utc>,
    Timestamp,
    "a timestamp",
    |time| sortable(time.date_naive()),
    |text| match DateTime::parse_from_rfc3339(text) {
        Ok(time) => Some(time.to_utc()),
        // UTC, because SQLite's own functions write no zone and mean UTC.
        Err(_) => date_time(text).map(|time| time.and_utc()),
    }
);

fn date_time(text: &str) -> Option<NaiveDateTime> {
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
}

/// Refuses dates that would not sort as text, which needs years of four digits.
fn sortable(date: NaiveDate) -> Result<(), ValueError> {
    if (0..=9999).contains(&date.year()) {
        Ok(())
    } else {
        Err(ValueError::new("a date outside of the years 0 to 9999 cannot be stored in a database"))
    }
}

impl Bind for serde_json::Value {
    fn bind(self) -> Result<Value, ValueError> {
        Ok(Value::Json(self))
    }
}

impl Column for serde_json::Value {
    fn from_value(value: Value) -> Result<Self, ValueError> {
        match value {
            Value::Json(json) => Ok(json),
            Value::Text(text) => serde_json::from_str(&text)
                .map_err(|_| ValueError::new("expected JSON, found other text")),
            // SQLite turns the document `5` into a number, because a column declared `JSON` has
            // numeric affinity.
            Value::Integer(number) => Ok(number.into()),
            Value::Real(number) => Ok(number.into()),
            other => Err(ValueError::expected("JSON", &other)),
        }
    }
}

/// Stores any serde type as one JSON document: `AsJson(&address)` as a parameter,
/// `AsJson<Address>` as a column. A field of a [`FromRow`](super::FromRow) struct is marked with
/// `#[row(json)]` instead, and keeps its plain type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsJson<T>(pub T);

impl<T: Serialize> Bind for AsJson<T> {
    fn bind(self) -> Result<Value, ValueError> {
        serde_json::to_value(self.0).map(Value::Json).map_err(|_| {
            ValueError::new(format!("`{}` cannot be written as JSON", std::any::type_name::<T>()))
        })
    }
}

impl<T: DeserializeOwned> Column for AsJson<T> {
    fn from_value(value: Value) -> Result<Self, ValueError> {
        let json = match value {
            Value::Null => serde_json::Value::Null,
            value => serde_json::Value::from_value(value)?,
        };
        // serde's own message is dropped, because it would quote the document.
        serde_json::from_value(json).map(Self).map_err(|_| {
            ValueError::new(format!(
                "expected JSON that fits `{}`, found other JSON",
                std::any::type_name::<T>()
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_not_come_back_unchanged_is_refused() {
        assert!(u64::MAX.bind().is_err());
        assert!(f64::NAN.bind().is_err());
        assert!(f32::NAN.bind().is_err());
        assert!(NaiveDate::from_ymd_opt(10_000, 1, 1).unwrap().bind().is_err());
        assert!(DateTime::<Utc>::MAX_UTC.bind().is_err());
    }

    #[test]
    fn a_number_is_never_narrowed_in_silence() {
        assert_eq!(i8::from_value(Value::Integer(127)), Ok(127));
        assert!(i8::from_value(Value::Integer(128)).is_err());
        assert!(u64::from_value(Value::Integer(-1)).is_err());
        assert!(i64::from_value(Value::Real(1.0)).is_err());
        assert!(bool::from_value(Value::Integer(2)).is_err());
        assert!(f64::from_value(Value::Integer(i64::MAX)).is_err());
        assert_eq!(f64::from_value(Value::Integer(3)), Ok(3.0));
    }

    #[test]
    fn an_error_names_kinds_and_never_the_value() {
        let error = i64::from_value(Value::Text("hunter2".into())).unwrap_err().to_string();
        assert_eq!(error, "expected an integer (`i64`), found text");
        let error = Uuid::from_value(Value::Text("hunter2".into())).unwrap_err().to_string();
        assert_eq!(error, "expected a UUID, found other text");
        let error =
            AsJson::<u8>::from_value(Value::Text("\"hunter2\"".into())).unwrap_err().to_string();
        assert_eq!(error, "expected JSON that fits `u8`, found other JSON");
        let error = String::from_value(Value::Null).unwrap_err().to_string();
        assert_eq!(error, "expected text, found NULL: use `Option` for what may be NULL");
    }

    #[test]
    fn what_sqlite_writes_itself_is_read_as_utc() {
        let moment =
            DateTime::<Utc>::from_value(Value::Text("2026-11-21 01:02:03".into())).unwrap();
        assert_eq!(moment.to_rfc3339(), "2026-11-21T01:02:03+00:00");
        let moment =
            DateTime::<Utc>::from_value(Value::Text("2026-11-21T01:02:03+02:00".into())).unwrap();
        assert_eq!(moment.to_rfc3339(), "2026-11-20T23:02:03+00:00");
    }
}
