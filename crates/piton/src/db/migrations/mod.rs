//! The migrations of the schema, embedded in the program and run when it connects.
//!
//! Running them belongs to `connect`, not to a deploy script, so that no replica ever serves
//! requests on a schema it does not know. `piton::migrations!()` embeds the folder:
//!
//! ```text
//! migrations/
//!   0001_companies.sql            for every database
//!   0002_search.sqlite.sql        only where the database is SQLite
//!   0002_search.postgres.sql      ... and its counterpart
//! ```
//!
//! Migrations that have run are recorded in sqlx's own table, `_sqlx_migrations`, so that its
//! command line tool reads it too. Next to it, `_piton_migrations` records which migrations are
//! compatible with programs that do not have their file. All pending migrations run in one transaction: the
//! schema is either brought up to date, or left as it was.

pub(super) mod apply;
pub(super) mod compare;
pub(super) mod embedded;
pub(super) mod error;
pub(super) mod folder;
pub(super) mod service_migrations;
#[cfg(test)]
mod tests;
