//! Turns sqlx's errors into this module's.

use super::error::{Error, FaultScope, Kind, RowsExceedBudget};
use super::{postgres, sqlite};
use crate::context::MemoryRefusal;

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if let sqlx::Error::Database(database) = &error {
            return of_database(&**database);
        }
        if let sqlx::Error::AnyDriverError(error) = &error
            && let Some(RowsExceedBudget(refusal)) = error.downcast_ref()
        {
            let kind = match refusal {
                MemoryRefusal::Full => Kind::Unavailable,
                MemoryRefusal::TooMuch(_) => Kind::Other,
            };
            return Self::new(kind, error.to_string());
        }
        let (kind, message) = match &error {
            sqlx::Error::RowNotFound => (Kind::NotFound, "no row was found"),
            sqlx::Error::PoolTimedOut => (Kind::Unavailable, "no connection was free in time"),
            sqlx::Error::PoolClosed => {
                (Kind::Unavailable, "the database is closed: the service is stopping")
            }
            sqlx::Error::WorkerCrashed | sqlx::Error::Io(_) | sqlx::Error::BeginFailed => {
                (Kind::Unavailable, "lost the connection to the database")
            }
            sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => {
                (Kind::Unavailable, "the connection to the database failed")
            }
            _ => (Kind::Other, "the database failed"),
        };
        let scope = match &error {
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => {
                FaultScope::Connection
            }
            _ => FaultScope::Statement,
        };
        Self::new(kind, message).with_scope(scope).with_source(error)
    }
}

/// Returns the error that a database itself reported.
pub(super) fn of_database(error: &dyn sqlx::error::DatabaseError) -> Error {
    let known = postgres::error::classify(error).or_else(|| sqlite::error::classify(error));
    known.unwrap_or_else(|| Error::new(Kind::Other, "the database failed"))
}
