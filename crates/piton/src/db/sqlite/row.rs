//! Values on their way to SQLite and back.

use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, ColumnIndex, Decode, Row as _, Sqlite, TypeInfo, ValueRef};

pub(in crate::db) use sqlx::sqlite::SqliteRow;

use crate::db::backend_row::RawRow;
use crate::db::value::{Value, ValueError, text_of};

/// Adds a parameter in the storage form that the module's table of types documents.
pub(super) fn add_parameter(arguments: &mut SqliteArguments, value: Value) {
    let added = match value {
        Value::Null => arguments.add(None::<i64>),
        Value::Bool(value) => arguments.add(i64::from(value)),
        Value::Integer(value) => arguments.add(value),
        Value::Real(value) => arguments.add(value),
        Value::Text(value) => arguments.add(value),
        Value::Bytes(value) => arguments.add(value),
        other => arguments.add(text_of(&other).unwrap_or_default()),
    };
    added.expect("numbers, text and bytes always encode");
}

impl RawRow for SqliteRow {
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
        let storage_class = raw.type_info().name().to_owned();
        let value = match storage_class.as_str() {
            "INTEGER" => <i64 as Decode<Sqlite>>::decode(raw).map(Value::Integer),
            "REAL" => <f64 as Decode<Sqlite>>::decode(raw).map(Value::Real),
            "TEXT" => <String as Decode<Sqlite>>::decode(raw).map(Value::Text),
            _ => <Vec<u8> as Decode<Sqlite>>::decode(raw).map(Value::Bytes),
        };
        value.map_err(|_| ValueError::new("found text that is not UTF-8"))
    }

    fn size(&self, index: usize) -> usize {
        let raw = self.try_get_raw(index).expect("the caller checked the index");
        let is_long = matches!(raw.type_info().name(), "TEXT" | "BLOB");
        if !is_long {
            return size_of::<i64>();
        }
        <&[u8] as Decode<Sqlite>>::decode(raw).map_or(0, <[u8]>::len)
    }
}
