//! Runs migrations, and records their marks.

use sqlx::migrate::Migrate;
use tracing::info;

use super::embedded::MigrationFile;
use super::error::failed;
use crate::db::error::Error;

/// The table in which sqlx records the migrations that have run.
const TABLE: &str = "_sqlx_migrations";

/// Creates the table of marks, for which sqlx's table has no column. It is created with the first
/// migration that has a mark, and read by programs older than that migration.
pub(in crate::db) const CREATE_MARKS: &str = "CREATE TABLE IF NOT EXISTS _piton_migrations \
     (version BIGINT PRIMARY KEY, backward_compatible BOOLEAN NOT NULL)";

/// Records the mark of one migration, `$1`.
pub(in crate::db) const RECORD_MARK: &str = "INSERT INTO _piton_migrations (version, backward_compatible) \
     VALUES ($1, TRUE) ON CONFLICT (version) DO UPDATE SET backward_compatible = TRUE";

/// Returns the versions of the files whose mark is to be recorded.
pub(in crate::db) fn marked<'a>(files: impl IntoIterator<Item = &'a MigrationFile>) -> Vec<i64> {
    files
        .into_iter()
        .filter(|file| file.backward_compatible)
        .map(|file| file.migration.version)
        .collect()
}

/// Runs the files in order, on a connection or in a transaction.
///
/// # Errors
/// The error of the first file that fails, with its name.
pub(in crate::db) async fn apply(
    to: &mut impl Migrate,
    files: &[MigrationFile],
) -> Result<(), Error> {
    to.ensure_migrations_table(TABLE).await.map_err(|error| failed(TABLE, error))?;
    for file in files {
        to.apply(TABLE, &file.migration).await.map_err(|error| failed(file.name, error))?;
    }
    Ok(())
}

/// Logs which migrations have run, and returns their names.
pub(in crate::db) fn log_applied(files: &[MigrationFile]) -> Vec<&'static str> {
    for file in files {
        info!(migration = file.name, "Ran migration {}", file.name);
    }
    files.iter().map(|file| file.name).collect()
}
