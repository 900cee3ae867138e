//! The statements, a file a table.

pub mod messages;
pub mod users;
