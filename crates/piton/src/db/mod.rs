//! The service's database: a SQLite file when nothing is configured, PostgreSQL by one setting.
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
//! | Rust | SQLite | declare it as | PostgreSQL |
//! |---|---|---|---|
//! | `bool` | integer 0 or 1 | `INTEGER` | `boolean` |
//! | `i8` to `i64`, `isize`, `u8` to `u64`, `usize` | integer; a `u64` above `i64::MAX` is refused | `INTEGER` | `smallint`, `integer`, `bigint`: refused where it does not fit |
//! | `f32`, `f64` | real; NaN is refused; whole numbers are read too | `REAL` | `real`, `double precision` |
//! | [`rust_decimal::Decimal`] | text, `12.50` | `TEXT` | `numeric` |
//! | `String`, `&str`, `Cow<str>` | text | `TEXT` | `text`, `varchar`, `char`, `citext`, an enum |
//! | `Vec<u8>`, `&[u8]`, `[u8; N]` | blob | `BLOB` | `bytea` |
//! | [`uuid::Uuid`] | text, `67e55044-10b1-426f-9247-bb680e5fe0c8` | `TEXT` | `uuid` |
//! | [`chrono::NaiveDate`] | text, `2026-11-21` | `TEXT` | `date` |
//! | [`chrono::NaiveTime`] | text, `01:02:03.000000` | `TEXT` | `time` |
//! | [`chrono::NaiveDateTime`] | text, `2026-11-21T01:02:03.000000` | `TEXT` | `timestamp` |
//! | [`chrono::DateTime<Utc>`] | text, RFC 3339 in UTC, `2026-11-21T01:02:03.000000Z` | `TEXT` | `timestamptz` |
//! | [`serde_json::Value`], [`AsJson<T>`] | text | `TEXT` | `jsonb`, `json` |
//! | `Option<T>` | `NULL` or what `T` is | as for `T`, without `NOT NULL` | as for `T` |
//! | your own | what its [`Bind`] and [`Column`] say | | |
//!
//! - PostgreSQL says which type each parameter's place has, and the value is written for it: an `i64`
//!   into an `integer` column, text into an enum, and everything that has a text in the table above
//!   into a `text` column as that same text. What does not fit is refused with the parameter's number.
//! - Whole `numeric`s, such as `sum(bigint)`, are read as integers too.
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
//! In SQLite writes wait for each other in the order they come, at most
//! [`acquire_timeout`](DbSettings::acquire_timeout); reads wait for nobody and see the state before
//! the write. PostgreSQL runs transactions side by side (`READ COMMITTED`): lock the row that a
//! change depends on, by `SELECT .. FOR UPDATE` or an `UPDATE` that comes first.
//!
//! # Cancellation
//!
//! A future of this room that is dropped before it is done frees its connection. Whether a write
//! outside of a transaction, or a commit, still happened is not known.

mod conditions;
mod converters;
mod error;
mod figures;
mod listing;
mod migrate_verb;
mod migrations;
mod params;
mod placeholders;
#[cfg(feature = "postgres")]
mod postgres;
mod row;
mod settings;
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
mod sqlite_address;
mod statements;
#[cfg(test)]
mod tests;
mod timeouts;
mod value;
mod verb;

use std::future::Future;
use std::sync::Arc;

use crate::app::App;
use crate::handle::Handle;
use crate::http::{Listing, Page};
use crate::metrics::Metrics;
use crate::part::{self, BoxError, Health, Launch, Part, Permanent};
use crate::step::Step;
use crate::stop::Stop;

use figures::Figures;
use placeholders::Dialect;
use row::Limit;
use sql::Statement;
use statements::Statements;

pub use conditions::Where;
#[doc(hidden)]
pub use converters::column_of_converter;
pub use error::{Error, Kind};
pub use migrations::Migrations;
pub use params::Params;
pub use row::{FromRow, Row};
pub use settings::{
    AcceptNewer, DbSettings, DbUrl, PgBouncer, SessionTarget, Synchronous, Tls, postgres_required,
};
pub use sql::Sql;
pub use value::{AsJson, Bind, Column, Value, ValueError};
pub use {rust_decimal, sqlx};

/// The database. Cheap to clone; every clone uses the same connections.
///
/// Statements are text from the program's source: a literal, or [`Sql`] made of literals. They
/// write placeholders as `$1`, `$2`; their number must be that of the [`Params`].
#[derive(Clone)]
pub struct Db {
    store: Store,
    statements: Statements,
    max_page_bytes: u64,
}

#[derive(Clone)]
enum Store {
    #[cfg(feature = "sqlite")]
    Sqlite(Arc<sqlite::Store>),
    #[cfg(feature = "postgres")]
    Postgres(Arc<postgres::Store>),
}

/// A transaction. Dropping it undoes everything it did.
pub struct Tx {
    open: Open,
    store: Store,
    statements: Statements,
    /// Why a statement in it failed: from then on it can only be undone.
    failed: Option<(Kind, String)>,
}

enum Open {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlite::Open),
    #[cfg(feature = "postgres")]
    Postgres(postgres::Open),
}

/// Does the same with either database: their stores, and their open transactions, have the same
/// methods.
macro_rules! each {
    ($of:expr, $kind:ident, $it:ident => $do:expr) => {
        match $of {
            #[cfg(feature = "sqlite")]
            $kind::Sqlite($it) => $do,
            #[cfg(feature = "postgres")]
            $kind::Postgres($it) => $do,
        }
    };
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
            let (statement, clock) = self.statements.begin(statement?);
            let done = each!(&self.store, Store, store => store.run(statement).await);
            self.statements.end(clock, &done, |rows| *rows, self).await;
            done
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
        let rows = self.rows(self.statement(sql.into(), params), Limit::rows(2));
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
        let rows = self.rows(self.statement(sql.into(), params), Limit::ALL);
        async move { read_all(rows.await?) }
    }

    /// Returns one page of the rows of `select`, of `total` rows in all: those that `asked`
    /// requests, or only the first of them if they exceed `db.max_page_size` bytes. The page then
    /// has the smaller size, and its link `next` leads to the first row that is not in it.
    ///
    /// `select` has neither `LIMIT` nor `OFFSET`, and an order in which no two rows are equal.
    ///
    /// ```
    /// # use piton::db::{Db, FromRow, Sql};
    /// # use piton::http::{Listing, Page};
    /// # #[derive(FromRow)] struct Book { title: String }
    /// # async fn f(db: Db, asked: Listing) -> piton::Result<Page<Book>> {
    /// let total: i64 = db.one("SELECT count(*) FROM books", ()).await?.unwrap_or_default();
    /// let books = Sql::new("SELECT title FROM books ORDER BY id");
    /// Ok(db.page(&asked, books, total.unsigned_abs()).await?)
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
        let statement = self.statement(select.page(asked.paging), ());
        let rows = self.rows(statement, Limit::bytes(self.max_page_bytes)).await?;
        Ok(asked.page_up_to(read_all(rows)?, total))
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
        let open = match &self.store {
            #[cfg(feature = "sqlite")]
            Store::Sqlite(store) => Open::Sqlite(store.begin().await?),
            #[cfg(feature = "postgres")]
            Store::Postgres(store) => Open::Postgres(store.begin().await?),
        };
        let (store, statements) = (self.store.clone(), self.statements.clone());
        Ok(Tx { open, store, statements, failed: None })
    }

    /// How the database would go about a statement, a line a step: `EXPLAIN` (in SQLite
    /// `EXPLAIN QUERY PLAN`) with the same parameters. The statement is not run.
    ///
    /// # Errors
    /// Those of [`all`](Self::all).
    pub async fn explain(
        &self,
        sql: impl Into<Sql>,
        params: impl Params,
    ) -> Result<Vec<String>, Error> {
        let statement = self.statement(sql.into(), params)?;
        self.plan(statement).await
    }

    async fn plan(&self, statement: Statement) -> Result<Vec<String>, Error> {
        let (lead, column) = match self.store.dialect() {
            Dialect::Sqlite => ("EXPLAIN QUERY PLAN ", 3),
            Dialect::Postgres => ("EXPLAIN ", 0),
        };
        let text = format!("{lead}{}", statement.text).into();
        let statement = Statement { text, values: statement.values };
        let rows = each!(&self.store, Store, store => store.rows(statement, Limit::ALL).await)?;
        rows.iter().map(|row| row.at(column)).collect()
    }

    /// sqlx's own pool, if the database is PostgreSQL: for what this room does not do, and for other
    /// libraries that take one.
    ///
    /// ```
    /// # async fn f(db: piton::db::Db) -> Result<(), piton::db::sqlx::Error> {
    /// use piton::db::sqlx::Executor;
    ///
    /// if let Some(pool) = db.postgres_pool() {
    ///     pool.execute("NOTIFY companies").await?;
    /// }
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "postgres")]
    #[must_use]
    pub fn postgres_pool(&self) -> Option<&sqlx::PgPool> {
        match &self.store {
            Store::Postgres(store) => Some(store.pool()),
            #[cfg(feature = "sqlite")]
            Store::Sqlite(_) => None,
        }
    }

    /// sqlx's own pool, if the database is SQLite. Writes by it do not queue with those of `Db`.
    #[cfg(feature = "sqlite")]
    #[must_use]
    pub fn sqlite_pool(&self) -> Option<&sqlx::SqlitePool> {
        match &self.store {
            Store::Sqlite(store) => Some(store.pool()),
            #[cfg(feature = "postgres")]
            Store::Postgres(_) => None,
        }
    }

    /// The database that the settings choose. Nothing is opened.
    fn new(
        settings: &DbSettings,
        app: &str,
        data_dir: &std::path::Path,
        development: bool,
        migrations: Vec<Migrations>,
    ) -> Result<Self, Error> {
        let store = Store::new(settings, app, data_dir, migrations)?;
        let max_page_bytes = settings.max_page_size.as_u64();
        Ok(Self { store, statements: Statements::new(settings.slow, development), max_page_bytes })
    }

    /// Runs the migrations that have not run, and returns their names.
    async fn migrate_now(&self) -> Result<Vec<&'static str>, Error> {
        each!(&self.store, Store, store => store.migrate_now().await)
    }

    /// The migrations that have run.
    async fn applied(&self) -> Result<Vec<migrations::Applied>, Error> {
        each!(&self.store, Store, store => store.applied().await)
    }

    /// Returns the migrations that the service attached.
    fn lists(&self) -> &[Migrations] {
        each!(&self.store, Store, store => store.lists())
    }

    /// Returns whether the service runs pending migrations by itself.
    fn migrates_at_start(&self) -> bool {
        each!(&self.store, Store, store => store.migrates_at_start())
    }

    /// Compares the program's migrations with those that have run.
    fn compare<'a>(
        &self,
        files: &'a [migrations::File],
        applied: &[migrations::Applied],
    ) -> Result<migrations::Comparison<'a>, Error> {
        let accept = each!(&self.store, Store, store => store.accept_newer());
        migrations::compare(files, applied, accept)
    }

    /// The migrations of this program, for this database.
    fn files(&self) -> Vec<migrations::File> {
        each!(&self.store, Store, store => store.files().to_vec())
    }

    fn statement(&self, sql: Sql, params: impl Params) -> Result<Statement, Error> {
        Statement::new(sql, params, self.store.dialect())
    }

    async fn rows(
        &self,
        statement: Result<Statement, Error>,
        limit: Limit,
    ) -> Result<Vec<Row>, Error> {
        let (statement, clock) = self.statements.begin(statement?);
        let rows = each!(&self.store, Store, store => store.rows(statement, limit).await);
        self.statements.end(clock, &rows, |rows| rows.len() as u64, self).await;
        rows
    }
}

impl Store {
    #[cfg_attr(
        not(feature = "sqlite"),
        expect(unused_variables, reason = "a server has a folder of its own")
    )]
    fn new(
        settings: &DbSettings,
        app: &str,
        data_dir: &std::path::Path,
        migrations: Vec<Migrations>,
    ) -> Result<Self, Error> {
        #[cfg(feature = "postgres")]
        if settings.is_postgres() {
            let store = postgres::Store::new(settings, app, migrations)?;
            return Ok(Self::Postgres(Arc::new(store)));
        }
        #[cfg(feature = "sqlite")]
        {
            let address = settings.file(app, data_dir);
            Ok(Self::Sqlite(Arc::new(sqlite::Store::new(address, settings, migrations)?)))
        }
        // The settings' check has refused this already.
        #[cfg(not(feature = "sqlite"))]
        Err(Error::new(Kind::Other, "no database is named, and this build has no SQLite"))
    }

    fn dialect(&self) -> Dialect {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => Dialect::Sqlite,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => Dialect::Postgres,
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
            let (statement, clock) = self.statements.begin(statement?);
            let done = each!(&mut self.open, Open, open => open.run(statement).await);
            self.statements.told(clock, &done, |rows| *rows);
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
        async move { at_most_one(&self.rows(statement, Limit::rows(2)).await?) }
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
        async move { read_all(self.rows(statement, Limit::ALL).await?) }
    }

    /// Makes what the transaction did last.
    ///
    /// # Errors
    /// A constraint that is checked at the end does not hold ([`Kind::ForeignKey`]), or an earlier
    /// statement failed: nothing was done. With [`Kind::Unavailable`] that is not known.
    pub async fn commit(self) -> Result<(), Error> {
        self.usable()?;
        let committed = each!(self.open, Open, open => open.commit().await);
        committed.map_err(|error| each!(&self.store, Store, store => store.noticing(error)))
    }

    /// Undoes what the transaction did, and waits until that is done. Dropping the transaction
    /// undoes it too, a moment later.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] if the connection was lost; the database then undoes it by itself.
    pub async fn rollback(self) -> Result<(), Error> {
        let undone = each!(self.open, Open, open => open.rollback().await);
        // SQLite may have undone it by itself, and then refuses to do so again.
        if self.failed.is_some() { Ok(()) } else { undone }
    }

    fn statement(&self, sql: Sql, params: impl Params) -> Result<Statement, Error> {
        self.usable()?;
        Statement::new(sql, params, self.store.dialect())
    }

    async fn rows(
        &mut self,
        statement: Result<Statement, Error>,
        limit: Limit,
    ) -> Result<Vec<Row>, Error> {
        let (statement, clock) = self.statements.begin(statement?);
        let rows = each!(&mut self.open, Open, open => open.rows(statement, limit).await);
        self.statements.told(clock, &rows, |rows| rows.len() as u64);
        self.remember(rows)
    }

    fn remember<T>(&mut self, outcome: Result<T, Error>) -> Result<T, Error> {
        let outcome =
            outcome.map_err(|error| each!(&self.store, Store, store => store.noticing(error)));
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

/// Converts the rows, and drops each once it has been read: both forms of all rows would take twice
/// the memory.
fn read_all<T: FromRow>(rows: Vec<Row>) -> Result<Vec<T>, Error> {
    rows.into_iter().map(|row| T::from_row(&row)).collect()
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

    async fn start(mut settings: DbSettings, launch: &Launch) -> Result<Self, part::Error> {
        settings.fit_request(launch);
        let migrations = launch.attached::<Migrations>().copied().collect();
        let development = !launch.production();
        let (name, data_dir) = (launch.name(), launch.data_dir());
        Ok(Self::new(&settings, name, data_dir, development, migrations)?)
    }

    async fn connect(&self) -> Result<(), BoxError> {
        if self.statements.development() {
            migrations::warn_of_differences(self.lists()).await;
        }
        each!(&self.store, Store, store => store.connect().await).map_err(|error| {
            if error.is_permanent() {
                Permanent::new(error).into()
            } else if error.is_refusal() {
                part::Refused(error.into()).into()
            } else {
                error.into()
            }
        })
    }

    async fn run(&self, stop: Stop) {
        each!(&self.store, Store, store => store.watch(stop).await);
    }

    async fn health(&self) -> Health {
        match &self.store {
            #[cfg(feature = "sqlite")]
            Store::Sqlite(store) => match store.check().await {
                Ok(true) => Health::Up,
                Ok(false) => Health::Degraded("every connection is busy".into()),
                Err(error) => Health::Down(error.to_string()),
            },
            #[cfg(feature = "postgres")]
            Store::Postgres(store) => store.health().await,
        }
    }

    fn details(&self) -> serde_json::Value {
        each!(&self.store, Store, store => store.details())
    }

    fn snapshot(&self) -> serde_json::Value {
        each!(&self.store, Store, store => store.snapshot())
    }

    fn metrics(&self, metrics: &Metrics) {
        metrics.collect(Figures(self.clone()));
    }

    async fn stop(&self) {
        each!(&self.store, Store, store => store.close().await);
    }
}

crate::part!(Db);

impl App {
    /// Goes without a database, as [`App::without`]: Gnar Gear's `no_db`.
    #[must_use]
    pub fn no_db(self) -> Self {
        self.without::<Db>()
    }

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
