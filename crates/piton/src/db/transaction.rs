//! `Tx`, a transaction as services use it.

use std::future::Future;

use super::backend::{OpenTransaction, Store};
use super::bounded_rows::RowLimit;
use super::dialect::Dialect;
use super::error::{Error, Kind};
use super::params::Params;
use super::query_methods::{at_most_one, exactly_one, query_methods, read_all};
use super::row::{FromRow, Row};
use super::sql_builder::{BoundStatement, Sql};
use super::statement_log::StatementLog;
use super::value::Column;

/// A transaction. Dropping it rolls back everything it did.
pub struct Tx {
    pub(super) open: OpenTransaction,
    pub(super) store: Store,
    log: StatementLog,
    /// The error of the first failed statement. From then on the transaction can only be rolled
    /// back.
    failure: Option<(Kind, String)>,
    /// Called after the commit.
    hooks: Vec<Box<dyn FnOnce() + Send>>,
}

impl Tx {
    pub(super) fn new(open: OpenTransaction, store: Store, log: StatementLog) -> Self {
        Self { open, store, log, failure: None, hooks: Vec::new() }
    }

    query_methods!(self: &mut self);

    /// Returns whether the database is PostgreSQL.
    #[must_use]
    pub fn is_postgres(&self) -> bool {
        self.store.dialect() == Dialect::Postgres
    }

    /// Commits the transaction: makes its changes permanent and visible.
    ///
    /// # Errors
    /// [`Kind::ForeignKey`] if a constraint that is checked at the end fails, or the kind of an
    /// earlier statement that failed: no data was changed. [`Kind::Unavailable`] if the connection
    /// was lost: whether data was changed is not known.
    pub async fn commit(self) -> Result<(), Error> {
        self.require_no_failure()?;
        let committed = self.open.commit().await;
        committed.map_err(|error| self.store.record_fault(error))?;
        self.hooks.into_iter().for_each(|hook| hook());
        Ok(())
    }

    /// Calls `hook` after the transaction was committed, and never if it was rolled back or its commit failed.
    pub fn after_commit(&mut self, hook: impl FnOnce() + Send + 'static) {
        self.hooks.push(Box::new(hook));
    }

    /// Rolls the transaction back, and waits until that is done. Dropping the transaction rolls it
    /// back in the background.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] if the connection was lost; the database then rolls back by itself.
    pub async fn rollback(self) -> Result<(), Error> {
        let rolled_back = self.open.rollback().await;
        // The error is dropped after a failure, because SQLite may have rolled back by itself then,
        // and refuses to do so again.
        if self.failure.is_some() { Ok(()) } else { rolled_back }
    }

    fn statement(&self, sql: Sql, params: impl Params) -> Result<BoundStatement, Error> {
        self.require_no_failure()?;
        BoundStatement::new(sql, params, self.store.dialect())
    }

    async fn execute(&mut self, statement: BoundStatement) -> Result<u64, Error> {
        let timer = self.log.start(&statement);
        let outcome = self.open.run(statement).await;
        self.log.record(timer, &outcome, |rows| *rows);
        self.record_failure(outcome)
    }

    async fn fetch(
        &mut self,
        statement: BoundStatement,
        limit: RowLimit,
    ) -> Result<Vec<Row>, Error> {
        let timer = self.log.start(&statement);
        let outcome = self.open.rows(statement, limit).await;
        self.log.record(timer, &outcome, |rows| rows.len() as u64);
        self.record_failure(outcome)
    }

    pub(super) fn record_failure<T>(&mut self, outcome: Result<T, Error>) -> Result<T, Error> {
        let outcome = outcome.map_err(|error| self.store.record_fault(error));
        if let Err(error) = &outcome {
            self.failure.get_or_insert_with(|| (error.kind(), error.to_string()));
        }
        outcome
    }

    pub(super) fn require_no_failure(&self) -> Result<(), Error> {
        match &self.failure {
            None => Ok(()),
            Some((kind, why)) => Err(Error::new(
                *kind,
                format!(
                    "a statement of this transaction has failed, it can only be rolled back: {why}"
                ),
            )),
        }
    }
}
