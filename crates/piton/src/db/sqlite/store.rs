//! The SQLite database: one file next to the service, without a server.
//!
//! SQLite allows many readers and one writer at a time. Writers queue here, in the order of their
//! arrival and before they take a connection, because SQLite itself would let them poll, each with
//! a connection that a reader could use, and the unlucky one would fail as "locked".

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Executor, Sqlite};
use tokio::sync::Mutex;

use super::database_file::DatabaseFile;
use super::location::file_of;
use super::statement::{close, execute, fetch};
use super::transaction::SqliteTransaction;
use super::write_queue::{WritePermit, WriteQueue};
use crate::db::bounded_rows::RowLimit;
use crate::db::error::Error;
use crate::db::migrations::service_migrations::MigrationSet;
use crate::db::row::Row;
use crate::db::setting_enums::Synchronous;
use crate::db::settings::DbSettings;
use crate::db::sql_builder::BoundStatement;
use crate::db::statement_kind::StatementKind;
use crate::part::Health;

/// Maximum size of the write-ahead log on disk after a burst of writes, in bytes.
const JOURNAL_SIZE_LIMIT: &str = "67108864";

/// Size of the page cache of the connection that writes in batches, in KiB as a negative number. With SQLite's default
/// of 2 MB a batch would read back from the file what the last one wrote.
const BATCH_CACHE_SIZE: &str = "-16384";

/// Number of pages in the log at which the connection that writes in batches writes them back itself, during which
/// nobody writes. Before that [`SqliteInternal::write_log_back`](super::internal::SqliteInternal::write_log_back)
/// has written back most of them.
const BATCH_CHECKPOINT_PAGES: &str = "16000";

/// Number of rows that SQLite's thread may be ahead of their reader: a batch, because each time it has to wait costs
/// more than the row.
const BATCH_ROW_BUFFER: usize = 1024;

/// One SQLite file.
pub(in crate::db) struct Store {
    pub(super) pool: SqlitePool,
    /// The connection for piton's own background work. Separate, so that handlers which use all others do not stop it.
    pub(super) internal_pool: SqlitePool,
    /// The connection for background work in batches. Separate, because SQLite drops a connection's page cache whenever
    /// another one has written, and so that a statement that hangs does not stop the rest of the background work.
    pub(super) batch_pool: SqlitePool,
    pub(super) options: SqliteConnectOptions,
    pub(super) file: Arc<DatabaseFile>,
    pub(super) create: bool,
    /// A connection that stays open as long as the pool may be used. Without it the log would not
    /// stay the same file, because the last connection that closes removes the log. It also writes
    /// the log back when the file was moved.
    pub(super) keeper: Mutex<Option<SqliteConnection>>,
    /// Set if the log of a moved or replaced file is not written back yet, because another program
    /// uses it. The keeper must stay open until it is: the log holds acknowledged writes.
    pub(super) log_is_busy: AtomicBool,
    pub(super) write_queue: WriteQueue,
    pub(super) busy_timeout: Duration,
    pub(super) migrations: MigrationSet,
    synchronous: Synchronous,
}

impl Store {
    /// Creates the pool. Opens nothing.
    ///
    /// # Errors
    /// Never. Returns a `Result` because the stub for a build without SQLite has the same signature and fails.
    pub fn new(
        settings: &DbSettings,
        app: &str,
        data_dir: &Path,
        migrations: MigrationSet,
    ) -> Result<Self, Error> {
        let address = file_of(settings, app, data_dir);
        let options = SqliteConnectOptions::new()
            .filename(&address.path)
            // Off, because the pool opens connections at any time, and must not create a deleted
            // file anew. `connect` alone creates the file.
            .create_if_missing(false)
            .foreign_keys(true)
            // Otherwise `INSERT OR REPLACE` would delete rows without running their delete triggers.
            .pragma("recursive_triggers", "ON")
            .synchronous(synchronous(settings.synchronous))
            .busy_timeout(settings.busy_timeout)
            .pragma("journal_size_limit", JOURNAL_SIZE_LIMIT)
            .disable_statement_logging();
        let file = Arc::new(DatabaseFile::new(address.path));
        let (most, timeout) = (settings.max_connections, settings.acquire_timeout);
        let pool = pool_options(&file, most, timeout).connect_lazy_with(options.clone());
        let internal_pool = pool_options(&file, 1, timeout).connect_lazy_with(options.clone());
        let batch_pool = pool_options(&file, 1, timeout).connect_lazy_with(batch_options(&options));
        Ok(Self {
            pool,
            internal_pool,
            batch_pool,
            options,
            file,
            create: address.create,
            keeper: Mutex::default(),
            log_is_busy: AtomicBool::new(false),
            write_queue: WriteQueue::new(settings.acquire_timeout),
            busy_timeout: settings.busy_timeout,
            migrations,
            synchronous: settings.synchronous,
        })
    }

    pub fn migrations(&self) -> &MigrationSet {
        &self.migrations
    }

    pub fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// Returns a connection without an open transaction.
    pub(super) async fn acquire(&self) -> Result<PoolConnection<Sqlite>, Error> {
        self.acquire_from(&self.pool).await
    }

    /// Returns a connection of `pool` without an open transaction.
    pub(super) async fn acquire_from(
        &self,
        pool: &SqlitePool,
    ) -> Result<PoolConnection<Sqlite>, Error> {
        loop {
            self.file.require_available()?;
            let mut connection = match pool.try_acquire() {
                Some(connection) => connection,
                None => self.wait_for_connection(pool).await?,
            };
            if !connection.is_in_transaction() {
                return Ok(connection);
            }
            // Closed, because sqlx does not notice that SQLite ended a transaction by itself (after
            // a full disk, for example), and would refuse every later one on this connection.
            connection.close_on_drop();
        }
    }

    async fn wait_for_connection(
        &self,
        pool: &SqlitePool,
    ) -> Result<PoolConnection<Sqlite>, Error> {
        let acquired = tokio::select! {
            biased;
            acquired = pool.acquire() => acquired,
            // Otherwise the pool would retry to open a replaced file until its timeout.
            error = self.file.unavailable() => return Err(error),
        };
        acquired.map_err(|error| match error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => error.into(),
            // The file is verified, because "the file was moved" helps more than "cannot be opened".
            error => match self.file.verify() {
                Err(moved) => moved,
                Ok(()) => self.record_fault(self.cannot_open(error.into())),
            },
        })
    }

    pub async fn run(&self, statement: BoundStatement) -> Result<u64, Error> {
        let kind = StatementKind::of(&statement.text)?;
        // The connection is dropped first, so that the next writer is let in after it has ended.
        let (_permit, mut connection) = self.acquire_for(kind).await?;
        let changed = execute(&mut connection, statement, kind).await;
        self.acknowledge(changed, kind)
    }

    pub async fn rows(
        &self,
        statement: BoundStatement,
        limit: RowLimit,
    ) -> Result<Vec<Row>, Error> {
        let kind = StatementKind::of(&statement.text)?;
        let (_permit, mut connection) = self.acquire_for(kind).await?;
        let rows = fetch(&mut connection, statement, limit).await;
        self.acknowledge(rows, kind)
    }

    /// Checks the result of a statement outside of a transaction. A write to a replaced file is not
    /// acknowledged.
    fn acknowledge<T>(&self, outcome: Result<T, Error>, kind: StatementKind) -> Result<T, Error> {
        let value = outcome.map_err(|error| self.record_fault(error))?;
        if kind != StatementKind::Read {
            self.file.verify_write()?;
        }
        Ok(value)
    }

    /// Returns a connection for a statement outside of a transaction, and the permission to write unless the statement
    /// only reads.
    async fn acquire_for(
        &self,
        kind: StatementKind,
    ) -> Result<(Option<WritePermit>, PoolConnection<Sqlite>), Error> {
        if kind == StatementKind::Read {
            return Ok((None, self.acquire().await?));
        }
        let (permit, connection) = self.acquire_writer().await?;
        Ok((Some(permit), connection))
    }

    /// Returns the permission to write and a connection, after earlier writers.
    async fn acquire_writer(&self) -> Result<(WritePermit, PoolConnection<Sqlite>), Error> {
        let turn = self.write_queue.acquire_turn().await?;
        let connection = self.acquire().await?;
        let permit = self.write_queue.acquire(Some(turn)).await?;
        Ok((permit, connection))
    }

    pub async fn begin(&self) -> Result<SqliteTransaction, Error> {
        let (permit, connection) = self.acquire_writer().await?;
        self.begin_on(connection, permit).await
    }

    pub(super) async fn begin_on(
        &self,
        connection: PoolConnection<Sqlite>,
        permit: WritePermit,
    ) -> Result<SqliteTransaction, Error> {
        let begun = SqliteTransaction::begin(connection, Arc::clone(&self.file), permit).await;
        begun.map_err(|error| self.record_fault(error))
    }

    pub async fn health(&self) -> Health {
        match self.check().await {
            Ok(true) => Health::Up,
            Ok(false) => Health::Degraded("every connection is busy".into()),
            Err(error) => Health::Down(error.to_string()),
        }
    }

    /// Passes an error on, after recording a fault of the file that it reports.
    pub fn record_fault(&self, error: Error) -> Error {
        self.file.record_fault(&error);
        error
    }

    /// Checks the file and reads it. Returns `Ok(false)` if every connection is busy, which is load
    /// and not a fault.
    async fn check(&self) -> Result<bool, Error> {
        self.file.check()?;
        let mut connection = match self.pool.try_acquire() {
            Some(connection) => connection,
            None if self.pool.size() >= self.pool.options().get_max_connections() => {
                return Ok(false);
            }
            None => self.acquire().await?,
        };
        // Reads a table, because `SELECT 1` would not touch the file.
        let read = connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").await;
        read.map_err(|error| self.record_fault(error.into()))?;
        Ok(true)
    }

    pub fn snapshot(&self) -> serde_json::Value {
        serde_json::json!({
            "engine": "sqlite",
            "file": self.file.path().display().to_string(),
            "connections": self.pool.size(),
            "idle": self.pool.num_idle(),
            "max_connections": self.pool.options().get_max_connections(),
            "migrations": self.migrations.files().len(),
            "synchronous": self.synchronous.name(),
        })
    }

    /// Closes every connection. The keeper is the last one, which writes the log back into the file.
    pub async fn close(&self) {
        self.batch_pool.close().await;
        self.internal_pool.close().await;
        self.pool.close().await;
        if let Some(keeper) = self.keeper.lock().await.take() {
            close(keeper).await;
        }
    }
}

/// Returns the options that both pools share.
fn pool_options(file: &Arc<DatabaseFile>, most: u32, timeout: Duration) -> SqlitePoolOptions {
    let opened = Arc::clone(file);
    SqlitePoolOptions::new()
        .max_connections(most)
        .acquire_timeout(timeout)
        .max_lifetime(None)
        // Off, because a ping costs as much as a query, and would not notice a moved file.
        .test_before_acquire(false)
        .after_connect(move |_, _| {
            // Verified, because the file may have been replaced since the other connections
            // were opened.
            let verified = opened.verify_new_connection();
            Box::pin(
                async move { verified.map_err(|error| sqlx::Error::Configuration(error.into())) },
            )
        })
}

/// Returns the options of the connection that reads and writes in batches.
fn batch_options(options: &SqliteConnectOptions) -> SqliteConnectOptions {
    options
        .clone()
        .row_buffer_size(BATCH_ROW_BUFFER)
        .pragma("cache_size", BATCH_CACHE_SIZE)
        .pragma("wal_autocheckpoint", BATCH_CHECKPOINT_PAGES)
        // Otherwise a statement that changes many rows first copies their pages into a temporary file, to be able to
        // take back the statement alone.
        .pragma("temp_store", "MEMORY")
}

fn synchronous(setting: Synchronous) -> SqliteSynchronous {
    match setting {
        Synchronous::Normal => SqliteSynchronous::Normal,
        Synchronous::Full => SqliteSynchronous::Full,
        Synchronous::Extra => SqliteSynchronous::Extra,
    }
}
