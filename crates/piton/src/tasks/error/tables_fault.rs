//! The faults of tables that the engine itself acts on.

use super::broker_error::BrokerError;
use crate::error::BoxError;
use crate::part::Permanent;

/// A fault of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tasks) enum TablesFault {
    /// They are those of another version of the program.
    OtherVersion,
    /// One of them does not exist any more.
    Missing,
}

impl BrokerError {
    pub(in crate::tasks) fn with_tables_fault(self, fault: TablesFault) -> Self {
        Self { tables: Some(fault), ..self }
    }

    /// Returns whether a table of the tasks is missing.
    pub(in crate::tasks) fn lacks_tables(&self) -> bool {
        self.tables == Some(TablesFault::Missing)
    }

    /// Returns the error as one of [`Part::connect`](crate::part::Part::connect): permanent if waiting cannot resolve it.
    pub(in crate::tasks) fn into_connect_error(self) -> BoxError {
        match self.tables {
            Some(TablesFault::OtherVersion) => Permanent::new(self).into(),
            Some(TablesFault::Missing) | None => self.into(),
        }
    }
}
