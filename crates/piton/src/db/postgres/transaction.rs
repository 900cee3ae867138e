//! Runs a transaction on a connection of the pool, and discards the connection if it is broken.
//!
//! sqlx's own transaction hides its connection, so a broken one would go back to the pool and fail
//! the next request too.

use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::{Connection, PgConnection, Postgres};

use super::state::{Pooling, State};
use super::{Ask, Outcome, ask};
use crate::db::error::Error;
use crate::db::row::{self, Row};
use crate::db::sql::Statement;
use crate::db::verb::{Verb, verb};

/// An open transaction. Rolled back in the background when dropped.
pub(in crate::db) struct Open {
    /// `None` once the transaction has ended.
    connection: Option<PoolConnection<Postgres>>,
    state: Arc<State>,
    /// Set if the connection is broken.
    is_spoiled: bool,
    has_changed_rows: bool,
}

impl Open {
    pub(super) async fn begin(
        connection: PoolConnection<Postgres>,
        state: Arc<State>,
    ) -> Result<Self, Error> {
        let sql = state.begin_sql();
        let mut open = Self {
            connection: Some(connection),
            state,
            // Assumed broken until the server confirms `BEGIN`, because this may be cancelled
            // before.
            is_spoiled: true,
            has_changed_rows: false,
        };
        let state = open.state.clone();
        let begun =
            async { sqlx::raw_sql(sql).execute(open.connection()).await.map_err(Error::from) };
        state.answer(begun).await?;
        open.is_spoiled = false;
        Ok(open)
    }

    fn connection(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("it is taken when the transaction has ended")
    }

    pub async fn run(&mut self, statement: Statement) -> Result<u64, Error> {
        let verb = verb(&statement.text)?;
        Ok(self.ask(&statement, Ask::Run(verb)).await?.changed())
    }

    pub async fn rows(
        &mut self,
        statement: Statement,
        limit: row::Limit,
    ) -> Result<Vec<Row>, Error> {
        verb(&statement.text)?;
        Ok(self.ask(&statement, Ask::Rows(limit)).await?.rows())
    }

    pub(super) async fn ask(&mut self, statement: &Statement, how: Ask) -> Result<Outcome, Error> {
        let state = self.state.clone();
        let outcome = state.answer(ask(self.connection(), statement, how)).await;
        match &outcome {
            Ok(_) => self.has_changed_rows |= matches!(how, Ask::Run(Verb::Change)),
            Err(error) => self.is_spoiled |= self.state.note(error),
        }
        outcome
    }

    pub async fn commit(mut self) -> Result<(), Error> {
        if self.is_spoiled {
            return Err(Error::gone("the connection failed: nothing was changed"));
        }
        match self.end("COMMIT").await {
            Ok(()) => {
                if self.has_changed_rows {
                    self.state.note_write();
                }
                Ok(())
            }
            Err(error) if error.is_of_connection() => {
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
        if self.is_spoiled {
            self.give_up();
            return Ok(());
        }
        let forget = self.state.pooling() == Pooling::Transaction;
        let state = self.state.clone();
        let connection = self.connection();
        let ended = async { end(connection, sql, forget).await.map_err(Error::from) };
        let ended = state.answer(ended).await;
        if let Err(error) = &ended
            && self.state.note(error)
        {
            self.give_up();
        }
        self.connection = None;
        ended
    }

    /// Closes the connection, which makes the server roll back.
    fn give_up(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(connection.detach());
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.is_spoiled {
            self.give_up();
        }
        let Some(mut connection) = self.connection.take() else { return };
        let forget = self.state.pooling() == Pooling::Transaction;
        tokio::spawn(async move {
            if end(&mut connection, "ROLLBACK", forget).await.is_err() {
                connection.close_on_drop();
            }
        });
    }
}

/// Ends the transaction. Behind a pooler the next transaction may run in another server session, so
/// this one must not keep our prepared statements.
async fn end(
    connection: &mut PgConnection,
    sql: &'static str,
    forget_statements: bool,
) -> Result<(), sqlx::Error> {
    if forget_statements {
        connection.clear_cached_statements().await?;
    }
    sqlx::raw_sql(sql).execute(connection).await?;
    Ok(())
}
