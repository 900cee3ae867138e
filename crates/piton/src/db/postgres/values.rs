//! Encodes parameters for PostgreSQL, by the types that the server reports.
//!
//! The server infers the type of each parameter from its place in the statement (the column it is
//! compared with, the cast around it), and the value is encoded for that type. So one program's
//! statements work whether a column is `integer` or `bigint`, an enum or text, as with `psycopg` and
//! `pgx`.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive;
use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgTypeInfo};
use sqlx::{Arguments, Postgres, Type, TypeInfo};
use uuid::Uuid;

use super::type_info::{base, is_text};
use crate::db::error::Error;
use crate::db::value::{Column, Value, ValueError, text_of};

/// A value together with its type in the statement.
struct TypedParameter<'a> {
    value: &'a Value,
    info: &'a PgTypeInfo,
}

/// Encodes the parameters of a statement.
///
/// # Errors
/// [`Kind::Type`](crate::db::Kind::Type) for the first value that does not fit its type.
pub(super) fn arguments(values: &[Value], types: &[PgTypeInfo]) -> Result<PgArguments, Error> {
    let mut arguments = PgArguments::default();
    arguments.reserve(values.len(), values.len() * 16);
    for (index, (value, info)) in values.iter().zip(types).enumerate() {
        arguments.add(TypedParameter { value, info }).map_err(|error| {
            let why = match error.downcast::<ValueError>() {
                Ok(why) => *why,
                Err(_) => ValueError::new("it cannot be encoded for PostgreSQL"),
            };
            Error::parameter(index + 1, why)
        })?;
    }
    Ok(arguments)
}

impl Type<Postgres> for TypedParameter<'_> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(0))
    }
}

impl Encode<'_, Postgres> for TypedParameter<'_> {
    fn produces(&self) -> Option<PgTypeInfo> {
        Some(self.info.clone())
    }

    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        write(self.value, base(self.info), buffer)
    }
}

type Encoded = Result<IsNull, BoxDynError>;

fn write(value: &Value, info: &PgTypeInfo, buffer: &mut PgArgumentBuffer) -> Encoded {
    if *value == Value::Null {
        return Ok(IsNull::Yes);
    }
    match info.name() {
        "BOOL" => put(&bool::from_value(value.clone())?, buffer),
        "INT2" => put(&integer::<i16>(value, "smallint")?, buffer),
        "INT4" => put(&integer::<i32>(value, "integer")?, buffer),
        "INT8" => put(&integer::<i64>(value, "bigint")?, buffer),
        "FLOAT4" => put(&f32::from_value(value.clone())?, buffer),
        "FLOAT8" => put(&f64::from_value(value.clone())?, buffer),
        "NUMERIC" => put(&decimal(value)?, buffer),
        "UUID" => put(&Uuid::from_value(value.clone())?, buffer),
        "DATE" => put(&NaiveDate::from_value(value.clone())?, buffer),
        "TIME" => put(&NaiveTime::from_value(value.clone())?, buffer),
        "TIMESTAMP" => put(&date_time(value)?, buffer),
        "TIMESTAMPTZ" => put(&timestamp(value)?, buffer),
        "BYTEA" => put(&Vec::<u8>::from_value(value.clone())?, buffer),
        "JSON" | "JSONB" => write_json(value, info.name() == "JSONB", buffer),
        _ if is_text(info) => match text_of(value) {
            Some(text) => put(&text, buffer),
            None => refuse(value, info),
        },
        _ => refuse(value, info),
    }
}

fn put<'a, T: Encode<'a, Postgres>>(value: &T, buffer: &mut PgArgumentBuffer) -> Encoded {
    value.encode_by_ref(buffer)
}

fn refuse(value: &Value, info: &PgTypeInfo) -> Encoded {
    let (name, kind) = (info.name().to_lowercase(), value.kind());
    let why = format!(
        "PostgreSQL expects `{name}` here, found {kind}: write `$n::text::{name}` and pass text"
    );
    Err(ValueError::new(why).into())
}

fn integer<T: TryFrom<i64>>(value: &Value, name: &'static str) -> Result<T, ValueError> {
    let number = match value {
        Value::Bool(_) => return Err(ValueError::expected("an integer", value)),
        value => i64::from_value(value.clone())?,
    };
    T::try_from(number).map_err(|_| ValueError::new(format!("out of the range of `{name}`")))
}

fn decimal(value: &Value) -> Result<Decimal, ValueError> {
    match value {
        Value::Real(number) => Decimal::from_f64(*number)
            .ok_or_else(|| ValueError::new("out of the range of a decimal number")),
        value => Decimal::from_value(value.clone()),
    }
}

/// Returns a date and time as it was written, or that of a timestamp in UTC.
fn date_time(value: &Value) -> Result<NaiveDateTime, ValueError> {
    match value {
        Value::Timestamp(time) => Ok(time.naive_utc()),
        value => NaiveDateTime::from_value(value.clone()),
    }
}

fn timestamp(value: &Value) -> Result<DateTime<Utc>, ValueError> {
    match value {
        Value::DateTime(_) => Err(ValueError::new(
            "a date and time without a zone is not a timestamp: pass a `DateTime<Utc>`",
        )),
        value => DateTime::from_value(value.clone()),
    }
}

/// Writes a JSON document. Text is written as it is, because the server checks that it is JSON.
fn write_json(value: &Value, binary: bool, buffer: &mut PgArgumentBuffer) -> Encoded {
    let document = match value {
        Value::Json(document) => document.to_string(),
        Value::Text(document) => document.clone(),
        other => serde_json::Value::from_value(other.clone())?.to_string(),
    };
    if binary {
        // The binary form of jsonb begins with its version, so that it can change. 1 is the only one.
        buffer.push(1);
    }
    buffer.extend_from_slice(document.as_bytes());
    Ok(IsNull::No)
}

#[cfg(test)]
mod tests {
    use rust_decimal::prelude::ToPrimitive;

    use super::*;

    #[test]
    fn numbers_are_checked_against_the_range_of_their_type() {
        assert_eq!(integer::<i16>(&Value::Integer(7), "smallint"), Ok(7));
        let error = integer::<i16>(&Value::Integer(70_000), "smallint").unwrap_err();
        assert_eq!(error.to_string(), "out of the range of `smallint`");
        assert!(integer::<i32>(&Value::Bool(true), "integer").is_err());
        assert_eq!(decimal(&Value::Real(0.1)).unwrap().to_string(), "0.1");
        assert_eq!(decimal(&Value::Integer(3)).unwrap().to_i64(), Some(3));
        assert!(decimal(&Value::Real(f64::INFINITY)).is_err());
    }
}
