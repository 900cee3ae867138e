//! `Db`, the database as services use it.

use std::future::Future;
use std::path::Path;

use super::backend::Store;
use super::bounded_rows::RowLimit;
use super::dialect::Dialect;
use super::error::Error;
use super::migrations::compare::AppliedMigration;
use super::migrations::embedded::Migrations;
use super::migrations::service_migrations::MigrationSet;
use super::params::Params;
use super::query_methods::{at_most_one, exactly_one, query_methods, read_all};
use super::row::{FromRow, Row};
use super::settings::DbSettings;
use super::sql_builder::{BoundStatement, Sql};
use super::statement_log::StatementLog;
use super::transaction::Tx;
use super::value::Column;
use crate::http::{Listing, Page};

/// The database. Cheap to clone; every clone uses the same connections.
///
/// Statements are text from the program's source: a literal, or [`Sql`] made of literals. They
/// write placeholders as `$1`, `$2`; their number must be that of the [`Params`].
#[derive(Clone)]
pub struct Db {
    pub(super) store: Store,
    pub(super) log: StatementLog,
    pub(super) max_page_bytes: u64,
}

impl Db {
    query_methods!(self: &self);

    /// Returns one page of the rows of `select`, of `total` rows in all: the page that `asked`
    /// requests, or only its first rows if it exceeds `db.max_page_size` bytes. The page then has
    /// the smaller size, and its link `next` leads to the first row that is not in it.
    ///
    /// `select` has neither `LIMIT` nor `OFFSET`, and an order in which no two rows are equal.
    ///
    /// ```
    /// # use piton::db::{Db, FromRow, Sql};
    /// # use piton::http::{Listing, Page};
    /// # #[derive(FromRow)] struct Book { title: String }
    /// # async fn f(db: Db, asked: Listing) -> piton::Result<Page<Book>> {
    /// let total = db.scalar("SELECT count(*) FROM books", ()).await?;
    /// let books = Sql::new("SELECT title FROM books ORDER BY id");
    /// Ok(db.page(&asked, books, total).await?)
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`all`](Self::all).
    pub async fn page<T: FromRow, F, B, const PER_PAGE: u32, const MOST: u32>(
        &self,
        asked: &Listing<F, B, PER_PAGE, MOST>,
        select: Sql,
        total: u64,
    ) -> Result<Page<T>, Error> {
        let statement = self.statement(select.page(asked.paging), ())?;
        let rows = self.fetch(statement, RowLimit::bytes(self.max_page_bytes)).await?;
        Ok(asked.page_up_to(read_all(rows)?, total))
    }

    /// Runs `work` in a transaction: commits if it returns `Ok`, and rolls back if it returns
    /// `Err`, panics or is dropped.
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
    /// The closure may return any error that a database error converts into, such as
    /// [`piton::Error`](crate::Error) or [`Error`]. Where the compiler cannot infer the type
    /// (because of a `?` after the call), the closure names it:
    /// `async |tx: &mut Tx| -> piton::Result<i64> { .. }`.
    ///
    /// # Errors
    /// Those of `work`; and, converted into its error type, those of [`begin`](Self::begin) and
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
                // Awaited, so that the caller sees the state as it was before. If the rollback
                // itself fails, the connection is closed, and the database rolls back.
                if let Err(rollback) = tx.rollback().await {
                    tracing::warn!(error = %rollback, "Could not roll back a transaction at once");
                }
                Err(error)
            }
        }
    }

    /// Begins a transaction that may write. In SQLite it waits until earlier writes are done.
    ///
    /// # Errors
    /// [`Kind::Unavailable`](super::Kind::Unavailable) if no connection was free, or earlier writes were not done, within
    /// `db.acquire_timeout`.
    pub async fn begin(&self) -> Result<Tx, Error> {
        Ok(Tx::new(self.store.begin().await?, self.store.clone(), self.log.clone()))
    }

    /// Returns the database's plan for a statement, one line a step: `EXPLAIN` (in SQLite
    /// `EXPLAIN QUERY PLAN`) with the same parameters. Does not run the statement.
    ///
    /// # Errors
    /// Those of [`all`](Self::all).
    pub async fn explain(
        &self,
        sql: impl Into<Sql>,
        params: impl Params,
    ) -> Result<Vec<String>, Error> {
        let statement = self.statement(sql.into(), params)?;
        self.store.plan(statement).await
    }

    /// Creates the database that the settings choose. Opens nothing.
    pub(super) fn new(
        settings: &DbSettings,
        app: &str,
        data_dir: &Path,
        in_development: bool,
        migrations: Vec<Migrations>,
    ) -> Result<Self, Error> {
        let store = Store::new(settings, app, data_dir, migrations)?;
        let max_page_bytes = settings.max_page_size.as_u64();
        Ok(Self { store, log: StatementLog::new(settings.slow, in_development), max_page_bytes })
    }

    /// Creates and connects a database of no service, for tests of other modules.
    #[cfg(test)]
    pub(crate) async fn for_test(settings: &DbSettings, data_dir: &Path) -> Result<Self, Error> {
        let db = Self::new(settings, "test", data_dir, false, Vec::new())?;
        db.store.connect().await?;
        Ok(db)
    }

    /// Returns whether the database is PostgreSQL.
    #[must_use]
    pub fn is_postgres(&self) -> bool {
        self.store.dialect() == Dialect::Postgres
    }

    /// Runs pending migrations, and returns their names.
    pub(super) async fn migrate_now(&self) -> Result<Vec<&'static str>, Error> {
        self.store.migrate_now().await
    }

    /// Returns the migrations that have run.
    pub(super) async fn applied(&self) -> Result<Vec<AppliedMigration>, Error> {
        self.store.applied().await
    }

    pub(super) fn migrations(&self) -> &MigrationSet {
        self.store.migrations()
    }

    fn statement(&self, sql: Sql, params: impl Params) -> Result<BoundStatement, Error> {
        BoundStatement::new(sql, params, self.store.dialect())
    }

    async fn execute(&self, statement: BoundStatement) -> Result<u64, Error> {
        let timer = self.log.start(&statement);
        let outcome = self.store.run(statement).await;
        self.log.finish(timer, &outcome, |rows| *rows, &self.store).await;
        outcome
    }

    async fn fetch(&self, statement: BoundStatement, limit: RowLimit) -> Result<Vec<Row>, Error> {
        let timer = self.log.start(&statement);
        let outcome = self.store.rows(statement, limit).await;
        self.log.finish(timer, &outcome, |rows| rows.len() as u64, &self.store).await;
        outcome
    }
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Db").field(&self.store.snapshot()).finish()
    }
}
