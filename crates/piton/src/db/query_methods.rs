//! The calls that [`Db`](super::Db) and [`Tx`](super::Tx) share, and how they read rows.

use super::error::{Error, Kind};
use super::row::{FromRow, Row};

/// Defines the calls that `Db` and `Tx` share, for `&self` and `&mut self`: a trait would have to
/// be imported by every service, and could not promise that the futures are `Send`.
macro_rules! query_methods {
    ($self:ident: $($receiver:tt)+) => {
        /// Runs a statement. Returns the number of rows it changed; 0 for a statement that changes
        /// no rows.
        ///
        /// # Errors
        /// By [`Error::kind`](super::Error::kind): a constraint failed ([`Kind::Unique`](super::Kind::Unique), [`Kind::ForeignKey`](super::Kind::ForeignKey),
        /// [`Kind::NotNull`](super::Kind::NotNull), [`Kind::Check`](super::Kind::Check), [`Kind::Refused`](super::Kind::Refused)); [`Kind::Unavailable`](super::Kind::Unavailable) if no
        /// connection was free in time or the database cannot be reached; [`Kind::Arity`](super::Kind::Arity),
        /// [`Kind::Type`](super::Kind::Type) and [`Kind::Statement`](super::Kind::Statement) for a bug in the caller. A transaction in which
        /// the database refused a statement can only be rolled back.
        pub fn run(
            $($receiver)+,
            sql: impl Into<Sql>,
            params: impl Params,
        ) -> impl Future<Output = Result<u64, Error>> + Send {
            let statement = $self.statement(sql.into(), params);
            async move { $self.execute(statement?).await }
        }

        /// Returns the row that a statement finds, or `None`.
        ///
        /// # Errors
        /// Those of [`run`](Self::run); [`Kind::TooMany`](super::Kind::TooMany) if there is more than one row (a
        /// statement that changes rows has changed all of them: use a transaction);
        /// [`Kind::Type`](super::Kind::Type) if the row is not a `T`.
        #[doc(alias = "fetch_optional")]
        pub fn one<T: FromRow>(
            $($receiver)+,
            sql: impl Into<Sql>,
            params: impl Params,
        ) -> impl Future<Output = Result<Option<T>, Error>> + Send {
            let statement = $self.statement(sql.into(), params);
            async move { at_most_one(&$self.fetch(statement?, RowLimit::rows(2)).await?) }
        }

        /// Returns the one row that a statement finds. Without a row, a handler that returns the
        /// error responds with 404.
        ///
        /// ```
        /// # use piton::db::{Db, FromRow};
        /// # #[derive(FromRow)] struct Book { title: String }
        /// # async fn f(db: Db, id: i64) -> piton::Result<Book> {
        /// Ok(db.exactly_one("SELECT title FROM books WHERE id = $1", (id,)).await?)
        /// # }
        /// ```
        ///
        /// # Errors
        /// [`Kind::NotFound`](super::Kind::NotFound) if there is no row; otherwise those of [`one`](Self::one).
        #[doc(alias("fetch_one", "one_or_404", "get_object_or_404", "scalar_one"))]
        pub fn exactly_one<T: FromRow>(
            $($receiver)+,
            sql: impl Into<Sql>,
            params: impl Params,
        ) -> impl Future<Output = Result<T, Error>> + Send {
            let statement = $self.statement(sql.into(), params);
            async move { exactly_one(&$self.fetch(statement?, RowLimit::rows(2)).await?) }
        }

        /// Returns the value of a statement that finds one row of one column, such as a count.
        /// Read a column that may be NULL as an `Option`.
        ///
        /// ```
        /// # use piton::db::{Db, Error};
        /// # async fn f(db: Db) -> Result<u64, Error> {
        /// db.scalar("SELECT count(*) FROM books", ()).await
        /// # }
        /// ```
        ///
        /// # Errors
        /// [`Kind::NotFound`](super::Kind::NotFound) if there is no row; [`Kind::Type`](super::Kind::Type) if the row has more than one
        /// column, or its value is not a `T`; otherwise those of [`one`](Self::one).
        #[doc(alias("query_scalar", "scalar_one", "count"))]
        pub fn scalar<T: Column>(
            $($receiver)+,
            sql: impl Into<Sql>,
            params: impl Params,
        ) -> impl Future<Output = Result<T, Error>> + Send {
            $self.exactly_one::<T>(sql, params)
        }

        /// Returns every row that a statement finds. All of them are held in memory: add a `LIMIT`
        /// to the statement where their number has no bound.
        ///
        /// # Errors
        /// Those of [`run`](Self::run); [`Kind::Type`](super::Kind::Type) if a row is not a `T`;
        /// [`Kind::Other`](super::Kind::Other) or [`Kind::Unavailable`](super::Kind::Unavailable) if the rows exceed `http.memory_budget`.
        #[doc(alias = "fetch_all")]
        pub fn all<T: FromRow>(
            $($receiver)+,
            sql: impl Into<Sql>,
            params: impl Params,
        ) -> impl Future<Output = Result<Vec<T>, Error>> + Send {
            let statement = $self.statement(sql.into(), params);
            async move { read_all($self.fetch(statement?, RowLimit::ALL).await?) }
        }
    };
}
pub(super) use query_methods;

/// Converts the rows, and drops each once it has been read, because both forms of all rows would
/// take twice the memory.
pub(super) fn read_all<T: FromRow>(rows: Vec<Row>) -> Result<Vec<T>, Error> {
    rows.into_iter().map(|row| T::from_row(&row)).collect()
}

pub(super) fn at_most_one<T: FromRow>(rows: &[Row]) -> Result<Option<T>, Error> {
    match rows {
        [] => Ok(None),
        [row] => T::from_row(row).map(Some),
        _ => Err(Error::new(Kind::TooMany, "expected at most one row, found more")),
    }
}

pub(super) fn exactly_one<T: FromRow>(rows: &[Row]) -> Result<T, Error> {
    at_most_one(rows)?.ok_or_else(|| Error::new(Kind::NotFound, "expected one row, found none"))
}
