//! Errors of migrations.

use sqlx::migrate::MigrateError;

use crate::db::error::{Error, Kind};

/// Returns the error of a failed migration, with its name.
pub(super) fn failed(name: &str, error: MigrateError) -> Error {
    let error = match error {
        MigrateError::ExecuteMigration(error, _) | MigrateError::Execute(error) => {
            Error::from(error)
        }
        other => mismatch(other.to_string()),
    };
    let error = error.while_doing(format_args!("migration {name}"));
    // Not permanent, because a lock, a full disk or a stopping server may pass.
    if error.kind() == Kind::Unavailable {
        return error;
    }
    error.with_kind(Kind::Migration).permanent()
}

/// Creates the permanent error of migrations that do not match the database.
pub(in crate::db) fn mismatch(why: impl Into<String>) -> Error {
    Error::new(Kind::Migration, why).while_doing("migrations").permanent()
}
