//! Access to the SQLite file for piton's own background work.

use std::time::Duration;

use sqlx::sqlite::SqliteConnection;

use super::backend::{OpenTransaction, Store};
use super::database::Db;
use super::error::Error;
pub(crate) use super::sqlite::internal::SqliteInternal;
use super::sqlite::transaction::SqliteTransaction;
use super::statement_log::StatementLog;
use super::transaction::Tx;

impl Db {
    /// Returns access for background work, if the database is SQLite.
    pub(crate) fn sqlite_internal(&self) -> Option<SqliteInternal> {
        match &self.store {
            Store::Sqlite(store) => Some(SqliteInternal::new(store)),
            Store::Postgres(_) => None,
        }
    }
}

impl SqliteInternal {
    /// Begins a transaction whose statements are not logged.
    ///
    /// # Errors
    /// [`Kind::Unavailable`](super::Kind::Unavailable) if the file cannot be written, or other writes took too long.
    pub async fn begin(&self) -> Result<Tx, Error> {
        Ok(self.unlogged(self.open_transaction().await?))
    }

    /// Begins a transaction whose statements are not logged, on the connection for work in batches.
    ///
    /// # Errors
    /// Those of [`begin`](Self::begin).
    pub async fn begin_batch(&self) -> Result<Tx, Error> {
        Ok(self.unlogged(self.open_batch_transaction().await?))
    }

    fn unlogged(&self, open: SqliteTransaction) -> Tx {
        let log = StatementLog::new(Duration::MAX, false);
        Tx::new(OpenTransaction::Sqlite(open), Store::Sqlite(self.store().clone()), log)
    }
}

impl Tx {
    /// Returns the connection, for statements that are too many to be logged and converted one by one. After one of
    /// them has failed, the transaction must be dropped.
    pub(crate) fn sqlite_connection(&mut self) -> Option<&mut SqliteConnection> {
        match &mut self.open {
            OpenTransaction::Sqlite(open) => Some(open.connection()),
            OpenTransaction::Postgres(_) => None,
        }
    }
}
