//! PostgreSQL in a build without the feature `postgres`.

use super::error::{Error, Kind};
use super::migrations::service_migrations::MigrationSet;
use super::settings::DbSettings;

/// Set if this build of piton supports PostgreSQL.
pub(super) const IS_AVAILABLE: bool = false;

pub(super) mod address {
    pub(in crate::db) mod keyword_value {
        /// Returns false, so that libpq's form is refused like any other unknown address.
        pub(in crate::db) fn is_keyword_value(_: &str) -> bool {
            false
        }
    }
}

pub(super) mod error {
    use crate::db::error::Error;

    pub(in crate::db) fn classify(_: &dyn sqlx::error::DatabaseError) -> Option<Error> {
        None
    }
}

pub(super) mod row {
    pub(in crate::db) use crate::db::absent_backend::AbsentRow as PgRow;
}

pub(super) mod server_config {
    use crate::db::address_fault::AddressFault;
    use crate::db::settings::DbSettings;

    /// Returns no faults, because the check of the settings refuses any server in this build.
    pub(in crate::db) fn faults(_: &DbSettings) -> Vec<(&'static str, AddressFault)> {
        Vec::new()
    }
}

pub(super) mod store {
    pub(in crate::db) use crate::db::absent_backend::Store;
}

pub(super) mod transaction {
    pub(in crate::db) use crate::db::absent_backend::AbsentTransaction as PostgresTransaction;
}

impl store::Store {
    /// Always fails. Not reached, because the settings check refuses a PostgreSQL server in this build.
    pub fn new(_: &DbSettings, _: &str, _: MigrationSet) -> Result<Self, Error> {
        Err(Error::new(Kind::Other, "this build of piton does not support PostgreSQL"))
    }
}
