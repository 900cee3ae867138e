//! Named keys, in the service's database.
//!
//! A key is `piton_<id>_<secret>`: the id finds the row, the secret's SHA-256 is compared with what is
//! there. The table is made by the room itself, in words that every database understands, and safely
//! however many replicas start at one time.

mod error;
mod key_table;
mod keys_command;
mod last_used;
mod lookup;
mod manage;
#[cfg(test)]
mod tests;

pub use error::{KeyError, KeyErrorKind};
pub use key_table::{KeyInfo, KeyState};
pub(super) use lookup::StoredKeys;
pub use manage::NewKey;
