//! Stands in where no database is built in: there are no tables.

use super::broker_error::BrokerError;
use crate::error::BoxError;

/// No fault.
#[derive(Clone, Copy, Debug)]
pub(in crate::tasks) enum TablesFault {}

impl BrokerError {
    /// Returns the error as one of [`Part::connect`](crate::part::Part::connect): waiting may always resolve it.
    pub(in crate::tasks) fn into_connect_error(self) -> BoxError {
        match self.tables {
            Some(fault) => match fault {},
            None => self.into(),
        }
    }
}
