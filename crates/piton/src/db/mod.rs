//! The service's database: a SQLite file when nothing is configured.
//!
//! SQL stays SQL. There is no query language of our own and no mapper to learn: a statement, its
//! parameters, and the type that each row becomes. What the room adds is what goes wrong in
//! silence without it: a missing parameter, a number that does not fit, a schema that is behind.
//!
//! ```
//! use piton::db::{Db, Error, FromRow};
//!
//! #[derive(FromRow)]
//! struct Company { cnpj: String, name: String }
//!
//! async fn rename(db: &Db, cnpj: &str, name: &str) -> Result<Option<Company>, Error> {
//!     db.run("UPDATE companies SET name = $2 WHERE cnpj = $1", (cnpj, name)).await?;
//!     db.one::<Company>("SELECT * FROM companies WHERE cnpj = $1", (cnpj,)).await
//! }
//! ```
//!
//! # Types
//!
//! What each Rust type is in the database, both ways. Anything else that is found there is an
//! error which names the column, and is never converted in silence.
//!
//! | Rust | SQLite | declare the column as |
//! |---|---|---|
//! | `bool` | integer 0 or 1 | `INTEGER` |
//! | `i8` to `i64`, `isize`, `u8` to `u64`, `usize` | integer; a `u64` above `i64::MAX` is refused | `INTEGER` |
//! | `f32`, `f64` | real; NaN is refused; whole numbers are read too | `REAL` |
//! | `String`, `&str`, `Cow<str>` | text | `TEXT` |
//! | `Vec<u8>`, `&[u8]`, `[u8; N]` | blob | `BLOB` |
//! | [`uuid::Uuid`] | text, `67e55044-10b1-426f-9247-bb680e5fe0c8` | `TEXT` |
//! | [`chrono::NaiveDate`] | text, `2026-11-21` | `TEXT` |
//! | [`chrono::NaiveTime`] | text, `01:02:03.000000` | `TEXT` |
//! | [`chrono::NaiveDateTime`] | text, `2026-11-21T01:02:03.000000` | `TEXT` |
//! | [`chrono::DateTime<Utc>`] | text, RFC 3339 in UTC, `2026-11-21T01:02:03.000000Z` | `TEXT` |
//! | [`serde_json::Value`], [`AsJson<T>`] | text | `TEXT` |
//! | `Option<T>` | `NULL` or what `T` is | as for `T`, without `NOT NULL` |
//! | your own | what its [`Bind`] and [`Column`] say | |
//!
//! - Times are kept to the microsecond; what is finer is cut off. Each has the same length, so that
//!   texts sort as the times do. To have SQLite write such a time itself:
//!   `DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))`. Its `CURRENT_TIMESTAMP` is read, as UTC,
//!   but does not sort among the others.
//! - Dates outside of the years 0 to 9999 are refused: they would not sort.
//! - SQLite gives numeric affinity to any declared type that it does not know, also `JSON`, `UUID`
//!   and `STRING`, and then turns text that looks like a number into one. Declare `TEXT`, and the
//!   table as `STRICT` to be sure.
//!
//! # Transactions
//!
//! [`Db::transaction`] commits when its closure returns `Ok`, and undoes everything when it
//! returns `Err` or is cancelled, as a request is that runs into its timeout. [`Db::begin`] is the
//! same without the closure. After a statement in it has failed a transaction can only be undone,
//! on SQLite too, so that code which works here works on every database.
//!
//! Writes wait for each other in the order they come, at most
//! [`acquire_timeout`](DbSettings::acquire_timeout); reads wait for nobody and see the state
//! before the write.
//!
//! # Cancellation
//!
//! A future of this room that is dropped before it is done frees its connection. Whether a write
//! outside of a transaction, or a commit, still happened is not known.

mod error;
mod migrations;
mod params;
mod placeholders;
mod row;
mod settings;
mod sql;
mod sqlite;
#[cfg(test)]
mod tests;
mod value;

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use crate::app::App;
use crate::handle::Handle;
use crate::part::{self, BoxError, Health, Launch, Part};
use crate::step::Step;

use placeholders::Dialect;
use sql::Statement;

pub use error::{Error, Kind};
pub use migrations::Migrations;
pub use params::Params;
pub use row::{FromRow, Row};
pub use settings::DbSettings;
pub use sql::Sql;
pub use value::{AsJson, Bind, Column, Value, ValueError};

/// The database. Cheap to clone; every clone uses the same connections.
///
/// Statements are text from the program's source: a literal, or [`Sql`] made of literals. They
/// write placeholders as `$1`, `$2`; their number must be that of the [`Params`].
#[derive(Clone)]
pub struct Db(Store);

#[derive(Clone)]
enum Store {
    Sqlite(Arc<sqlite::Store>),
}

/// A transaction. Dropping it undoes everything it did.
pub struct Tx {
    open: Open,
    /// Why a statement in it failed: from then on it can only be undone.
    failed: Option<(Kind, String)>,
}

enum Open {
    Sqlite(sqlite::Open),
}

impl Db {
    /// Runs a statement, and says how many rows it changed (0 for one that changes no rows).
    ///
    /// # Errors
    /// By [`Error::kind`]: a constraint does not hold ([`Kind::Unique`] and its neighbours),
    /// [`Kind::Unavailable`] if no connection was free in time, [`Kind::Arity`] and
    /// [`Kind::Statement`] for a bug in the caller.
    pub fn run(
        &self,
        sql: impl Into<Sql>,
        params: impl Params,
    ) -> impl Future<Output = Result<u64, Error>> + Send {
        let statement = self.statement(sql.into(), params);
        async move {
            match &self.0 {
                Store::Sqlite(store) => store.run(statement?).await,
            }
        }
    }

    /// The row that a statement finds, if any.
    ///
    /// # Errors
    /// Those of [`run`](Self::run); [`Kind::TooMany`] if there is more than one row (a statement
    /// that changes rows has changed them all the same: use a transaction); [`Kind::Type`] if the
    /// row is not a `T`.
    pub fn one<T: FromRow>(
        &self,
        sql: impl Into<Sql>,
        params: impl Params,
    ) -> impl Future<Output = Result<Option<T>, Error>> + Send {
        let rows = self.rows(self.statement(sql.into(), params), 2);
        async move { at_most_one(&rows.await?) }
    }

    /// Every row that a statement finds. All of them are held in memory: let the statement
    /// say `LIMIT` where their number has no bound.
    ///
    /// # Errors
    /// Those of [`run`](Self::run); [`Kind::Type`] if a row is not a `T`.
    pub fn all<T: FromRow>(
        &self,
        sql: impl Into<Sql>,
        params: impl Params,
    ) -> impl Future<Output = Result<Vec<T>, Error>> + Send {
        let rows = self.rows(self.statement(sql.into(), params), usize::MAX);
        async move { rows.await?.iter().map(T::from_row).collect() }
    }

    /// Does all of `work` or none of it: commits if it returns `Ok`, undoes everything if it
    /// returns `Err`, panics or is dropped.
    ///
    /// ```
    /// # use piton::db::{Db, Error};
    /// # async fn f(db: Db, from: &str, to: &str) -> Result<i64, Error> {
    /// db.transaction(async |tx| {
    ///     tx.run("UPDATE accounts SET cents = cents - 100 WHERE name = $1", (from,)).await?;
    ///     tx.run("UPDATE accounts SET cents = cents + 100 WHERE name = $1", (to,)).await?;
    ///     Ok(100)
    /// })
    /// .await
    /// # }
    /// ```
    ///
    /// The closure may fail with any error that a database error turns into, so with
    /// [`piton::Error`](crate::http::Error) and with [`Error`]. Where the compiler cannot tell
    /// which (because of a `?` after the call), the closure says it:
    /// `async |tx: &mut Tx| -> piton::Result<i64> { .. }`.
    ///
    /// # Errors
    /// What `work` returns; and, turned into its error type, those of [`begin`](Self::begin) and
    /// [`commit`](Tx::commit).
    pub async fn transaction<T, E: From<Error>>(
        &self,
        work: impl AsyncFnOnce(&mut Tx) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut tx = self.begin().await?;
        match work(&mut tx).await {
            Ok(value) => {
                tx.commit().await?;
                Ok(value)
            }
            Err(error) => {
                // Waiting for it lets the caller see the state as it was. If undoing itself fails,
                // the connection is given up, and the database undoes it.
                if let Err(undo) = tx.rollback().await {
                    tracing::warn!(error = %undo, "Could not roll a transaction back at once");
                }
                Err(error)
            }
        }
    }

    /// Begins a transaction that may write: it waits for the write before it.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] if its turn did not come in time.
    pub async fn begin(&self) -> Result<Tx, Error> {
        let open = match &self.0 {
            Store::Sqlite(store) => Open::Sqlite(store.begin().await?),
        };
        Ok(Tx { open, failed: None })
    }

    fn sqlite(
        file: PathBuf,
        settings: &DbSettings,
        migrations: Vec<Migrations>,
    ) -> Result<Self, Error> {
        Ok(Self(Store::Sqlite(Arc::new(sqlite::Store::new(file, settings, migrations)?))))
    }

    fn statement(&self, sql: Sql, params: impl Params) -> Result<Statement, Error> {
        Statement::new(sql, params, self.0.dialect())
    }

    async fn rows(
        &self,
        statement: Result<Statement, Error>,
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        match &self.0 {
            Store::Sqlite(store) => store.rows(statement?, limit).await,
        }
    }
}

impl Store {
    fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
        }
    }
}

impl Tx {
    /// As [`Db::run`], in this transaction.
    ///
    /// # Errors
    /// Those of [`Db::run`]. If the database refused the statement, the transaction can only be
    /// undone.
    pub fn run(
        &mut self,
        sql: impl Into<Sql>,
        params: impl Params,
    ) -> impl Future<Output = Result<u64, Error>> + Send {
        let statement = self.statement(sql.into(), params);
        async move {
            let statement = statement?;
            let done = match &mut self.open {
                Open::Sqlite(open) => open.run(statement).await,
            };
            self.remember(done)
        }
    }

    /// As [`Db::one`], in this transaction.
    ///
    /// # Errors
    /// Those of [`Db::one`]. If the database refused the statement, the transaction can only be
    /// undone.
    pub fn one<T: FromRow>(
        &mut self,
        sql: impl Into<Sql>,
        params: impl Params,
    ) -> impl Future<Output = Result<Option<T>, Error>> + Send {
        let statement = self.statement(sql.into(), params);
        async move { at_most_one(&self.rows(statement, 2).await?) }
    }

    /// As [`Db::all`], in this transaction.
    ///
    /// # Errors
    /// Those of [`Db::all`]. If the database refused the statement, the transaction can only be
    /// undone.
    pub fn all<T: FromRow>(
        &mut self,
        sql: impl Into<Sql>,
        params: impl Params,
    ) -> impl Future<Output = Result<Vec<T>, Error>> + Send {
        let statement = self.statement(sql.into(), params);
        async move { self.rows(statement, usize::MAX).await?.iter().map(T::from_row).collect() }
    }

    /// Makes what the transaction did last.
    ///
    /// # Errors
    /// A constraint that is checked at the end does not hold ([`Kind::ForeignKey`]), or an earlier
    /// statement failed: nothing was done. With [`Kind::Unavailable`] that is not known.
    pub async fn commit(self) -> Result<(), Error> {
        self.usable()?;
        match self.open {
            Open::Sqlite(open) => open.commit().await,
        }
    }

    /// Undoes what the transaction did, and waits until that is done. Dropping the transaction
    /// undoes it too, a moment later.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] if the connection was lost; the database then undoes it by itself.
    pub async fn rollback(self) -> Result<(), Error> {
        match self.open {
            Open::Sqlite(open) if self.failed.is_none() => open.rollback().await,
            // SQLite may have undone it by itself, and would then refuse to do so again.
            Open::Sqlite(open) => {
                let _ = open.rollback().await;
                Ok(())
            }
        }
    }

    fn statement(&self, sql: Sql, params: impl Params) -> Result<Statement, Error> {
        self.usable()?;
        let dialect = match &self.open {
            Open::Sqlite(_) => Dialect::Sqlite,
        };
        Statement::new(sql, params, dialect)
    }

    async fn rows(
        &mut self,
        statement: Result<Statement, Error>,
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        let statement = statement?;
        let rows = match &mut self.open {
            Open::Sqlite(open) => open.rows(statement, limit).await,
        };
        self.remember(rows)
    }

    fn remember<T>(&mut self, outcome: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &outcome {
            self.failed.get_or_insert_with(|| (error.kind(), error.to_string()));
        }
        outcome
    }

    fn usable(&self) -> Result<(), Error> {
        match &self.failed {
            None => Ok(()),
            Some((kind, why)) => Err(Error::new(
                *kind,
                format!("a statement of this transaction has failed, it can only be undone: {why}"),
            )),
        }
    }
}

fn at_most_one<T: FromRow>(rows: &[Row]) -> Result<Option<T>, Error> {
    match rows {
        [] => Ok(None),
        [row] => T::from_row(row).map(Some),
        _ => Err(Error::new(Kind::TooMany, "expected at most one row, found more")),
    }
}

impl Part for Db {
    const NAME: &'static str = "db";
    const STEP: Step = Step::ConfigureDatabase;
    const CRITICAL: bool = true;

    type Settings = DbSettings;

    async fn start(settings: DbSettings, launch: &Launch) -> Result<Self, part::Error> {
        let file = settings.file(launch.name(), launch.data_dir());
        let migrations = launch.attached::<Migrations>().copied().collect();
        Ok(Self::sqlite(file, &settings, migrations)?)
    }

    async fn connect(&self) -> Result<(), BoxError> {
        match &self.0 {
            Store::Sqlite(store) => Ok(store.connect().await?),
        }
    }

    async fn health(&self) -> Health {
        let answered = match &self.0 {
            Store::Sqlite(store) => store.check().await,
        };
        match answered {
            Ok(true) => Health::Up,
            Ok(false) => Health::Degraded("every connection is busy".into()),
            Err(error) => Health::Down(error.to_string()),
        }
    }

    fn snapshot(&self) -> serde_json::Value {
        match &self.0 {
            Store::Sqlite(store) => store.snapshot(),
        }
    }

    async fn stop(&self) {
        match &self.0 {
            Store::Sqlite(store) => store.close().await,
        }
    }
}

crate::part!(Db);

impl App {
    /// The service's migrations: `.migrations(piton::migrations!())`. They run when the database
    /// is first reached, before any request that needs it. Several lists become one, in the order
    /// of their numbers.
    #[must_use]
    pub fn migrations(self, migrations: Migrations) -> Self {
        self.attach(migrations)
    }
}

impl Handle {
    /// The database, as a handler's argument `db: Db` would give it.
    ///
    /// # Panics
    /// If nothing asked for the database; see [`Handle::part`].
    #[must_use]
    #[track_caller]
    pub fn db(&self) -> Db {
        self.part::<Db>()
    }
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Db").field(&self.snapshot()).finish()
    }
}
