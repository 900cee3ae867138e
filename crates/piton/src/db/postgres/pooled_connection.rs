//! A connection of the pool that frees its place also if its server freezes.
//!
//! sqlx tests a connection that is dropped, and waits for the answer without a limit. A server that froze keeps
//! its connections open and never answers, so that their places were lost until TCP gave up, minutes after
//! another server had replaced the frozen one.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tracing::debug;

use super::server_state::ServerState;
use super::statement::{StatementMode, StatementOutcome, run_statement};
use crate::db::error::Error;
use crate::db::sql_builder::BoundStatement;

/// A connection of the pool. Returned in the background when dropped, or closed if the server does not answer.
pub(super) struct PooledConnection {
    /// `None` once it is discarded.
    connection: Option<PoolConnection<Postgres>>,
    state: Arc<ServerState>,
    /// Changes when another server replaces the one of this connection.
    abandonments: watch::Receiver<u64>,
}

impl PooledConnection {
    pub fn new(connection: PoolConnection<Postgres>, state: Arc<ServerState>) -> Self {
        let abandonments = state.abandonments();
        Self { connection: Some(connection), state, abandonments }
    }

    /// Returns a receiver that changes when another server replaces the one of this connection, or has done so.
    pub fn abandonments(&self) -> watch::Receiver<u64> {
        self.abandonments.clone()
    }

    /// Prepares and runs a statement.
    ///
    /// # Errors
    /// Those of the statement; or another server has replaced this one.
    pub async fn run_statement(
        &mut self,
        statement: &BoundStatement,
        mode: StatementMode,
    ) -> Result<StatementOutcome, Error> {
        let (state, abandonments) = (self.state.clone(), self.abandonments());
        state.answer(abandonments, run_statement(self, statement, mode)).await
    }

    /// Closes the connection, and frees its place at once.
    pub fn discard(mut self) {
        // Detached and not closed, because closing waits for the server.
        drop(self.connection.take().map(PoolConnection::detach));
    }
}

impl Deref for PooledConnection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect("only `discard` takes it, which consumes this")
    }
}

impl DerefMut for PooledConnection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("only `discard` takes it, which consumes this")
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        // Dropped without being polled, it closes the connection and frees the place.
        let returned = connection.return_to_pool();
        let Ok(runtime) = Handle::try_current() else { return };
        let (state, abandonments) = (self.state.clone(), self.abandonments.clone());
        runtime.spawn(async move {
            if state.unless_lost(abandonments, returned).await.is_none() {
                debug!("A connection whose server does not answer is closed");
            }
        });
    }
}
