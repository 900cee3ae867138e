//! Keys with names and scopes, stored in the service's database.
//!
//! A key is `piton_<id>_<secret>`: the id finds the row, and the SHA-256 of the secret is compared with
//! the stored one. The module creates its table itself, in SQL that every backend accepts, and safely
//! when several replicas start at the same time.

mod error;
mod key_format;
mod key_table;
mod keys_command;
mod last_used;
mod lookup;
mod manage;
#[cfg(test)]
mod tests;

pub use error::{KeyError, KeyErrorKind};
pub use key_table::{KeyInfo, KeyState};
pub(super) use lookup::Store;
pub use manage::NewKey;
