//! Access to the SQLite file for piton's own background work, such as tasks.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Sqlite;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnection, SqlitePool};

use super::store::Store;
use super::transaction::SqliteTransaction;
use crate::db::error::Error;

/// Connections that handlers cannot exhaust. Writes queue with those of the service, in the order of their arrival.
#[derive(Clone)]
pub(crate) struct SqliteInternal(Arc<Store>);

impl SqliteInternal {
    pub(in crate::db) fn new(store: &Arc<Store>) -> Self {
        Self(Arc::clone(store))
    }

    /// Returns a connection for reading.
    ///
    /// # Errors
    /// [`Kind::Unavailable`](crate::db::Kind::Unavailable) if the file cannot be opened, or was replaced.
    pub async fn connection(&self) -> Result<PoolConnection<Sqlite>, Error> {
        self.0.acquire_from(&self.0.internal_pool).await
    }

    /// Returns the connection for work in batches, for reading.
    ///
    /// # Errors
    /// Those of [`connection`](Self::connection).
    pub async fn batch_connection(&self) -> Result<PoolConnection<Sqlite>, Error> {
        self.0.acquire_from(&self.0.batch_pool).await
    }

    /// Begins a transaction after earlier writers.
    ///
    /// # Errors
    /// Those of [`connection`](Self::connection), and if earlier writes took too long.
    pub(in crate::db) async fn open_transaction(&self) -> Result<SqliteTransaction, Error> {
        self.begin_on(&self.0.internal_pool).await
    }

    /// Begins a transaction after earlier writers, on the connection for work in batches.
    ///
    /// # Errors
    /// Those of [`open_transaction`](Self::open_transaction).
    pub(in crate::db) async fn open_batch_transaction(&self) -> Result<SqliteTransaction, Error> {
        self.begin_on(&self.0.batch_pool).await
    }

    async fn begin_on(&self, pool: &SqlitePool) -> Result<SqliteTransaction, Error> {
        let permit = self.0.write_queue.acquire(None).await?;
        let connection = self.0.acquire_from(pool).await?;
        self.0.begin_on(connection, permit).await
    }

    pub(in crate::db) fn store(&self) -> &Arc<Store> {
        &self.0
    }

    /// Writes the log back into the file, as far as no reader needs it. Other connections write meanwhile.
    ///
    /// # Errors
    /// [`Kind::Unavailable`](crate::db::Kind::Unavailable) if the file cannot be written.
    pub async fn write_log_back(&self) -> Result<(), Error> {
        let mut keeper = self.0.keeper.lock().await;
        if let Some(keeper) = keeper.as_mut() {
            let written = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(keeper).await;
            written.map_err(|error| self.error(error))?;
        }
        Ok(())
    }

    /// Returns the error of a statement, after recording a fault of the file that it reports.
    pub fn error(&self, error: sqlx::Error) -> Error {
        self.0.record_fault(error.into())
    }

    /// Returns the path of the file.
    pub fn file(&self) -> &Path {
        self.0.file.path()
    }

    /// Returns the time that a statement may wait for another process that writes.
    pub fn busy_timeout(&self) -> Duration {
        self.0.busy_timeout
    }
}

impl SqliteTransaction {
    pub(in crate::db) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }
}
