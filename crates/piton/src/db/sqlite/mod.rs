//! The embedded database: one file beside the service, no server, no settings.
//!
//! SQLite has many readers and one writer at a time. Writers queue here, in the order they came
//! and before they take a connection: SQLite itself would let them poll, each holding a
//! connection that a reader could use, and the unlucky one would fail as "locked".

mod migrate;

use std::borrow::Cow;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqlitePool, SqlitePoolOptions,
    SqliteRow, SqliteSynchronous,
};
use sqlx::{
    Arguments, AssertSqlSafe, ConnectOptions, Connection, Decode, Executor, Row as _, SqlSafeStr,
    Sqlite, Transaction, TypeInfo, ValueRef,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::warn;

use super::migrations::{self, Applied, File, Migrations};
use crate::db::error::{Error, Kind};
use crate::db::row::{self, Row};
use crate::db::settings::DbSettings;
use crate::db::sql::Statement;
use crate::db::value::{Value, ValueError, text};
use crate::db::verb::{Verb, verb};
use crate::stop::Stop;

/// How large the write-ahead log stays on disk after a burst of writes.
const JOURNAL_SIZE_BYTES: &str = "67108864";

/// One SQLite file.
pub(super) struct Store {
    pool: SqlitePool,
    options: SqliteConnectOptions,
    file: PathBuf,
    writers: Arc<Semaphore>,
    patience: Duration,
    busy_timeout: Duration,
    migrate_at_start: bool,
    migrations: Vec<File>,
    lists: Vec<Migrations>,
}

/// An open transaction. The connection goes first when it is dropped, then the writer's turn.
pub(super) struct Open {
    transaction: Transaction<'static, Sqlite>,
    _turn: OwnedSemaphorePermit,
}

impl Store {
    /// Makes the pool; opens nothing.
    ///
    /// # Errors
    /// [`Kind::Migration`] if the files' names are wrong.
    pub fn new(
        file: PathBuf,
        settings: &DbSettings,
        lists: Vec<Migrations>,
    ) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true)
            .foreign_keys(true)
            // Without it `INSERT OR REPLACE` deletes rows behind the back of their delete triggers.
            .pragma("recursive_triggers", "ON")
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(settings.busy_timeout)
            .pragma("journal_size_limit", JOURNAL_SIZE_BYTES)
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new()
            .max_connections(settings.max_connections)
            .acquire_timeout(settings.acquire_timeout)
            .max_lifetime(None)
            // A file cannot go away unnoticed as a server can, and a ping costs as much as a query.
            .test_before_acquire(false)
            .connect_lazy_with(options.clone());
        Ok(Self {
            pool,
            options,
            file,
            writers: Arc::new(Semaphore::new(1)),
            patience: settings.acquire_timeout,
            busy_timeout: settings.busy_timeout,
            migrate_at_start: settings.migrate,
            migrations: migrations::collect(&lists, migrations::Backend::Sqlite)?,
            lists,
        })
    }

    /// Creates the folder and the file, and brings the schema up to date. Safe to call again, and
    /// from several processes at once.
    pub async fn connect(&self) -> Result<(), Error> {
        migrations::warn_of_forgotten_files(&self.lists).await;
        let mut connection = self.open().await?;
        let outcome = if self.migrate_at_start {
            self.migrate(&mut connection).await.map(drop)
        } else {
            self.require_no_pending(&mut connection).await
        };
        // The pool's first connection comes before this one closes: the last one to close a file
        // removes its log, which would have to be made again.
        let outcome = match outcome {
            Ok(()) => self.acquire().await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = connection.close().await {
            warn!(%error, "Could not close the connection that ran the migrations");
        }
        outcome
    }

    /// A connection outside of the pool, for migrations.
    async fn open(&self) -> Result<SqliteConnection, Error> {
        self.create_folder().await?;
        // Foreign keys are off while migrations run, or rebuilding a table (SQLite's way to alter
        // one) would delete what points to it. `migrate` checks them before it commits.
        let options = self.options.clone().foreign_keys(false);
        // A path with a typing error in it looks like an empty database.
        let new = !self.file.exists();
        let mut connection = options.connect().await.map_err(|error| self.cannot_open(error))?;
        if new {
            tracing::info!("Made the database {}", self.file.display());
        }
        self.use_write_ahead_log(&mut connection).await?;
        Ok(connection)
    }

    async fn require_no_pending(&self, connection: &mut SqliteConnection) -> Result<(), Error> {
        let done = migrate::applied(connection).await?;
        migrations::require_none(migrations::pending(&self.migrations, &done)?)
    }

    /// Runs what has not run; for the verb `migrate up`.
    pub async fn migrate_now(&self) -> Result<Vec<&'static str>, Error> {
        self.migrate(&mut self.open().await?).await
    }

    /// What has run; for the verb `migrate status`.
    pub async fn applied(&self) -> Result<Vec<Applied>, Error> {
        migrate::applied(&mut self.open().await?).await
    }

    pub fn files(&self) -> &[File] {
        &self.migrations
    }

    pub fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// A file does not go away: there is nothing to watch.
    pub async fn watch(&self, stop: Stop) {
        stop.stopped().await;
    }

    pub fn noticing(&self, error: Error) -> Error {
        error
    }

    async fn create_folder(&self) -> Result<(), Error> {
        let Some(folder) = self.file.parent().map(Path::to_owned) else {
            return Ok(());
        };
        let shown = folder.display().to_string();
        // What is in it is the service's alone: hashes of passwords, tokens.
        let make = move || std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        let made = tokio::task::spawn_blocking(make).await;
        match made {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                Err(Error::new(Kind::Unavailable, format!("create the folder {shown}: {error}")))
            }
            Err(_) => {
                Err(Error::new(Kind::Other, format!("create the folder {shown}: interrupted")))
            }
        }
    }

    fn cannot_open(&self, error: sqlx::Error) -> Error {
        Error::from(error).while_doing(format_args!("open {}", self.file.display()))
    }

    /// The mode is a property of the file, so once is enough. Two processes that start on a new
    /// file may both want it, and for this one lock SQLite does not wait by itself.
    async fn use_write_ahead_log(&self, connection: &mut SqliteConnection) -> Result<(), Error> {
        const PAUSE: Duration = Duration::from_millis(20);
        let deadline = Instant::now() + self.busy_timeout;
        loop {
            match sqlx::query_scalar::<_, String>("PRAGMA journal_mode = WAL")
                .fetch_one(&mut *connection)
                .await
            {
                Ok(mode) if mode == "wal" => return Ok(()),
                Ok(mode) => {
                    warn!(journal_mode = %mode, "The database cannot use a write-ahead log here: readers will wait for writers");
                    return Ok(());
                }
                Err(error) => {
                    let error = self.cannot_open(error);
                    if error.kind() != Kind::Unavailable || Instant::now() >= deadline {
                        return Err(error);
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// A connection with no transaction open.
    async fn acquire(&self) -> Result<PoolConnection<Sqlite>, Error> {
        loop {
            let mut connection = self.pool.acquire().await.map_err(|error| match error {
                sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => error.into(),
                error => self.cannot_open(error),
            })?;
            if !connection.is_in_transaction() {
                return Ok(connection);
            }
            // SQLite ends a transaction by itself after some errors, such as a full disk. sqlx does
            // not notice, and would refuse every later transaction on this connection.
            connection.close_on_drop();
        }
    }

    /// Waits for this writer's turn.
    async fn turn(&self) -> Result<OwnedSemaphorePermit, Error> {
        match tokio::time::timeout(self.patience, Arc::clone(&self.writers).acquire_owned()).await {
            Ok(turn) => Ok(turn.expect("the semaphore is never closed")),
            Err(_) => Err(Error::new(
                Kind::Unavailable,
                format!(
                    "other writes kept the database busy for {} ms (inside of a transaction use `tx`, not `db`)",
                    self.patience.as_millis()
                ),
            )),
        }
    }

    async fn turn_for(&self, verb: Verb) -> Result<Option<OwnedSemaphorePermit>, Error> {
        if verb == Verb::Read { Ok(None) } else { self.turn().await.map(Some) }
    }

    pub async fn run(&self, statement: Statement) -> Result<u64, Error> {
        let verb = verb(&statement.text)?;
        let _turn = self.turn_for(verb).await?;
        execute(&mut *self.acquire().await?, statement, verb).await
    }

    pub async fn rows(&self, statement: Statement, limit: row::Limit) -> Result<Vec<Row>, Error> {
        let verb = verb(&statement.text)?;
        let _turn = self.turn_for(verb).await?;
        fetch(&mut *self.acquire().await?, statement, limit).await
    }

    pub async fn begin(&self) -> Result<Open, Error> {
        let turn = self.turn().await?;
        let connection = self.acquire().await?;
        // A transaction that begins by reading could not write later if somebody else wrote in
        // between; SQLite would refuse it at once. So each is a writer from the start.
        let begin = Some("BEGIN IMMEDIATE".into_sql_str());
        Ok(Open { transaction: Transaction::begin(connection, begin).await?, _turn: turn })
    }

    /// Reads the file. `Ok(false)` if every connection is busy, which is load and not a fault.
    pub async fn check(&self) -> Result<bool, Error> {
        let mut connection = match self.pool.try_acquire() {
            Some(connection) => connection,
            None if self.pool.size() >= self.pool.options().get_max_connections() => {
                return Ok(false);
            }
            None => self.acquire().await?,
        };
        // `SELECT 1` alone would not touch the file.
        connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").await?;
        Ok(true)
    }

    pub fn snapshot(&self) -> serde_json::Value {
        serde_json::json!({
            "engine": "sqlite",
            "file": self.file.display().to_string(),
            "connections": self.pool.size(),
            "idle": self.pool.num_idle(),
            "max_connections": self.pool.options().get_max_connections(),
            "migrations": self.migrations.len(),
        })
    }

    /// Closes every connection; the last one to go writes the log back into the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl Open {
    pub async fn run(&mut self, statement: Statement) -> Result<u64, Error> {
        let verb = verb(&statement.text)?;
        execute(&mut self.transaction, statement, verb).await
    }

    pub async fn rows(
        &mut self,
        statement: Statement,
        limit: row::Limit,
    ) -> Result<Vec<Row>, Error> {
        verb(&statement.text)?;
        fetch(&mut self.transaction, statement, limit).await
    }

    pub async fn commit(self) -> Result<(), Error> {
        Ok(self.transaction.commit().await?)
    }

    pub async fn rollback(self) -> Result<(), Error> {
        Ok(self.transaction.rollback().await?)
    }
}

type Query = sqlx::query::Query<'static, Sqlite, SqliteArguments>;

fn query(statement: Statement) -> Query {
    let mut arguments = SqliteArguments::default();
    arguments.reserve(statement.values.len(), 0);
    for value in statement.values {
        store(&mut arguments, value);
    }
    // Statements made of pieces differ from call to call and would push the others out.
    let persistent = matches!(statement.text, Cow::Borrowed(_));
    sqlx::query_with(AssertSqlSafe(statement.text), arguments).persistent(persistent)
}

/// The published table of types: how each value is stored.
fn store(arguments: &mut SqliteArguments, value: Value) {
    let added = match value {
        Value::Null => arguments.add(None::<i64>),
        Value::Bool(value) => arguments.add(i64::from(value)),
        Value::Integer(value) => arguments.add(value),
        Value::Real(value) => arguments.add(value),
        Value::Text(value) => arguments.add(value),
        Value::Bytes(value) => arguments.add(value),
        other => arguments.add(text(&other).unwrap_or_default()),
    };
    added.expect("numbers, text and bytes always encode");
}

/// The value of a column; the index must be that of one.
pub(super) fn value(row: &SqliteRow, index: usize) -> Result<Value, ValueError> {
    let raw = row.try_get_raw(index).expect("the caller checked the index");
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let kind = raw.type_info().name().to_owned();
    let read = match kind.as_str() {
        "INTEGER" => <i64 as Decode<Sqlite>>::decode(raw).map(Value::Integer),
        "REAL" => <f64 as Decode<Sqlite>>::decode(raw).map(Value::Real),
        "TEXT" => <String as Decode<Sqlite>>::decode(raw).map(Value::Text),
        _ => <Vec<u8> as Decode<Sqlite>>::decode(raw).map(Value::Bytes),
    };
    read.map_err(|_| ValueError::new("found text that is not UTF-8"))
}

/// The bytes of a value; the index must be that of one.
pub(super) fn size(row: &SqliteRow, index: usize) -> usize {
    let raw = row.try_get_raw(index).expect("the caller checked the index");
    let is_long = matches!(raw.type_info().name(), "TEXT" | "BLOB");
    if !is_long {
        return size_of::<i64>();
    }
    <&[u8] as Decode<Sqlite>>::decode(raw).map_or(0, <[u8]>::len)
}

async fn execute(
    connection: &mut SqliteConnection,
    statement: Statement,
    verb: Verb,
) -> Result<u64, Error> {
    let text = statement.text.clone();
    match connection.execute(query(statement)).await {
        // For any other statement SQLite repeats the number of the change before it.
        Ok(done) => Ok(if verb == Verb::Change { done.rows_affected() } else { 0 }),
        Err(error) => Err(refused(connection, text, error).await),
    }
}

async fn fetch(
    connection: &mut SqliteConnection,
    statement: Statement,
    limit: row::Limit,
) -> Result<Vec<Row>, Error> {
    let text = statement.text.clone();
    match fetch_rows(connection, query(statement), limit).await {
        Ok(rows) => Ok(rows),
        Err(error) => Err(refused(connection, text, error).await),
    }
}

async fn fetch_rows(
    connection: &mut SqliteConnection,
    query: Query,
    limit: row::Limit,
) -> Result<Vec<Row>, sqlx::Error> {
    row::take(connection.fetch_many(query), limit, Row::sqlite).await
}

/// What SQLite says while a statement *runs* may quote a parameter: a search word, a JSON path.
/// What it says while it *reads* the statement cannot, so it is made to read it once more.
async fn refused(
    connection: &mut SqliteConnection,
    text: Cow<'static, str>,
    error: sqlx::Error,
) -> Error {
    let error = Error::from(error);
    if error.kind() != Kind::Statement {
        return error;
    }
    let read = connection.prepare(AssertSqlSafe(text).into_sql_str()).await;
    match read.map_err(Error::from) {
        Err(error) if error.kind() == Kind::Statement => error,
        _ => error.without_quotes(),
    }
}
