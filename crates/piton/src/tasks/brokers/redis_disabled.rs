//! Stands in for `redis/` in a build without the feature `redis`.

use std::sync::Arc;

use super::super::clock::Clock;
use super::super::health::TasksState;
use super::super::metrics::TaskMetrics;
use super::super::settings::TasksSettings;
use super::super::task::Task;
use super::OpenBroker;
use super::records::OutboxStats;
use crate::part::{Launch, Problem};
use crate::redis_client::RedisUrl;
use crate::tasks::monitored_worker::{MonitoredWorker, RecordedEvent, TaskEvents};
use crate::tasks::outbox_settings::OutboxSettings;
use crate::tasks::redis_settings::RedisTasksSettings;

// Items that only Redis uses. They are named here because they would be dead code otherwise.
const _: [fn(&RedisUrl) -> bool; 2] = [RedisUrl::is_socket, RedisUrl::is_tls];
const _: fn(&RedisUrl) -> &str = RedisUrl::expose;
const _: fn(&RedisTasksSettings) -> bool = RedisTasksSettings::shares_results;
const _: fn(&TaskEvents, RecordedEvent) = |events, RecordedEvent { at_seconds, kind }| {
    drop((events.enable(true), events.take(), at_seconds, kind));
};
const _: fn(&TasksState, OutboxStats, &OutboxSettings, bool) = TasksState::set_outbox;
const _: fn(&TasksState, Option<String>) -> bool = TasksState::set_outbox_fault;
const _: fn(&TasksState) -> bool = TasksState::has_outbox_fault;
const _: fn(&TaskMetrics, &OutboxStats) = TaskMetrics::set_outbox;
const _: fn(&dyn MonitoredWorker) = |worker| {
    drop((worker.info(), worker.active(), worker.active_count(), worker.reserved()));
    drop((worker.registered(), worker.totals(), worker.events()));
    let _ = worker.set_time_limit("", Default::default()) || worker.set_rate_limit("", None);
    worker.revoke_waiting(&[]);
    worker.terminate(&[]);
    worker.add_queue("");
    worker.remove_queue("");
    worker.shut_down();
};

/// Refuses the broker: this build has no Redis.
///
/// # Errors
/// Always. The check of the settings has refused the broker before.
pub(super) fn open(
    _: &TasksSettings,
    _: &[Task],
    _: &Launch,
    _: &Clock,
    _: &Arc<TasksState>,
    _: &TaskMetrics,
) -> Result<OpenBroker, Box<Problem>> {
    let why = "this build of piton does not support Redis";
    Err(Box::new(Problem::new("tasks.broker", why, "enable the feature `redis` of piton")))
}
