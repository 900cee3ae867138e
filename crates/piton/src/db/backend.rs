//! Dispatches to the database that the settings choose.
//!
//! A database is a module with a `Store`, a transaction and a row (`sqlite/`, `postgres/`). One
//! that is not compiled in is a module of the same form whose types have no values
//! (`sqlite_disabled.rs`, `postgres_disabled.rs`), so that no match here needs a feature gate.

use std::path::Path;
use std::sync::Arc;

use super::bounded_rows::RowLimit;
use super::dialect::Dialect;
use super::error::Error;
use super::migrations::compare::AppliedMigration;
use super::migrations::embedded::Migrations;
use super::migrations::service_migrations::MigrationSet;
use super::postgres::{self, transaction::PostgresTransaction};
use super::row::Row;
use super::settings::DbSettings;
use super::sql_builder::BoundStatement;
use super::sqlite::{self, transaction::SqliteTransaction};
use crate::part::Health;
use crate::stop_signal::Stop;

/// The store of either database.
#[derive(Clone)]
pub(super) enum Store {
    Sqlite(Arc<sqlite::store::Store>),
    Postgres(Arc<postgres::store::Store>),
}

/// An open transaction on either database.
pub(super) enum OpenTransaction {
    Sqlite(SqliteTransaction),
    Postgres(PostgresTransaction),
}

/// Does the same with either database: their stores, and their transactions, have the same
/// methods.
macro_rules! each {
    ($backend:expr, $it:ident => $do:expr) => {
        match $backend {
            Self::Sqlite($it) => $do,
            Self::Postgres($it) => $do,
        }
    };
}

impl Store {
    /// Creates the store of the database that `settings` choose. Opens nothing.
    ///
    /// # Errors
    /// The settings are incomplete, or a migration's name is malformed.
    pub fn new(
        settings: &DbSettings,
        app: &str,
        data_dir: &Path,
        lists: Vec<Migrations>,
    ) -> Result<Self, Error> {
        let (migrate, accept_newer) = (settings.migrate, settings.accept_newer);
        let migrations = |dialect| MigrationSet::new(lists, dialect, migrate, accept_newer);
        if settings.is_postgres() {
            let migrations = migrations(Dialect::Postgres)?;
            let store = postgres::store::Store::new(settings, app, migrations)?;
            Ok(Self::Postgres(Arc::new(store)))
        } else {
            let migrations = migrations(Dialect::Sqlite)?;
            let store = sqlite::store::Store::new(settings, app, data_dir, migrations)?;
            Ok(Self::Sqlite(Arc::new(store)))
        }
    }

    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Connects, and brings the schema up to date. Safe to call again.
    pub async fn connect(&self) -> Result<(), Error> {
        each!(self, store => store.connect().await)
    }

    /// Watches for faults of the database, until `stop`.
    pub async fn watch(&self, stop: Stop) {
        each!(self, store => store.watch(stop).await);
    }

    /// Closes every connection.
    pub async fn close(&self) {
        each!(self, store => store.close().await);
    }

    pub async fn health(&self) -> Health {
        each!(self, store => store.health().await)
    }

    /// Returns the state of the pool, for the admin pages and the metrics.
    pub fn snapshot(&self) -> serde_json::Value {
        each!(self, store => store.snapshot())
    }

    /// Runs a statement. Returns the number of changed rows.
    pub async fn run(&self, statement: BoundStatement) -> Result<u64, Error> {
        each!(self, store => store.run(statement).await)
    }

    /// Runs a statement. Returns its rows, up to `limit`.
    pub async fn rows(
        &self,
        statement: BoundStatement,
        limit: RowLimit,
    ) -> Result<Vec<Row>, Error> {
        each!(self, store => store.rows(statement, limit).await)
    }

    /// Returns the database's plan for a statement, one line a step. Does not run the statement.
    pub async fn plan(&self, statement: BoundStatement) -> Result<Vec<String>, Error> {
        let (keyword, column) = match self.dialect() {
            Dialect::Sqlite => ("EXPLAIN QUERY PLAN ", 3),
            Dialect::Postgres => ("EXPLAIN ", 0),
        };
        let text = format!("{keyword}{}", statement.text).into();
        let statement = BoundStatement { text, values: statement.values };
        let rows = self.rows(statement, RowLimit::ALL).await?;
        rows.iter().map(|row| row.at(column)).collect()
    }

    /// Begins a transaction that may write.
    pub async fn begin(&self) -> Result<OpenTransaction, Error> {
        Ok(match self {
            Self::Sqlite(store) => OpenTransaction::Sqlite(store.begin().await?),
            Self::Postgres(store) => OpenTransaction::Postgres(store.begin().await?),
        })
    }

    /// Passes an error on, after recording a fault of the database that it reports.
    pub fn record_fault(&self, error: Error) -> Error {
        each!(self, store => store.record_fault(error))
    }

    pub fn migrations(&self) -> &MigrationSet {
        each!(self, store => store.migrations())
    }

    /// Runs pending migrations, and returns their names.
    pub async fn migrate_now(&self) -> Result<Vec<&'static str>, Error> {
        each!(self, store => store.migrate_now().await)
    }

    /// Returns the migrations that have run.
    pub async fn applied(&self) -> Result<Vec<AppliedMigration>, Error> {
        each!(self, store => store.applied().await)
    }
}

impl OpenTransaction {
    pub async fn run(&mut self, statement: BoundStatement) -> Result<u64, Error> {
        each!(self, open => open.run(statement).await)
    }

    pub async fn rows(
        &mut self,
        statement: BoundStatement,
        limit: RowLimit,
    ) -> Result<Vec<Row>, Error> {
        each!(self, open => open.rows(statement, limit).await)
    }

    pub async fn commit(self) -> Result<(), Error> {
        each!(self, open => open.commit().await)
    }

    pub async fn rollback(self) -> Result<(), Error> {
        each!(self, open => open.rollback().await)
    }
}
