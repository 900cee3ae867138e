//! Runs statements of the task engine in a transaction.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Postgres, SqlSafeStr};

use super::engine::within_timeout;
use super::transaction::PostgresTransaction;
use crate::db::error::Error;

impl PostgresTransaction {
    /// Runs a statement whose values are encoded already. Returns its rows.
    pub async fn rows_of_query(
        &mut self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, Error> {
        let state = self.state.clone();
        let abandonments = self.abandonments();
        let answered = within_timeout(query.fetch_all(self.connection()));
        let outcome = state.answer(abandonments, answered).await;
        self.record(outcome)
    }

    /// Runs statements that have no parameters, in one message.
    pub async fn run_raw(&mut self, sql: impl SqlSafeStr) -> Result<(), Error> {
        let state = self.state.clone();
        let abandonments = self.abandonments();
        let answered = within_timeout(sqlx::raw_sql(sql).execute(self.connection()));
        let outcome = state.answer(abandonments, answered).await;
        self.record(outcome).map(drop)
    }

    fn record<T>(&mut self, outcome: Result<T, Error>) -> Result<T, Error> {
        match &outcome {
            Ok(_) => self.has_changed_rows = true,
            Err(error) => self.is_broken |= self.state.record_fault(error),
        }
        outcome
    }
}
