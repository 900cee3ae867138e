//! SQLite in a build without the feature `sqlite`.

use std::path::Path;

use super::error::{Error, Kind};
use super::migrations::service_migrations::MigrationSet;
use super::settings::DbSettings;

/// Set if this build of piton supports SQLite.
pub(super) const IS_AVAILABLE: bool = false;

pub(super) mod error {
    use crate::db::error::Error;

    pub(in crate::db) fn classify(_: &dyn sqlx::error::DatabaseError) -> Option<Error> {
        None
    }
}

pub(super) mod row {
    pub(in crate::db) use crate::db::absent_backend::AbsentRow as SqliteRow;
}

pub(super) mod store {
    pub(in crate::db) use crate::db::absent_backend::Store;
}

pub(super) mod transaction {
    pub(in crate::db) use crate::db::absent_backend::AbsentTransaction as SqliteTransaction;
}

impl store::Store {
    /// Refuses settings that name no PostgreSQL server, which their check refuses already.
    pub fn new(_: &DbSettings, _: &str, _: &Path, _: MigrationSet) -> Result<Self, Error> {
        Err(Error::new(Kind::Other, "no database is named, and this build has no SQLite"))
    }
}
