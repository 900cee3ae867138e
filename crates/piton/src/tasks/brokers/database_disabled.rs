//! The broker in the database, in a build without one: tasks are in memory.

use std::future::{Ready, ready};

use super::super::clock::Clock;
use super::OpenBroker;
use crate::handle::Handle;
use crate::part::{Dependencies, Launch};
use crate::tasks::error::BrokerError;

/// The unit, because no transaction exists.
pub(in crate::tasks) type InTransactions = ();

pub(in crate::tasks) fn has((): &InTransactions) -> bool {
    false
}

pub(in crate::tasks) fn stores_tasks((): &InTransactions) -> bool {
    false
}

pub(in crate::tasks) fn add_dependency(_: &mut Dependencies) {}

pub(in crate::tasks) fn is_postgres(_: &Launch) -> bool {
    false
}

/// Does nothing, because commands refuse tasks in memory before.
pub(in crate::tasks) fn open_existing(
    _: &Handle,
    (): &InTransactions,
) -> Ready<Result<(), BrokerError>> {
    ready(Ok(()))
}

pub(super) fn open(_: &Launch, clock: &Clock) -> OpenBroker {
    tracing::warn!(
        "Tasks are in memory, and lost when the service stops: this build of piton has no database (features \
         `sqlite`, `postgres`)"
    );
    super::in_memory(clock)
}
