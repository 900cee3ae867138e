//! Parses every common form of the address of a PostgreSQL server: a URL, libpq's keyword/value
//! form, and an endpoint with or without a port. An address is understood as a whole or refused with
//! the fix; no part of it is silently ignored.
//!
//! Messages never repeat text that may be a part of a password: they name known parameters and
//! characters only.

mod escaping;
pub(super) mod host;
pub(in crate::db) mod keyword_value;
mod options;
pub(super) mod parameters;
pub(super) mod parse;
pub(super) mod server_address;
#[cfg(test)]
mod tests;
mod url;
