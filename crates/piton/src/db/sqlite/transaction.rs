//! An open transaction on the SQLite file.

use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::{SqlSafeStr, Sqlite, Transaction};

use super::database_file::DatabaseFile;
use super::statement::{execute, fetch};
use super::write_queue::WritePermit;
use crate::db::bounded_rows::RowLimit;
use crate::db::error::Error;
use crate::db::row::Row;
use crate::db::sql_builder::BoundStatement;
use crate::db::statement_kind::StatementKind;

/// An open transaction. Its fields are dropped in order: the connection rolls back before the next
/// writer is let in.
pub(in crate::db) struct SqliteTransaction {
    pub(super) transaction: Transaction<'static, Sqlite>,
    file: Arc<DatabaseFile>,
    _permit: WritePermit,
}

impl SqliteTransaction {
    /// Begins a transaction as a writer. One that began by reading could not write later if
    /// another client wrote in between: SQLite would refuse it at once.
    pub(super) async fn begin(
        connection: PoolConnection<Sqlite>,
        file: Arc<DatabaseFile>,
        permit: WritePermit,
    ) -> Result<Self, Error> {
        let begin = Some("BEGIN IMMEDIATE".into_sql_str());
        let transaction = Transaction::begin(connection, begin).await?;
        Ok(Self { transaction, file, _permit: permit })
    }

    pub async fn run(&mut self, statement: BoundStatement) -> Result<u64, Error> {
        let kind = StatementKind::of(&statement.text)?;
        execute(&mut self.transaction, statement, kind).await
    }

    pub async fn rows(
        &mut self,
        statement: BoundStatement,
        limit: RowLimit,
    ) -> Result<Vec<Row>, Error> {
        StatementKind::of(&statement.text)?;
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
