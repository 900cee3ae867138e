//! The rows of a statement, and the types that they are read as.

use serde::de::DeserializeOwned;

use super::backend_row::RawRow;
use super::error::{Error, Kind};
use super::postgres::row::PgRow;
use super::sqlite::row::SqliteRow;
use super::value::{AsJson, Column, Value, ValueError};

pub use piton_macros::FromRow;

/// A row of a statement's result.
pub struct Row(BackendRow);

enum BackendRow {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// The memory of a row in addition to its values, in bytes.
const ROW_OVERHEAD: u64 = 64;

/// A type that a row can be read as.
///
/// Derive it for a struct, whose fields are found by the columns' names (other columns are
/// ignored); or read rows as tuples of up to eight [`Column`]s in the order of the statement; or,
/// if the row has one column, as that column's type.
///
/// ```
/// use piton::db::FromRow;
/// # #[derive(serde::Deserialize)] struct Address;
///
/// #[derive(FromRow)]
/// struct Company {
///     cnpj: String,
///     name: String,
///     founded: Option<chrono::NaiveDate>,
///     #[row(rename = "uf")]
///     state: String,
///     /// Stored as JSON; any type that serde reads.
///     #[row(json)]
///     address: Address,
///     /// `Default::default()` when the statement has no such column.
///     #[row(default)]
///     partners: i64,
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a row cannot be read as `{Self}`",
    note = "derive `piton::db::FromRow` for a struct, or implement `piton::db::Column` for the type of one column"
)]
pub trait FromRow: Sized {
    /// Reads the row.
    ///
    /// # Errors
    /// [`Kind::Type`] if a column is missing, or is not of the type wanted; it names all three.
    fn from_row(row: &Row) -> Result<Self, Error>;
}

impl From<SqliteRow> for Row {
    fn from(row: SqliteRow) -> Self {
        Self(BackendRow::Sqlite(row))
    }
}

impl From<PgRow> for Row {
    fn from(row: PgRow) -> Self {
        Self(BackendRow::Postgres(row))
    }
}

impl Row {
    fn raw(&self) -> &dyn RawRow {
        match &self.0 {
            BackendRow::Sqlite(row) => row,
            BackendRow::Postgres(row) => row,
        }
    }

    /// Returns the value of the column `name`.
    ///
    /// # Errors
    /// [`Kind::Type`] if there is no such column, or its value is not a `T`.
    pub fn get<T: Column>(&self, name: &str) -> Result<T, Error> {
        let index = self.raw().index_of(name).ok_or_else(|| self.missing_column(name))?;
        self.value(index)
            .and_then(T::from_value)
            .map_err(|error| Error::column(format_args!("`{name}`"), error))
    }

    /// Returns the value of the column `name`, or the type's default if there is no such column.
    ///
    /// # Errors
    /// [`Kind::Type`] if the value is not a `T`.
    pub fn get_or_default<T: Column + Default>(&self, name: &str) -> Result<T, Error> {
        if self.raw().index_of(name).is_some() { self.get(name) } else { Ok(T::default()) }
    }

    /// Returns the value of the column `name`, read from JSON.
    ///
    /// # Errors
    /// [`Kind::Type`] if there is no such column, or it does not hold JSON that fits `T`.
    pub fn get_json<T: DeserializeOwned>(&self, name: &str) -> Result<T, Error> {
        self.get::<AsJson<T>>(name).map(|AsJson(value)| value)
    }

    /// Returns the value of the column with this index, counted from 0.
    ///
    /// # Errors
    /// [`Kind::Type`] if there are fewer columns, or the value is not a `T`.
    pub fn at<T: Column>(&self, index: usize) -> Result<T, Error> {
        if index >= self.len() {
            let error = ValueError::new(format!("the row has {} columns", self.len()));
            return Err(Error::column(index + 1, error));
        }
        self.value(index)
            .and_then(T::from_value)
            .map_err(|error| Error::column(format_args!("{}", index + 1), error))
    }

    /// Returns the columns' names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.raw().names().into_iter()
    }

    /// Returns the number of columns.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a row has at least one column")]
    pub fn len(&self) -> usize {
        self.raw().column_count()
    }

    /// Returns the size of the row in memory, in bytes.
    pub(super) fn size(&self) -> u64 {
        let row = self.raw();
        let bytes: usize = (0..row.column_count()).map(|index| row.size(index)).sum();
        bytes as u64 + ROW_OVERHEAD
    }

    fn value(&self, index: usize) -> Result<Value, ValueError> {
        self.raw().value(index)
    }

    fn missing_column(&self, name: &str) -> Error {
        let names: Vec<_> = self.names().collect();
        Error::new(Kind::Type, format!("there is no column `{name}`, only {}", names.join(", ")))
    }

    fn expect_len(&self, wanted: usize) -> Result<(), Error> {
        if self.len() == wanted {
            return Ok(());
        }
        let plural = if wanted == 1 { "" } else { "s" };
        Err(Error::new(
            Kind::Type,
            format!("expected a row of {wanted} column{plural}, found {}", self.len()),
        ))
    }
}

impl std::fmt::Debug for Row {
    /// Shows the columns' names, not their values.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Row").field(&self.names().collect::<Vec<_>>()).finish()
    }
}

impl<T: Column> FromRow for T {
    fn from_row(row: &Row) -> Result<Self, Error> {
        row.expect_len(1)?;
        row.at(0)
    }
}

macro_rules! tuples {
    ($(($count:literal $($name:ident $index:tt)+))+) => {$(
        impl<$($name: Column),+> FromRow for ($($name,)+) {
            fn from_row(row: &Row) -> Result<Self, Error> {
                row.expect_len($count)?;
                Ok(($(row.at::<$name>($index)?,)+))
            }
        }
    )+};
}

tuples! {
    (1 A 0)
    (2 A 0 B 1)
    (3 A 0 B 1 C 2)
    (4 A 0 B 1 C 2 D 3)
    (5 A 0 B 1 C 2 D 3 E 4)
    (6 A 0 B 1 C 2 D 3 E 4 F 5)
    (7 A 0 B 1 C 2 D 3 E 4 F 5 G 6)
    (8 A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7)
}
