//! Stands in for `outbox/` in a build without a database: nothing is sent in transactions.

use std::sync::Arc;

use super::OpenBroker;
use super::database::InTransactions;
use super::redis::RedisBroker;
use crate::part::Launch;
use crate::tasks::clock::Clock;
use crate::tasks::health::TasksState;
use crate::tasks::metrics::TaskMetrics;
use crate::tasks::outbox_settings::OutboxSettings;

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
