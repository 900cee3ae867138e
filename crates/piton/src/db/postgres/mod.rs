//! The database on a PostgreSQL server.

pub(super) mod address;
mod connect;
#[cfg(feature = "tasks")]
pub(super) mod engine;
pub(super) mod error;
mod failover;
mod health;
#[cfg(feature = "tasks")]
pub(super) mod listener;
mod migrate;
#[cfg(feature = "tasks")]
mod open_existing;
mod pooled_connection;
pub(super) mod row;
pub(super) mod server_config;
mod server_state;
mod server_watch;
mod session_probe;
mod sqlstate_names;
mod statement;
pub(super) mod store;
pub(super) mod transaction;
#[cfg(feature = "tasks")]
mod transaction_query;
mod type_info;
mod values;

/// Set if this build of piton supports PostgreSQL.
pub(super) const IS_AVAILABLE: bool = true;
