//! The embedded database: one file beside the service, no server, no settings.
//!
//! SQLite has many readers and one writer at a time. Writers queue here, in the order they came
//! and before they take a connection: SQLite itself would let them poll, each holding a
//! connection that a reader could use, and the unlucky one would fail as "locked".

mod file;
mod migrate;
mod preflight;

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tracing::warn;

use self::file::{Comparison, DatabaseFile};
use super::migrations::{self, Applied, File, Migrations, Newer};
use crate::db::error::{Error, Kind, StorageFault};
use crate::db::row::{self, Row};
use crate::db::settings::{AcceptNewer, DbSettings, Synchronous};
use crate::db::sql::Statement;
use crate::db::sqlite_address::SqliteAddress;
use crate::db::value::{Value, ValueError, text};
use crate::db::verb::{Verb, verb};
use crate::stop::Stop;

/// How large the write-ahead log stays on disk after a burst of writes.
const JOURNAL_SIZE_BYTES: &str = "67108864";

/// Interval of checks of the file.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Maximum time for statements on a replaced file to finish.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Free space below which a full disk still counts as full, because the service would otherwise
/// come back for a single page.
const MIN_FREE_BYTES: u64 = 64 * 1024;

/// One SQLite file.
pub(super) struct Store {
    pool: SqlitePool,
    options: SqliteConnectOptions,
    file: Arc<DatabaseFile>,
    create: bool,
    /// A connection that stays open as long as the pool may be used. The last connection that
    /// closes removes the log, so without it the log would not stay the same file. It also writes
    /// the log back when the file was moved.
    keeper: Mutex<Option<SqliteConnection>>,
    /// Set if the log of a moved or replaced file is not written back yet, because another program
    /// uses it. The keeper must stay open until it is: the log holds acknowledged writes.
    log_is_busy: AtomicBool,
    writers: Arc<Semaphore>,
    patience: Duration,
    busy_timeout: Duration,
    migrate_at_start: bool,
    migrations: Vec<File>,
    lists: Vec<Migrations>,
    accept_newer: AcceptNewer,
    newer: Newer,
    synchronous: Synchronous,
}

/// An open transaction. The connection goes first when it is dropped, then the writer's turn.
pub(super) struct Open {
    transaction: Transaction<'static, Sqlite>,
    file: Arc<DatabaseFile>,
    _turn: OwnedSemaphorePermit,
}

impl Store {
    /// Makes the pool; opens nothing.
    ///
    /// # Errors
    /// [`Kind::Migration`] if the files' names are wrong.
    pub fn new(
        address: SqliteAddress,
        settings: &DbSettings,
        lists: Vec<Migrations>,
    ) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(&address.path)
            // The pool opens connections at any time, and must not create a deleted file anew. Only
            // `open` creates it.
            .create_if_missing(false)
            .foreign_keys(true)
            // Without it `INSERT OR REPLACE` deletes rows behind the back of their delete triggers.
            .pragma("recursive_triggers", "ON")
            .synchronous(synchronous(settings.synchronous))
            .busy_timeout(settings.busy_timeout)
            .pragma("journal_size_limit", JOURNAL_SIZE_BYTES)
            .disable_statement_logging();
        let file = Arc::new(DatabaseFile::new(address.path));
        let opened = Arc::clone(&file);
        let pool = SqlitePoolOptions::new()
            .max_connections(settings.max_connections)
            .acquire_timeout(settings.acquire_timeout)
            .max_lifetime(None)
            // A ping costs as much as a query, and would not notice that the file was moved.
            .test_before_acquire(false)
            .after_connect(move |_, _| {
                // The file may have been replaced since the other connections were opened.
                let verified = opened.verify_new_connection();
                Box::pin(async move {
                    verified.map_err(|error| sqlx::Error::Configuration(error.into()))
                })
            })
            .connect_lazy_with(options.clone());
        Ok(Self {
            pool,
            options,
            file,
            create: address.create,
            keeper: Mutex::default(),
            log_is_busy: AtomicBool::new(false),
            writers: Arc::new(Semaphore::new(1)),
            patience: settings.acquire_timeout,
            busy_timeout: settings.busy_timeout,
            migrate_at_start: settings.migrate,
            migrations: migrations::collect(&lists, migrations::Backend::Sqlite)?,
            lists,
            accept_newer: settings.accept_newer,
            newer: Newer::default(),
            synchronous: settings.synchronous,
        })
    }

    /// Creates the folder and the file, and brings the schema up to date. Safe to call again, and
    /// from several processes at once.
    pub async fn connect(&self) -> Result<(), Error> {
        self.use_connection(self.open(self.create).await?).await
    }

    /// Opens the file that took the place of the earlier one.
    ///
    /// # Errors
    /// Those of [`connect`](Self::connect), and [`Kind::Unavailable`] if none of the service's
    /// migrations has run in it. Such a file is rather a restore that went wrong than a new
    /// database, and is left as it is.
    async fn open_replacement(&self) -> Result<(), Error> {
        let mut connection = self.open_without_log(false).await?;
        let checked = self.require_migrated(&mut connection).await;
        self.use_connection(self.with_log(connection, checked).await?).await
    }

    async fn require_migrated(&self, connection: &mut SqliteConnection) -> Result<(), Error> {
        if self.migrations.is_empty() || !migrate::applied(connection).await?.is_empty() {
            return Ok(());
        }
        let why = "holds none of this service's tables: put a copy of the data there, or restart the service to begin anew";
        Err(Error::new(Kind::Unavailable, format!("{} {why}", self.file.path().display())))
    }

    /// Brings the schema up to date by `connection`, and keeps it.
    async fn use_connection(&self, mut connection: SqliteConnection) -> Result<(), Error> {
        let outcome = if self.migrate_at_start {
            self.migrate(&mut connection).await.map(drop)
        } else {
            self.require_no_pending(&mut connection).await
        };
        if let Err(error) = outcome.and_then(|()| self.file.remember()) {
            close(connection).await;
            // Another attempt cannot repair a damaged file.
            let damaged = error.storage() == Some(StorageFault::Damaged);
            return Err(if damaged { self.cannot_open(error).permanent() } else { error });
        }
        let before = self.keeper.lock().await.replace(connection);
        if let Some(before) = before {
            close(before).await;
        }
        // Opens the pool's first connection. On a busy machine that may exceed the acquire timeout,
        // which is no reason to report the database as not connected.
        if let Err(error) = self.acquire().await {
            warn!(%error, "The first connection to the database is not open yet");
        }
        Ok(())
    }

    /// A connection outside of the pool, for migrations.
    async fn open(&self, create: bool) -> Result<SqliteConnection, Error> {
        let connection = self.open_without_log(create).await?;
        self.with_log(connection, Ok(())).await
    }

    /// Switches to the write-ahead log, which changes the file, if it was `checked` without an
    /// error. Closes the connection otherwise.
    async fn with_log(
        &self,
        mut connection: SqliteConnection,
        checked: Result<(), Error>,
    ) -> Result<SqliteConnection, Error> {
        let outcome = match checked {
            Ok(()) => self.use_write_ahead_log(&mut connection).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => Ok(connection),
            Err(error) => {
                close(connection).await;
                Err(error)
            }
        }
    }

    /// A connection that has not changed the file, unless it created it.
    async fn open_without_log(&self, create: bool) -> Result<SqliteConnection, Error> {
        let path = self.file.path().to_owned();
        // Logged later, because a path with a typing error looks like an empty database.
        let new = !path.exists();
        let check = move || {
            if create && let Some(folder) = path.parent() {
                preflight::create_folder(folder)?;
            }
            preflight::check(&path, create)
        };
        let checked = tokio::task::spawn_blocking(check).await;
        checked.map_err(|_| Error::new(Kind::Other, "looking at the file was interrupted"))??;
        // Foreign keys are off while migrations run, or rebuilding a table (SQLite's way to alter
        // one) would delete what points to it. `migrate` checks them before it commits.
        let options = self.options.clone().foreign_keys(false).create_if_missing(create);
        let connection = options.connect().await.map_err(|error| self.cannot_open(error.into()))?;
        if new {
            tracing::info!("Made the database {}", self.file.path().display());
        }
        Ok(connection)
    }

    async fn require_no_pending(&self, connection: &mut SqliteConnection) -> Result<(), Error> {
        migrations::require_none(self.compare(connection).await?.pending)
    }

    /// Runs what has not run; for the verb `migrate up`.
    pub async fn migrate_now(&self) -> Result<Vec<&'static str>, Error> {
        let mut connection = self.open(self.create).await?;
        let outcome = self.migrate(&mut connection).await;
        // The program ends next, and only a connection that was closed has written the log back.
        close(connection).await;
        outcome
    }

    /// What has run; for the verb `migrate status`. Creates nothing.
    pub async fn applied(&self) -> Result<Vec<Applied>, Error> {
        let missing = tokio::fs::metadata(self.file.path()).await;
        let missing = missing.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
        if missing && self.create {
            return Ok(Vec::new());
        }
        let mut connection = self.open_without_log(false).await?;
        let outcome = migrate::applied(&mut connection).await;
        close(connection).await;
        outcome.map_err(|error| self.cannot_open(error))
    }

    pub fn lists(&self) -> &[Migrations] {
        &self.lists
    }

    pub fn migrates_at_start(&self) -> bool {
        self.migrate_at_start
    }

    pub fn accept_newer(&self) -> AcceptNewer {
        self.accept_newer
    }

    /// Returns the details that `/health` shows next to the state.
    pub fn details(&self) -> serde_json::Value {
        self.newer.details()
    }

    pub fn files(&self) -> &[File] {
        &self.migrations
    }

    pub fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// Checks whether the file is still the opened one and can be written: every half second, and
    /// when a fault is suspected.
    pub async fn watch(&self, stop: Stop) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
                () = self.file.suspected() => {}
                () = stop.stopped() => return,
            }
            tokio::select! {
                () = self.look() => {}
                () = stop.stopped() => return,
            }
        }
    }

    async fn look(&self) {
        match self.file.compare() {
            Comparison::Same => self.file.is_back(),
            Comparison::Missing(why) => {
                if self.file.give_up(&why) || self.log_is_busy.load(Ordering::Relaxed) {
                    // Acknowledged writes that are still in the log are written to the file,
                    // wherever it is now.
                    self.write_log_back().await;
                }
            }
            // The log is not written back, because it holds some pages only and cannot restore the
            // file.
            Comparison::Emptied(why) => {
                self.file.give_up(&why);
            }
            Comparison::Replaced => self.reopen(&self.file.replaced()).await,
            Comparison::LogReplaced => self.reopen(&self.file.log_replaced()).await,
            Comparison::Relocated => self.reopen(&self.file.relocated()).await,
        }
        if self.file.is_unwritable() && self.probe_write().await.is_ok() {
            self.file.written();
        }
    }

    /// Closes all connections, and opens the file that is at the path now.
    async fn reopen(&self, why: &str) {
        if self.file.usable().is_ok() {
            self.file.give_up(why);
        }
        self.write_log_back().await;
        if self.log_is_busy.load(Ordering::Relaxed) {
            self.file.give_up(&format!(
                "{why}, and another program still reads the earlier state: waiting for it to finish, \
                 to write the acknowledged writes from the log into the file"
            ));
            return;
        }
        if !self.drain().await {
            return;
        }
        if let Some(keeper) = self.keeper.lock().await.take() {
            close(keeper).await;
        }
        if self.file.compare() == Comparison::Replaced
            && let Some(log) = self.file.stale_log()
        {
            self.file.give_up(&self.file.next_to_stale_log(&log));
            return;
        }
        match self.open_replacement().await {
            Ok(()) => warn!("Opened {} again: {why}", self.file.path().display()),
            Err(error) => {
                self.file.give_up(&format!("{why}, and cannot be opened again: {error}"));
            }
        }
    }

    /// Writes the log into the opened file, wherever that is now, and records whether another
    /// program prevents that.
    async fn write_log_back(&self) {
        let mut keeper = self.keeper.lock().await;
        let Some(keeper) = keeper.as_mut() else { return };
        // Returns three columns: busy, and the numbers of pages in the log and written from it.
        let written =
            sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)").fetch_optional(keeper).await;
        let is_busy = written.unwrap_or_else(|error| {
            warn!(%error, "Could not write the log back into the database file");
            None::<i64>
        });
        self.log_is_busy.store(is_busy.is_some_and(|busy| busy != 0), Ordering::Relaxed);
    }

    /// Closes the pool's connections as they become free. Returns whether all are closed.
    async fn drain(&self) -> bool {
        const PAUSE: Duration = Duration::from_millis(10);
        let deadline = Instant::now() + DRAIN_TIMEOUT;
        while self.pool.size() > 0 {
            match self.pool.try_acquire() {
                Some(connection) => {
                    let _ = connection.close().await;
                }
                None if Instant::now() >= deadline => return false,
                None => tokio::time::sleep(PAUSE).await,
            }
        }
        true
    }

    /// Writes one page, by setting the user version to its present value.
    async fn probe_write(&self) -> Result<(), Error> {
        let folder = self.file.path().parent().filter(|it| !it.as_os_str().is_empty());
        let free = rustix::fs::statvfs(folder.unwrap_or(Path::new(".")));
        if free.is_ok_and(|free| free.f_bavail.saturating_mul(free.f_frsize) < MIN_FREE_BYTES) {
            return Err(Error::new(Kind::Unavailable, "the disk is full"));
        }
        let mut keeper = self.keeper.lock().await;
        let Some(keeper) = keeper.as_mut() else {
            return Err(Error::new(Kind::Unavailable, "no connection is open"));
        };
        let mut transaction = keeper.begin_with("BEGIN IMMEDIATE").await?;
        let version: i64 =
            sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *transaction).await?;
        let same = AssertSqlSafe(format!("PRAGMA user_version = {version}"));
        transaction.execute(same).await?;
        Ok(transaction.commit().await?)
    }

    /// Records an error about the file, and passes it on.
    pub fn noticing(&self, error: Error) -> Error {
        self.file.note(&error);
        error
    }

    fn cannot_open(&self, error: Error) -> Error {
        let damaged = error.storage() == Some(StorageFault::Damaged);
        let error = error.while_doing(format_args!("open {}", self.file.path().display()));
        if damaged { error.permanent() } else { error }
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
                    let error = self.cannot_open(error.into());
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
            self.file.usable()?;
            let mut connection = match self.pool.try_acquire() {
                Some(connection) => connection,
                None => self.wait_for_connection().await?,
            };
            if !connection.is_in_transaction() {
                return Ok(connection);
            }
            // SQLite ends a transaction by itself after some errors, such as a full disk. sqlx does
            // not notice, and would refuse every later transaction on this connection.
            connection.close_on_drop();
        }
    }

    async fn wait_for_connection(&self) -> Result<PoolConnection<Sqlite>, Error> {
        let acquired = tokio::select! {
            biased;
            acquired = self.pool.acquire() => acquired,
            // The pool would retry until its timeout to open a file that was replaced.
            error = self.file.unusable() => return Err(error),
        };
        acquired.map_err(|error| match error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => error.into(),
            // "The file was moved" is more useful than "cannot be opened".
            error => match self.file.verify() {
                Err(moved) => moved,
                Ok(()) => self.noticing(self.cannot_open(error.into())),
            },
        })
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
        let done = execute(&mut *self.acquire().await?, statement, verb).await;
        self.acknowledge(done, verb)
    }

    pub async fn rows(&self, statement: Statement, limit: row::Limit) -> Result<Vec<Row>, Error> {
        let verb = verb(&statement.text)?;
        let _turn = self.turn_for(verb).await?;
        let rows = fetch(&mut *self.acquire().await?, statement, limit).await;
        self.acknowledge(rows, verb)
    }

    /// Checks the result of a statement outside of a transaction. A write to a replaced file is not
    /// acknowledged.
    fn acknowledge<T>(&self, done: Result<T, Error>, verb: Verb) -> Result<T, Error> {
        let done = done.map_err(|error| self.noticing(error))?;
        if verb != Verb::Read {
            self.file.verify_write()?;
        }
        Ok(done)
    }

    pub async fn begin(&self) -> Result<Open, Error> {
        let turn = self.turn().await?;
        let connection = self.acquire().await?;
        // A transaction that begins by reading could not write later if somebody else wrote in
        // between; SQLite would refuse it at once. So each is a writer from the start.
        let begin = Some("BEGIN IMMEDIATE".into_sql_str());
        let transaction = Transaction::begin(connection, begin)
            .await
            .map_err(|error| self.noticing(error.into()))?;
        Ok(Open { transaction, file: Arc::clone(&self.file), _turn: turn })
    }

    /// Checks the file and reads it. Returns `Ok(false)` if every connection is busy, which is load
    /// and not a fault.
    pub async fn check(&self) -> Result<bool, Error> {
        self.file.check()?;
        let mut connection = match self.pool.try_acquire() {
            Some(connection) => connection,
            None if self.pool.size() >= self.pool.options().get_max_connections() => {
                return Ok(false);
            }
            None => self.acquire().await?,
        };
        // `SELECT 1` alone would not touch the file.
        let read = connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").await;
        read.map_err(|error| self.noticing(error.into()))?;
        Ok(true)
    }

    pub fn snapshot(&self) -> serde_json::Value {
        serde_json::json!({
            "engine": "sqlite",
            "file": self.file.path().display().to_string(),
            "connections": self.pool.size(),
            "idle": self.pool.num_idle(),
            "max_connections": self.pool.options().get_max_connections(),
            "migrations": self.migrations.len(),
            "synchronous": self.synchronous.name(),
        })
    }

    /// Closes every connection; the last one to go writes the log back into the file.
    pub async fn close(&self) {
        self.pool.close().await;
        if let Some(keeper) = self.keeper.lock().await.take() {
            close(keeper).await;
        }
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
        self.transaction.commit().await?;
        self.file.verify_write()
    }

    pub async fn rollback(self) -> Result<(), Error> {
        Ok(self.transaction.rollback().await?)
    }
}

fn synchronous(setting: Synchronous) -> SqliteSynchronous {
    match setting {
        Synchronous::Normal => SqliteSynchronous::Normal,
        Synchronous::Full => SqliteSynchronous::Full,
        Synchronous::Extra => SqliteSynchronous::Extra,
    }
}

async fn close(connection: SqliteConnection) {
    if let Err(error) = connection.close().await {
        warn!(%error, "Could not close a connection to the database");
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

/// Returns the size of a value in bytes. `index` must be that of a column.
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
