//! The database in a SQLite file.

mod connect;
mod database_file;
pub(super) mod error;
mod file_check;
mod file_watch;
#[cfg(feature = "tasks")]
pub(crate) mod internal;
mod location;
mod migrate;
#[cfg(feature = "tasks")]
mod open_existing;
pub(super) mod row;
mod statement;
pub(super) mod store;
pub(super) mod transaction;
mod write_queue;

/// Set if this build of piton supports SQLite.
pub(super) const IS_AVAILABLE: bool = true;
