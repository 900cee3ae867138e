//! Values on their way to PostgreSQL and back, by the type that the server says a place has.
//!
//! A parameter has the type that its place in the statement has (the column it is compared with, the
//! cast around it): the server infers it, and the value is written for that. So one program's
//! statements work whether a column is `integer` or `bigint`, an enum or text, as with `psycopg` and `pgx`.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive;
use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgRow, PgTypeInfo, PgTypeKind};
use sqlx::{Arguments, Decode, Postgres, Row as _, Type, TypeInfo, ValueRef};
use uuid::Uuid;

use crate::db::error::Error;
use crate::db::value::{Column, Value, ValueError, text};

/// A value together with the type of its place.
struct Parameter<'a> {
    value: &'a Value,
    place: &'a PgTypeInfo,
}

/// The parameters as they go over the wire.
///
/// # Errors
/// [`Kind::Type`](crate::db::Kind::Type) for the first value that does not fit its place.
pub(super) fn arguments(values: &[Value], places: &[PgTypeInfo]) -> Result<PgArguments, Error> {
    let mut arguments = PgArguments::default();
    arguments.reserve(values.len(), values.len() * 16);
    for (index, (value, place)) in values.iter().zip(places).enumerate() {
        arguments.add(Parameter { value, place }).map_err(|error| {
            let why = match error.downcast::<ValueError>() {
                Ok(why) => *why,
                Err(_) => ValueError::new("it cannot be written for PostgreSQL"),
            };
            Error::parameter(index + 1, why)
        })?;
    }
    Ok(arguments)
}

impl Type<Postgres> for Parameter<'_> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(0))
    }
}

impl Encode<'_, Postgres> for Parameter<'_> {
    fn produces(&self) -> Option<PgTypeInfo> {
        Some(self.place.clone())
    }

    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        write(self.value, base(self.place), buffer)
    }
}

/// The type below a domain.
fn base(info: &PgTypeInfo) -> &PgTypeInfo {
    match info.kind() {
        PgTypeKind::Domain(inner) => base(inner),
        _ => info,
    }
}

/// Whether values of the type are text on the wire.
fn is_text(info: &PgTypeInfo) -> bool {
    let name = info.name();
    matches!(info.kind(), PgTypeKind::Enum(_))
        || ["TEXT", "VARCHAR", "CHAR", "NAME", "UNKNOWN", "XML", "\"CHAR\""].contains(&name)
        || name.eq_ignore_ascii_case("citext")
}

type Written = Result<IsNull, BoxDynError>;

fn write(value: &Value, place: &PgTypeInfo, buffer: &mut PgArgumentBuffer) -> Written {
    if *value == Value::Null {
        return Ok(IsNull::Yes);
    }
    match place.name() {
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
        "TIMESTAMP" => put(&moment(value)?, buffer),
        "TIMESTAMPTZ" => put(&timestamp(value)?, buffer),
        "BYTEA" => put(&Vec::<u8>::from_value(value.clone())?, buffer),
        "JSON" | "JSONB" => write_json(value, place.name() == "JSONB", buffer),
        _ if is_text(place) => match text(value) {
            Some(text) => put(&text, buffer),
            None => refuse(value, place),
        },
        _ => refuse(value, place),
    }
}

fn put<'a, T: Encode<'a, Postgres>>(value: &T, buffer: &mut PgArgumentBuffer) -> Written {
    value.encode_by_ref(buffer)
}

fn refuse(value: &Value, place: &PgTypeInfo) -> Written {
    let (place, kind) = (place.name().to_lowercase(), value.kind());
    let why = format!(
        "PostgreSQL wants `{place}` there, found {kind}: write `$n::text::{place}` and give text"
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

/// A moment without a zone is what it was written as; one with a zone, its UTC.
fn moment(value: &Value) -> Result<NaiveDateTime, ValueError> {
    match value {
        Value::Timestamp(moment) => Ok(moment.naive_utc()),
        value => NaiveDateTime::from_value(value.clone()),
    }
}

fn timestamp(value: &Value) -> Result<DateTime<Utc>, ValueError> {
    match value {
        Value::DateTime(_) => Err(ValueError::new(
            "a date and time without a zone is no timestamp: give a `DateTime<Utc>`",
        )),
        value => DateTime::from_value(value.clone()),
    }
}

/// Text is taken for a document that was written already; the server checks it.
fn write_json(value: &Value, binary: bool, buffer: &mut PgArgumentBuffer) -> Written {
    let document = match value {
        Value::Json(document) => document.to_string(),
        Value::Text(document) => document.clone(),
        other => serde_json::Value::from_value(other.clone())?.to_string(),
    };
    if binary {
        // The one version there is of jsonb's binary form.
        buffer.push(1);
    }
    buffer.extend_from_slice(document.as_bytes());
    Ok(IsNull::No)
}

/// The value of a column; the index must be that of one.
pub(in crate::db) fn value(row: &PgRow, index: usize) -> Result<Value, ValueError> {
    let raw = row.try_get_raw(index).expect("the caller checked the index");
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let info = raw.type_info().into_owned();
    let kind = base(&info);
    macro_rules! read {
        ($type:ty => $variant:ident) => {
            <$type as Decode<Postgres>>::decode(raw).map(|value| Value::$variant(value.into()))
        };
    }
    let read = match kind.name() {
        "BOOL" => read!(bool => Bool),
        "INT2" => read!(i16 => Integer),
        "INT4" => read!(i32 => Integer),
        "INT8" => read!(i64 => Integer),
        "OID" => <Oid as Decode<Postgres>>::decode(raw).map(|oid| Value::Integer(oid.0.into())),
        "FLOAT4" => read!(f32 => Real),
        "FLOAT8" => read!(f64 => Real),
        "NUMERIC" => read!(Decimal => Decimal),
        "UUID" => read!(Uuid => Uuid),
        "DATE" => read!(NaiveDate => Date),
        "TIME" => read!(NaiveTime => Time),
        "TIMESTAMP" => read!(NaiveDateTime => DateTime),
        "TIMESTAMPTZ" => read!(DateTime<Utc> => Timestamp),
        "BYTEA" => read!(Vec<u8> => Bytes),
        "JSON" | "JSONB" => read!(serde_json::Value => Json),
        "VOID" => return Ok(Value::Null),
        _ if is_text(kind) => read!(String => Text),
        other => {
            let name = other.to_lowercase();
            let why = format!(
                "PostgreSQL's `{name}` is not in the table of types: write `::text` after it"
            );
            return Err(ValueError::new(why));
        }
    };
    // The decoder's own words would quote the value.
    read.map_err(|_| {
        let name = kind.name().to_lowercase();
        ValueError::new(format!("a value of `{name}` has no place in its Rust type"))
    })
}

#[cfg(test)]
mod tests {
    use rust_decimal::prelude::ToPrimitive;

    use super::*;

    #[test]
    fn numbers_are_checked_against_the_range_of_their_place() {
        assert_eq!(integer::<i16>(&Value::Integer(7), "smallint"), Ok(7));
        let error = integer::<i16>(&Value::Integer(70_000), "smallint").unwrap_err();
        assert_eq!(error.to_string(), "out of the range of `smallint`");
        assert!(integer::<i32>(&Value::Bool(true), "integer").is_err());
        assert_eq!(decimal(&Value::Real(0.1)).unwrap().to_string(), "0.1");
        assert_eq!(decimal(&Value::Integer(3)).unwrap().to_i64(), Some(3));
        assert!(decimal(&Value::Real(f64::INFINITY)).is_err());
    }
}
