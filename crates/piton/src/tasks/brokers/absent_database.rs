//! The broker of a database that is not compiled in.

use super::super::clock::Clock;
use super::OpenBroker;
use crate::db::Db;

/// Returns nothing, because no `Db` is of this database.
pub(super) fn open(_: &Db, _: &Clock) -> Option<OpenBroker> {
    None
}
