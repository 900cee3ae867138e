//! Rows, and what they are read as.

use futures_util::{TryStream, TryStreamExt};
use serde::de::DeserializeOwned;
use sqlx::{Either, Row as _};

use super::error::{Error, Kind};
use super::value::{AsJson, Column, Value, ValueError};
use crate::config::ByteSize;
use crate::context::{self, MemoryRefusal};

pub use piton_macros::FromRow;

/// One row of an answer.
pub struct Row(Stored);

enum Stored {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlx::sqlite::SqliteRow),
    #[cfg(feature = "postgres")]
    Postgres(sqlx::postgres::PgRow),
}

/// Does the same with the row of either database.
macro_rules! each {
    ($row:expr, $stored:ident => $do:expr) => {
        match &$row.0 {
            #[cfg(feature = "sqlite")]
            Stored::Sqlite($stored) => $do,
            #[cfg(feature = "postgres")]
            Stored::Postgres($stored) => $do,
        }
    };
}

/// The maximum that is read of a statement's rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    rows: usize,
    bytes: u64,
}

impl Limit {
    /// No limit.
    pub const ALL: Self = Self { rows: usize::MAX, bytes: u64::MAX };

    /// Limits the number of rows.
    pub const fn rows(rows: usize) -> Self {
        Self { rows, bytes: u64::MAX }
    }

    /// Limits the rows by their bytes together. At least one row is read.
    pub const fn bytes(bytes: u64) -> Self {
        Self { rows: usize::MAX, bytes }
    }
}

/// Charges are made in steps of this many bytes, because counting each row is not worth its cost.
const UNCOUNTED: u64 = 64 << 10;

/// The memory of a row in addition to its values, in bytes.
const ROW_OVERHEAD: u64 = 64;

/// Reads the rows of a statement, up to `limit`. Where the number of rows is not limited, they are
/// charged to `http.memory_budget`.
pub(super) async fn take<D, R>(
    mut answers: impl TryStream<Ok = Either<D, R>, Error = sqlx::Error> + Unpin,
    limit: Limit,
    row: fn(R) -> Row,
) -> Result<Vec<Row>, sqlx::Error> {
    let mut rows = Vec::new();
    let (mut bytes, mut counted) = (0_u64, 0_u64);
    while let Some(answer) = answers.try_next().await? {
        let Either::Right(found) = answer else { continue };
        let row = row(found);
        if limit.rows == usize::MAX {
            bytes += row.size();
            if bytes > limit.bytes && !rows.is_empty() {
                break;
            }
            if bytes - counted > UNCOUNTED {
                context::hold_memory(bytes - counted).map_err(no_room)?;
                counted = bytes;
            }
        }
        rows.push(row);
        if rows.len() == limit.rows {
            break;
        }
    }
    Ok(rows)
}

/// The error of rows that do not fit into `http.memory_budget`.
#[derive(Debug)]
pub(super) struct NoRoom(pub MemoryRefusal);

impl std::fmt::Display for NoRoom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            MemoryRefusal::Full => f.write_str("no room for its rows in http.memory_budget"),
            MemoryRefusal::TooMuch(budget) => write!(
                f,
                "a statement found more than fits into http.memory_budget ({}): give it a LIMIT, or \
                 read it by `Db::page`",
                ByteSize::bytes(budget)
            ),
        }
    }
}

impl std::error::Error for NoRoom {}

#[cold]
fn no_room(refusal: MemoryRefusal) -> sqlx::Error {
    sqlx::Error::AnyDriverError(Box::new(NoRoom(refusal)))
}

/// A type that a row can be read as.
///
/// Derive it for a struct, whose fields are found by the columns' names (columns that no field
/// asks for are ignored); or read rows as tuples of up to eight [`Column`]s in the order of the
/// statement; or, if the row has one column, as that column's type.
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

impl Row {
    #[cfg(feature = "postgres")]
    pub(super) fn postgres(row: sqlx::postgres::PgRow) -> Self {
        Self(Stored::Postgres(row))
    }

    #[cfg(feature = "sqlite")]
    pub(super) fn sqlite(row: sqlx::sqlite::SqliteRow) -> Self {
        Self(Stored::Sqlite(row))
    }

    /// The value of the column of that name.
    ///
    /// # Errors
    /// [`Kind::Type`] if there is no such column, or it is not a `T`.
    pub fn get<T: Column>(&self, name: &str) -> Result<T, Error> {
        let index = self.find(name).ok_or_else(|| self.missing(name))?;
        self.value(index)
            .and_then(T::from_value)
            .map_err(|error| Error::column(format_args!("`{name}`"), error))
    }

    /// The value of the column of that name, or the type's default if there is no such column.
    ///
    /// # Errors
    /// [`Kind::Type`] if it is not a `T`.
    pub fn get_or_default<T: Column + Default>(&self, name: &str) -> Result<T, Error> {
        if self.find(name).is_some() { self.get(name) } else { Ok(T::default()) }
    }

    /// The value of the column of that name, read from JSON.
    ///
    /// # Errors
    /// [`Kind::Type`] if there is no such column, or it does not hold JSON that fits `T`.
    pub fn get_json<T: DeserializeOwned>(&self, name: &str) -> Result<T, Error> {
        self.get::<AsJson<T>>(name).map(|AsJson(value)| value)
    }

    /// The value of the column at that place, counted from 0.
    ///
    /// # Errors
    /// [`Kind::Type`] if there are fewer columns, or it is not a `T`.
    pub fn at<T: Column>(&self, index: usize) -> Result<T, Error> {
        if index >= self.len() {
            let error = ValueError::new(format!("the row has {} columns", self.len()));
            return Err(Error::column(index + 1, error));
        }
        self.value(index)
            .and_then(T::from_value)
            .map_err(|error| Error::column(format_args!("{}", index + 1), error))
    }

    /// The columns' names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let names: Vec<&str> =
            each!(self, row => row.columns().iter().map(sqlx::Column::name).collect());
        names.into_iter()
    }

    /// How many columns there are.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a row has at least one column")]
    pub fn len(&self) -> usize {
        each!(self, row => row.len())
    }

    /// Returns the size of the values in bytes.
    fn size(&self) -> u64 {
        let values = 0..self.len();
        let bytes: usize = match &self.0 {
            #[cfg(feature = "sqlite")]
            Stored::Sqlite(row) => values.map(|index| super::sqlite::size(row, index)).sum(),
            #[cfg(feature = "postgres")]
            Stored::Postgres(row) => values.map(|index| super::postgres::size(row, index)).sum(),
        };
        bytes as u64 + ROW_OVERHEAD
    }

    fn find(&self, name: &str) -> Option<usize> {
        each!(self, row => sqlx::ColumnIndex::index(&name, row).ok())
    }

    /// `index` must be that of a column.
    fn value(&self, index: usize) -> Result<Value, ValueError> {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Stored::Sqlite(row) => super::sqlite::value(row, index),
            #[cfg(feature = "postgres")]
            Stored::Postgres(row) => super::postgres::types::value(row, index),
        }
    }

    fn missing(&self, name: &str) -> Error {
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
