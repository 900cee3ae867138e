//! A database that is not compiled in.
//!
//! Its types have no values, so that code which names both databases compiles without feature gates,
//! and the compiler knows that the arms of this one are never reached.

#[cfg(feature = "tasks")]
mod open_existing;

use super::backend_row::RawRow;
use super::bounded_rows::RowLimit;
use super::error::Error;
use super::migrations::compare::AppliedMigration;
use super::migrations::service_migrations::MigrationSet;
use super::row::Row;
use super::sql_builder::BoundStatement;
use super::value::{Value, ValueError};
use crate::part::Health;
use crate::stop_signal::Stop;

/// The store of a database that is not compiled in.
pub(super) enum Store {}

/// A transaction of a database that is not compiled in.
pub(super) enum AbsentTransaction {}

/// A row of a database that is not compiled in.
pub(super) enum AbsentRow {}

impl Store {
    pub async fn connect(&self) -> Result<(), Error> {
        match *self {}
    }

    pub async fn watch(&self, _: Stop) {
        match *self {}
    }

    pub async fn close(&self) {
        match *self {}
    }

    pub async fn health(&self) -> Health {
        match *self {}
    }

    pub fn snapshot(&self) -> serde_json::Value {
        match *self {}
    }

    pub async fn run(&self, _: BoundStatement) -> Result<u64, Error> {
        match *self {}
    }

    pub async fn rows(&self, _: BoundStatement, _: RowLimit) -> Result<Vec<Row>, Error> {
        match *self {}
    }

    pub async fn begin(&self) -> Result<AbsentTransaction, Error> {
        match *self {}
    }

    pub fn record_fault(&self, _: Error) -> Error {
        match *self {}
    }

    pub fn migrations(&self) -> &MigrationSet {
        match *self {}
    }

    pub async fn migrate_now(&self) -> Result<Vec<&'static str>, Error> {
        match *self {}
    }

    pub async fn applied(&self) -> Result<Vec<AppliedMigration>, Error> {
        match *self {}
    }
}

impl AbsentTransaction {
    pub async fn run(&mut self, _: BoundStatement) -> Result<u64, Error> {
        match *self {}
    }

    pub async fn rows(&mut self, _: BoundStatement, _: RowLimit) -> Result<Vec<Row>, Error> {
        match *self {}
    }

    pub async fn commit(self) -> Result<(), Error> {
        match self {}
    }

    pub async fn rollback(self) -> Result<(), Error> {
        match self {}
    }
}

impl RawRow for AbsentRow {
    fn names(&self) -> Vec<&str> {
        match *self {}
    }

    fn column_count(&self) -> usize {
        match *self {}
    }

    fn index_of(&self, _: &str) -> Option<usize> {
        match *self {}
    }

    fn value(&self, _: usize) -> Result<Value, ValueError> {
        match *self {}
    }

    fn size(&self, _: usize) -> usize {
        match *self {}
    }
}
