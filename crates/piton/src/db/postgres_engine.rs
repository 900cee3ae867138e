//! Access of the task engine to a PostgreSQL database.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Postgres, SqlSafeStr};

use super::backend::{OpenTransaction, Store};
use super::database::Db;
use super::error::{Error, Kind};
pub(crate) use super::postgres::engine::PostgresEngine;
use super::postgres::transaction::PostgresTransaction;
use super::transaction::Tx;

impl Db {
    /// Returns connections of their own for the task engine, if the database is PostgreSQL. Opens nothing.
    pub(crate) fn postgres_engine(&self) -> Option<PostgresEngine> {
        match &self.store {
            Store::Postgres(store) => Some(PostgresEngine::new(store.clone())),
            Store::Sqlite(_) => None,
        }
    }

    /// Begins a transaction on a connection of the task engine.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] if the server is, or no connection was free in time.
    pub(crate) async fn begin_on_engine(&self, engine: &PostgresEngine) -> Result<Tx, Error> {
        let open = OpenTransaction::Postgres(engine.begin().await?);
        Ok(Tx::new(open, self.store.clone(), self.log.clone()))
    }
}

impl Tx {
    /// Runs a statement whose values are encoded already, if the database is PostgreSQL. Returns its rows.
    pub(crate) async fn postgres_rows(
        &mut self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, Error> {
        let outcome = self.postgres()?.rows_of_query(query).await;
        self.record_failure(outcome)
    }

    /// Runs statements that have no parameters, in one message, if the database is PostgreSQL.
    pub(crate) async fn run_postgres_raw(&mut self, sql: impl SqlSafeStr) -> Result<(), Error> {
        let outcome = self.postgres()?.run_raw(sql).await;
        self.record_failure(outcome)
    }

    fn postgres(&mut self) -> Result<&mut PostgresTransaction, Error> {
        self.require_no_failure()?;
        match &mut self.open {
            OpenTransaction::Postgres(open) => Ok(open),
            OpenTransaction::Sqlite(_) => {
                Err(Error::new(Kind::Other, "the transaction is not one of PostgreSQL"))
            }
        }
    }
}
