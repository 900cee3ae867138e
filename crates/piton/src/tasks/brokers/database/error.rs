//! Turns the database's errors into a broker's.

use crate::db;
use crate::tasks::error::{BrokerError, Kind, TablesFault};

/// A task's id is the only key that a caller chooses, so any other is a duplicate of it.
impl From<db::Error> for BrokerError {
    fn from(error: db::Error) -> Self {
        match error.kind() {
            // Unavailable, because the tables are created anew: another attempt may succeed.
            _ if error.is_table_missing() => {
                Self::new(Kind::Unavailable, "a table of the tasks is missing")
                    .with_tables_fault(TablesFault::Missing)
                    .caused_by(error)
            }
            db::Kind::Unavailable => {
                Self::new(Kind::Unavailable, "the database of the tasks is not available")
                    .caused_by(error)
            }
            db::Kind::Unique => duplicate().caused_by(error),
            _ => Self::new(Kind::Other, "the database of the tasks failed").caused_by(error),
        }
    }
}

/// Returns the error of a task whose id is stored already.
pub(in crate::tasks::brokers) fn duplicate() -> BrokerError {
    BrokerError::new(Kind::Duplicate, "a task with this id is stored already")
}

/// Returns the error of tables that another version of the program has made.
pub(in crate::tasks::brokers) fn other_version(version: i64, needed: i64) -> BrokerError {
    let text = format!(
        "the tables of the tasks have version {version}, and this program needs {needed}: deploy the version of the \
         service that made them, or a newer one"
    );
    BrokerError::new(Kind::Other, text).with_tables_fault(TablesFault::OtherVersion)
}
