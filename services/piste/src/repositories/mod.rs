//! The SQL statements, one file per table.

pub mod messages;
pub mod users;
