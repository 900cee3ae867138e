//! Runs the broker's statements, which go past the log and the conversions of [`Db`](crate::db::Db): at 40,000 tasks
//! a second both would cost more than the statements.

use std::sync::{Arc, OnceLock};

use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteQueryResult, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe};

use crate::db::Tx;
use crate::tasks::error::{BrokerError, Kind};

/// Returns the connection of a transaction.
pub(super) fn connection(tx: &mut Tx) -> Result<&mut SqliteConnection, BrokerError> {
    let other = || BrokerError::new(Kind::Other, "the transaction is not one of SQLite");
    tx.sqlite_connection().ok_or_else(other)
}

/// A value of a parameter. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    Null,
    Integer(i64),
    Text(Arc<str>),
}

impl From<i64> for Cell {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Returns the parameters of a statement.
pub(super) fn arguments(cells: impl IntoIterator<Item = Cell>) -> SqliteArguments {
    let cells = cells.into_iter();
    let mut arguments = SqliteArguments::default();
    arguments.reserve(cells.size_hint().0, 0);
    for cell in cells {
        let added = match cell {
            Cell::Null => arguments.add(None::<i64>),
            Cell::Integer(value) => arguments.add(value),
            Cell::Text(text) => arguments.add(text),
        };
        added.expect("numbers and text always encode");
    }
    arguments
}

pub(super) fn no_arguments() -> SqliteArguments {
    SqliteArguments::default()
}

/// Returns the numbers as a JSON list, which is one parameter however many there are.
pub(super) fn json_list(numbers: impl Iterator<Item = i64>) -> Cell {
    let numbers: Vec<i64> = numbers.collect();
    Cell::from(serde_json::to_string(&numbers).expect("numbers always serialize").as_str())
}

type SqliteQuery = sqlx::query::Query<'static, sqlx::Sqlite, SqliteArguments>;

fn query(sql: impl Into<String>, arguments: SqliteArguments) -> SqliteQuery {
    sqlx::query_with(AssertSqlSafe(sql.into()), arguments).persistent(true)
}

/// Runs a statement that returns no rows.
pub(super) async fn execute(
    connection: &mut SqliteConnection,
    sql: &str,
    arguments: SqliteArguments,
) -> Result<SqliteQueryResult, sqlx::Error> {
    query(sql, arguments).execute(connection).await
}

/// Runs a statement and returns its rows.
pub(super) async fn fetch(
    connection: &mut SqliteConnection,
    sql: &str,
    arguments: SqliteArguments,
) -> Result<Vec<SqliteRow>, sqlx::Error> {
    query(sql, arguments).fetch_all(connection).await
}

/// A statement over a list of rows, which are parameters: `VALUES (?, ?), (?, ?)`.
///
/// Few sizes of lists are prepared, and any other is split into these.
pub(super) struct BatchStatement {
    before: &'static str,
    columns: usize,
    after: &'static str,
    texts: OnceLock<[String; SIZES.len()]>,
}

/// The numbers of rows of the statements that are prepared. A larger one saves nothing, and more of them make fewer
/// statements of the rows that are left.
const SIZES: [usize; 5] = [128, 32, 8, 3, 1];

impl BatchStatement {
    /// Makes the statement of the text before the list of rows of `columns` columns, and the text after it.
    pub const fn new(before: &'static str, columns: usize, after: &'static str) -> Self {
        Self { before, columns, after, texts: OnceLock::new() }
    }

    /// Runs the statement for all rows, whose cells follow each other, with the parameters `leading` before them.
    /// Returns the number of changed rows, and the last key inserted.
    pub async fn run(
        &self,
        connection: &mut SqliteConnection,
        leading: &[Cell],
        rows: Vec<Cell>,
    ) -> Result<(u64, i64), sqlx::Error> {
        let mut left = rows.len() / self.columns;
        let mut cells = rows.into_iter();
        let (mut changed, mut last) = (0, 0);
        for (size, text) in SIZES.into_iter().zip(self.texts()) {
            while left >= size {
                let some = leading.iter().cloned().chain(cells.by_ref().take(size * self.columns));
                let done = execute(connection, text, arguments(some)).await?;
                changed += done.rows_affected();
                last = done.last_insert_rowid();
                left -= size;
            }
        }
        Ok((changed, last))
    }

    fn texts(&self) -> &[String; SIZES.len()] {
        self.texts.get_or_init(|| SIZES.map(|rows| self.text(rows)))
    }

    fn text(&self, rows: usize) -> String {
        let row = format!("({})", vec!["?"; self.columns].join(", "));
        format!("{}{}{}", self.before, vec![row; rows].join(", "), self.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_a_placeholder_for_every_cell() {
        let statement = BatchStatement::new("INSERT INTO t VALUES ", 2, " RETURNING a");
        assert_eq!(statement.texts()[4], "INSERT INTO t VALUES (?, ?) RETURNING a");
        assert_eq!(statement.texts()[2].matches('?').count(), 16);
    }
}
