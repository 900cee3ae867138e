//! Runs a transaction on a connection of the pool, and discards the connection if it is broken.
//!
//! sqlx's own transaction is not used, because it hides its connection: a broken one would go back
//! to the pool and fail the next request too.

use std::ops::DerefMut;
use std::sync::Arc;

use sqlx::{Connection, PgConnection};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::error::unreachable;
use super::pooled_connection::PooledConnection;
use super::server_state::ServerState;
use super::session_probe::Pooling;
use super::statement::{StatementMode, StatementOutcome, run_statement};
use crate::db::bounded_rows::RowLimit;
use crate::db::error::Error;
use crate::db::row::Row;
use crate::db::sql_builder::BoundStatement;
use crate::db::statement_kind::StatementKind;

/// A connection in use.
pub(super) trait BorrowedConnection: DerefMut<Target = PgConnection> + Send + Sync {
    /// Returns whether a transaction that is dropped before its end closes the connection, instead of waiting until the
    /// server has rolled back.
    fn is_closed_unless_ended(&self) -> bool;

    /// Keeps the connection for the next use.
    fn give_back(self: Box<Self>);

    /// Closes the connection without waiting for the server.
    fn discard(self: Box<Self>);

    /// Returns a receiver that changes when another server replaces the one of this connection, or has done so.
    fn abandonments(&self) -> watch::Receiver<u64>;
}

impl BorrowedConnection for PooledConnection {
    fn is_closed_unless_ended(&self) -> bool {
        false
    }

    fn give_back(self: Box<Self>) {}

    fn discard(self: Box<Self>) {
        Self::discard(*self);
    }

    fn abandonments(&self) -> watch::Receiver<u64> {
        Self::abandonments(self)
    }
}

/// An open transaction. Rolled back in the background when dropped.
pub(in crate::db) struct PostgresTransaction {
    /// `None` once the transaction has ended.
    connection: Option<Box<dyn BorrowedConnection>>,
    pub(super) state: Arc<ServerState>,
    /// Set if the connection is broken.
    pub(super) is_broken: bool,
    pub(super) has_changed_rows: bool,
}

impl PostgresTransaction {
    pub(super) async fn begin(
        connection: impl BorrowedConnection + 'static,
        state: Arc<ServerState>,
    ) -> Result<Self, Error> {
        let sql = state.begin_sql();
        let mut open = Self {
            connection: Some(Box::new(connection)),
            state,
            // Assumed broken until the server confirms `BEGIN`, because the future may be cancelled
            // before.
            is_broken: true,
            has_changed_rows: false,
        };
        let (state, abandonments) = (open.state.clone(), open.abandonments());
        let started =
            async { sqlx::raw_sql(sql).execute(open.connection()).await.map_err(Error::from) };
        state.answer(abandonments, started).await?;
        open.is_broken = false;
        Ok(open)
    }

    pub(super) fn connection(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("it is taken when the transaction has ended")
    }

    pub(super) fn abandonments(&self) -> watch::Receiver<u64> {
        let connection = self.connection.as_ref();
        connection.map_or_else(|| self.state.abandonments(), |connection| connection.abandonments())
    }

    pub async fn run(&mut self, statement: BoundStatement) -> Result<u64, Error> {
        let kind = StatementKind::of(&statement.text)?;
        Ok(self.run_statement(&statement, StatementMode::Run(kind)).await?.changed())
    }

    pub async fn rows(
        &mut self,
        statement: BoundStatement,
        limit: RowLimit,
    ) -> Result<Vec<Row>, Error> {
        StatementKind::of(&statement.text)?;
        Ok(self.run_statement(&statement, StatementMode::Rows(limit)).await?.rows())
    }

    pub(super) async fn run_statement(
        &mut self,
        statement: &BoundStatement,
        mode: StatementMode,
    ) -> Result<StatementOutcome, Error> {
        let (state, abandonments) = (self.state.clone(), self.abandonments());
        let running = run_statement(self.connection(), statement, mode);
        let outcome = state.answer(abandonments, running).await;
        match &outcome {
            Ok(_) => {
                self.has_changed_rows |=
                    matches!(mode, StatementMode::Run(StatementKind::ChangeRows));
            }
            Err(error) => self.is_broken |= self.state.record_fault(error),
        }
        outcome
    }

    pub async fn commit(mut self) -> Result<(), Error> {
        if self.is_broken {
            return Err(unreachable("the connection failed: nothing was changed"));
        }
        match self.end("COMMIT").await {
            Ok(()) => {
                if self.has_changed_rows {
                    self.state.record_write();
                }
                Ok(())
            }
            Err(error) if error.is_connection_broken() => {
                Err(error.while_doing("commit: whether it still happened is not known"))
            }
            Err(error) => Err(error),
        }
    }

    pub async fn rollback(mut self) -> Result<(), Error> {
        self.end("ROLLBACK").await
    }

    /// Ends the transaction with `sql`. If this is cancelled, a transaction that is still open is
    /// rolled back.
    async fn end(&mut self, sql: &'static str) -> Result<(), Error> {
        if self.is_broken {
            self.discard_connection();
            return Ok(());
        }
        let clear_statements = self.state.pooling() == Pooling::Transaction;
        let (state, abandonments) = (self.state.clone(), self.abandonments());
        let connection = self.connection();
        let ended = async { end(connection, sql, clear_statements).await.map_err(Error::from) };
        let ended = state.answer(abandonments, ended).await;
        if let Err(error) = &ended
            && self.state.record_fault(error)
        {
            self.discard_connection();
        }
        if let Some(connection) = self.connection.take() {
            connection.give_back();
        }
        ended
    }

    /// Closes the connection, which makes the server roll back.
    fn discard_connection(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.discard();
        }
    }
}

impl Drop for PostgresTransaction {
    fn drop(&mut self) {
        let connection = self.connection.as_ref();
        if self.is_broken
            || connection.is_some_and(|connection| connection.is_closed_unless_ended())
        {
            self.discard_connection();
        }
        let Some(connection) = self.connection.take() else { return };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(roll_back(connection, self.state.clone()))),
            Err(_) => connection.discard(),
        }
    }
}

/// Rolls back a transaction that was dropped. Closes its connection instead if the server does not answer.
async fn roll_back(mut connection: Box<dyn BorrowedConnection>, state: Arc<ServerState>) {
    let clear_statements = state.pooling() == Pooling::Transaction;
    let abandonments = connection.abandonments();
    let ended = end(&mut connection, "ROLLBACK", clear_statements);
    match state.unless_lost(abandonments, ended).await {
        Some(Ok(())) => connection.give_back(),
        Some(Err(_)) | None => connection.discard(),
    }
}

/// Ends the transaction. Clears prepared statements behind a pooler, because the next transaction may
/// run in another server session.
async fn end(
    connection: &mut PgConnection,
    sql: &'static str,
    clear_statements: bool,
) -> Result<(), sqlx::Error> {
    if clear_statements {
        connection.clear_cached_statements().await?;
    }
    sqlx::raw_sql(sql).execute(connection).await?;
    Ok(())
}
