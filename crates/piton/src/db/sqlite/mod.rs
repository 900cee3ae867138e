//! The database in a SQLite file.

mod connect;
mod database_file;
pub(super) mod error;
mod location;
mod migrate;
mod preflight;
pub(super) mod row;
mod statement;
pub(super) mod store;
pub(super) mod transaction;
mod watch;
mod write_queue;

/// Set if this build of piton supports SQLite.
pub(super) const IS_AVAILABLE: bool = true;
