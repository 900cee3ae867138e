//! Reads values from PostgreSQL's rows, by the types that the server reports.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use rust_decimal::Decimal;
use sqlx::postgres::types::Oid;
use sqlx::{ColumnIndex, Decode, Postgres, Row as _, TypeInfo, ValueRef};
use uuid::Uuid;

pub(in crate::db) use sqlx::postgres::PgRow;

use super::type_info::{base, is_text};
use crate::db::backend_row::RawRow;
use crate::db::value::{Value, ValueError};

impl RawRow for PgRow {
    fn names(&self) -> Vec<&str> {
        self.columns().iter().map(sqlx::Column::name).collect()
    }

    fn column_count(&self) -> usize {
        self.len()
    }

    fn index_of(&self, name: &str) -> Option<usize> {
        name.index(self).ok()
    }

    fn value(&self, index: usize) -> Result<Value, ValueError> {
        let raw = self.try_get_raw(index).expect("the caller checked the index");
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
        // The decoder's own message is dropped, because it would quote the value.
        read.map_err(|_| {
            let name = kind.name().to_lowercase();
            ValueError::new(format!("a value of `{name}` does not fit its Rust type"))
        })
    }

    fn size(&self, index: usize) -> usize {
        let raw = self.try_get_raw(index).expect("the caller checked the index");
        raw.as_bytes().map_or(0, <[u8]>::len)
    }
}
