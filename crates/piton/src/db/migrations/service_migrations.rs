//! The migrations of a service on its database.

use parking_lot::Mutex;
use tracing::warn;

use super::compare::{AppliedMigration, MigrationComparison, compare};
use super::embedded::{MigrationFile, Migrations, files_for};
use crate::db::dialect::Dialect;
use crate::db::error::Error;
use crate::db::setting_enums::AcceptNewer;

/// The migrations of a service on its database, and the settings that apply to them.
pub(in crate::db) struct MigrationSet {
    files: Vec<MigrationFile>,
    lists: Vec<Migrations>,
    run_at_start: bool,
    accept_newer: AcceptNewer,
    newer: NewerMigrations,
}

impl MigrationSet {
    /// Selects the files of `lists` that are for `dialect`.
    ///
    /// # Errors
    /// [`Kind::Migration`](crate::db::Kind::Migration) if a name is not `NNNN_name.sql` or two
    /// files have one number.
    pub fn new(
        lists: Vec<Migrations>,
        dialect: Dialect,
        run_at_start: bool,
        accept_newer: AcceptNewer,
    ) -> Result<Self, Error> {
        let files = files_for(&lists, dialect)?;
        Ok(Self { files, lists, run_at_start, accept_newer, newer: NewerMigrations::default() })
    }

    /// Returns the files, in the order of their numbers.
    pub fn files(&self) -> &[MigrationFile] {
        &self.files
    }

    /// Returns the lists that the service registered.
    pub fn lists(&self) -> &[Migrations] {
        &self.lists
    }

    /// Returns whether the service runs pending migrations by itself.
    pub fn run_at_start(&self) -> bool {
        self.run_at_start
    }

    /// Compares the files with the migrations that have run.
    ///
    /// # Errors
    /// Those of [`compare`].
    pub fn compare(&self, applied: &[AppliedMigration]) -> Result<MigrationComparison<'_>, Error> {
        compare(&self.files, applied, self.accept_newer)
    }

    /// Compares as [`compare`](Self::compare) does, and records newer migrations for the health
    /// report.
    ///
    /// # Errors
    /// Those of [`compare`].
    pub fn compare_and_record(
        &self,
        applied: &[AppliedMigration],
    ) -> Result<MigrationComparison<'_>, Error> {
        let comparison = self.compare(applied)?;
        self.newer.record(comparison.newer.clone());
        Ok(comparison)
    }

    /// Returns the details that `/health` shows next to the state.
    pub fn details(&self) -> serde_json::Value {
        self.newer.details()
    }
}

/// The migrations that the database has run and the program does not have.
#[derive(Default)]
struct NewerMigrations(Mutex<Vec<String>>);

impl NewerMigrations {
    /// Stores newer migrations, and logs them once.
    fn record(&self, newer: Vec<String>) {
        let mut recorded = self.0.lock();
        if *recorded != newer && !newer.is_empty() {
            warn!(
                "The database has run migrations that are newer than this program, and are accepted: {}",
                newer.join(", ")
            );
        }
        *recorded = newer;
    }

    fn details(&self) -> serde_json::Value {
        let newer = self.0.lock();
        if newer.is_empty() {
            return serde_json::Value::Null;
        }
        serde_json::json!({ "newer_migrations": *newer })
    }
}
