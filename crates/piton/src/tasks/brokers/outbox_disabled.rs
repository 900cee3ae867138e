//! Stands in for `outbox/` in a build without a database: nothing is sent in transactions.

use std::sync::Arc;

use super::OpenBroker;
use super::database::InTransactions;
use super::records::OutboxStats;
use super::redis::RedisBroker;
use crate::part::Launch;
use crate::tasks::clock::Clock;
use crate::tasks::health::TasksState;
use crate::tasks::metrics::TaskMetrics;
use crate::tasks::outbox_settings::OutboxSettings;

// Items that only the outbox uses. They are named here because they would be dead code otherwise.
const _: fn(&TasksState, OutboxStats, &OutboxSettings, bool) = TasksState::set_outbox;
const _: fn(&TasksState, Option<String>) -> bool = TasksState::set_outbox_fault;
const _: fn(&TasksState) -> bool = TasksState::has_outbox_fault;
const _: fn(&TaskMetrics, &OutboxStats) = TaskMetrics::set_outbox;

/// Returns the broker as it is.
pub(super) fn with_outbox(
    broker: RedisBroker,
    _: &OutboxSettings,
    _: &Launch,
    _: &Clock,
    _: &Arc<TasksState>,
    _: &TaskMetrics,
) -> OpenBroker {
    let broker = Arc::new(broker);
    OpenBroker { broker, in_transactions: InTransactions::default(), is_shared: true }
}
