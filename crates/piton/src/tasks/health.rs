//! [`TasksState`]: the state of the broker and its queues, for health, snapshot and log.

use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use super::brokers::records::{OutboxStats, QueueStats};
use super::error::BrokerError;
use super::outbox_settings::OutboxSettings;
use crate::part::Health;
use crate::secrets::redact_text;

/// Number of consecutive failures from which on the broker counts as unavailable.
const MIN_FAILURES: u32 = 3;

/// Time of failures, if there are several, from which on it does, too.
const MIN_OUTAGE: Duration = Duration::from_secs(5);

/// The state of tasks in this process.
#[derive(Default)]
pub(super) struct TasksState(Mutex<Status>);

#[derive(Default)]
struct Status {
    /// The failures of the broker since it last answered.
    failures: Option<Failures>,
    queues: Vec<QueueStats>,
    /// The name of the registered worker, while there is one.
    worker: Option<String>,
    /// The reasons why loops are being restarted.
    restarting: Vec<String>,
    /// The reason why no task can be claimed although the broker answers.
    claim_fault: Option<String>,
    outbox: OutboxStatus,
}

/// The state of the outbox.
#[derive(Default)]
struct OutboxStatus {
    /// `None` if there is no outbox.
    stats: Option<OutboxStats>,
    /// The reason why it cannot be relayed.
    fault: Option<String>,
    /// The reasons why it degrades the health.
    complaints: Vec<String>,
}

/// Consecutive failures of the broker.
struct Failures {
    count: u32,
    first: Instant,
    /// The reason of the last one.
    why: String,
}

impl Failures {
    /// Returns whether the broker counts as unavailable: one lost connection among calls that succeed is no outage. A process
    /// that asks seldom needs fewer failures, over a longer time.
    fn is_outage(&self) -> bool {
        self.count >= MIN_FAILURES || (self.count > 1 && self.first.elapsed() >= MIN_OUTAGE)
    }
}

/// Degrades the health while a loop is being restarted, until it is dropped.
pub(super) struct Restarting<'a> {
    state: &'a TasksState,
    why: String,
}

impl Drop for Restarting<'_> {
    fn drop(&mut self) {
        let restarting = &mut self.state.0.lock().restarting;
        if let Some(at) = restarting.iter().position(|why| *why == self.why) {
            restarting.swap_remove(at);
        }
    }
}

impl TasksState {
    /// Records that the broker has answered. Logs the first time after an outage.
    pub fn record_available(&self) {
        let failures = self.0.lock().failures.take();
        if failures.is_some_and(|failures| failures.is_outage()) {
            info!("The broker of tasks is available again");
        }
    }

    /// Records that the broker has not answered. Logs once that it is unavailable.
    pub fn record_unavailable(&self, error: &BrokerError) {
        let why = chain(error);
        let mut status = self.0.lock();
        let new = || Failures { count: 0, first: Instant::now(), why: String::new() };
        let failures = status.failures.get_or_insert_with(new);
        let was_outage = failures.is_outage();
        failures.count = failures.count.saturating_add(1);
        failures.why.clone_from(&why);
        let is_outage = failures.is_outage();
        drop(status);
        if !is_outage {
            debug!("A call of the broker of tasks failed, and is made again: {why}");
        } else if !was_outage {
            warn!("The broker of tasks is not available, trying again until it is: {why}");
        }
    }

    /// Records why the broker refuses to let tasks be claimed, or that it does not. Logs each new reason.
    pub fn record_claim_fault(&self, fault: Option<&BrokerError>) {
        let fault = fault.map(chain);
        let mut status = self.0.lock();
        if status.claim_fault != fault {
            if let Some(why) = &fault {
                error!("No task can be claimed, trying again until it can: {why}");
            }
            status.claim_fault = fault;
        }
    }

    /// Records that a loop is being restarted, for as long as what is returned lives.
    pub fn record_restart(&self, why: String) -> Restarting<'_> {
        self.0.lock().restarting.push(why.clone());
        Restarting { state: self, why }
    }

    pub fn set_queues(&self, queues: Vec<QueueStats>) {
        self.0.lock().queues = queues;
    }

    /// Records the numbers of the outbox.
    pub fn set_outbox(&self, stats: OutboxStats, settings: &OutboxSettings, is_full: bool) {
        let outbox = &mut self.0.lock().outbox;
        outbox.complaints.clear();
        let age = stats.oldest_ms.and_then(|age| u64::try_from(age).ok()).unwrap_or_default();
        let age = Duration::from_millis(age);
        if !settings.max_age.is_zero() && age > settings.max_age {
            let why = outbox.fault.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            let seconds = age.as_secs();
            let text = format!("the oldest entry of the outbox has waited for {seconds} s{why}");
            outbox.complaints.push(text);
        }
        if is_full {
            outbox.complaints.push(settings.full());
        }
        if stats.refused > 0 {
            let count = stats.refused;
            let text = format!("Redis refused entries of the outbox: {count}; see `tasks outbox`");
            outbox.complaints.push(text);
        }
        outbox.stats = Some(stats);
    }

    /// Records why the outbox cannot be relayed, or that it can. Returns whether there was a fault before.
    pub fn set_outbox_fault(&self, fault: Option<String>) -> bool {
        std::mem::replace(&mut self.0.lock().outbox.fault, fault).is_some()
    }

    pub fn has_outbox_fault(&self) -> bool {
        self.0.lock().outbox.fault.is_some()
    }

    pub fn set_worker(&self, name: Option<&str>) {
        self.0.lock().worker = name.map(ToOwned::to_owned);
    }

    /// Returns the health: degraded while the broker is unavailable, while a loop is being restarted after a panic, and while
    /// a task waits for longer than `max_queue_age`, unless that is zero.
    pub fn health(&self, max_queue_age: Duration) -> Health {
        let status = self.0.lock();
        let old = |stats: &&QueueStats| {
            let age = Duration::from_millis(
                stats.oldest_ms.and_then(|age| u64::try_from(age).ok()).unwrap_or_default(),
            );
            // A queue that an operator has paused is expected to grow old.
            !max_queue_age.is_zero() && !stats.is_paused && age > max_queue_age
        };
        let too_old = status.queues.iter().filter(old).map(|stats| {
            let seconds = stats.oldest_ms.unwrap_or_default() / 1000;
            format!("the oldest task of the queue `{}` waits for {seconds} s", stats.queue)
        });
        let restarting = status.restarting.iter().cloned();
        let claim_fault =
            status.claim_fault.iter().map(|why| format!("no task can be claimed: {why}"));
        let reasons: Vec<String> = status
            .unavailable()
            .into_iter()
            .chain(claim_fault)
            .chain(restarting)
            .chain(status.outbox.complaints.iter().cloned())
            .chain(too_old)
            .collect();
        if reasons.is_empty() { Health::Up } else { Health::Degraded(reasons.join("; ")) }
    }

    /// Returns the entry in `/info`.
    pub fn snapshot(&self) -> Value {
        let status = self.0.lock();
        let queues = status.queues.iter().map(|stats| {
            json!({
                "queue": stats.queue,
                "queued": stats.queued,
                "scheduled": stats.scheduled,
                "running": stats.running,
                "oldest_ms": stats.oldest_ms,
                "is_paused": stats.is_paused,
            })
        });
        let mut snapshot = json!({
            "worker": status.worker,
            "queues": queues.collect::<Value>(),
            "unavailable": status.unavailable(),
        });
        if let Some(stats) = &status.outbox.stats {
            snapshot["outbox"] = json!({
                "waiting": stats.waiting,
                "oldest_ms": stats.oldest_ms,
                "refused": stats.refused,
                "fault": status.outbox.fault,
            });
        }
        snapshot
    }
}

impl Status {
    /// Returns the reason why the broker is unavailable, while it is.
    fn unavailable(&self) -> Option<String> {
        let failures = self.failures.as_ref().filter(|failures| failures.is_outage());
        failures.map(|failures| failures.why.clone())
    }
}

/// Returns an error and its causes, without secrets.
pub(super) fn chain(error: &BrokerError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    redact_text(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::error::Kind;

    const MINUTE: Duration = Duration::from_secs(60);

    fn queue(name: &str, oldest_ms: i64, is_paused: bool) -> QueueStats {
        let queue = name.to_owned();
        QueueStats { queue, oldest_ms: Some(oldest_ms), is_paused, ..QueueStats::default() }
    }

    #[test]
    fn a_task_that_waits_too_long_degrades_unless_its_queue_is_paused() {
        let state = TasksState::default();
        state.set_queues(vec![queue("old", 61_000, false), queue("paused", 90_000, true)]);
        let expected = "the oldest task of the queue `old` waits for 61 s".to_owned();
        assert_eq!(state.health(MINUTE), Health::Degraded(expected));
        assert_eq!(state.health(2 * MINUTE), Health::Up);
        assert_eq!(state.health(Duration::ZERO), Health::Up);
    }

    #[test]
    fn an_unavailable_broker_degrades_until_it_answers() {
        let state = TasksState::default();
        let error = BrokerError::new(Kind::Unavailable, "claim").caused_by(std::fmt::Error);
        (0..MIN_FAILURES).for_each(|_| state.record_unavailable(&error));
        let Health::Degraded(why) = state.health(MINUTE) else { panic!("it is unavailable") };
        assert!(why.starts_with("claim: "), "{why}");
        assert_eq!(state.snapshot()["unavailable"], why);
        state.record_available();
        assert_eq!(state.health(MINUTE), Health::Up);
    }

    #[test]
    fn failures_among_calls_that_succeed_do_not_degrade() {
        let state = TasksState::default();
        let error = BrokerError::new(Kind::Unavailable, "claim");
        for _ in 0..10 {
            (1..MIN_FAILURES).for_each(|_| state.record_unavailable(&error));
            assert_eq!(state.health(MINUTE), Health::Up);
            assert!(state.snapshot()["unavailable"].is_null());
            state.record_available();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn few_failures_degrade_if_nothing_succeeds_for_long() {
        let state = TasksState::default();
        let error = BrokerError::new(Kind::Unavailable, "claim");
        state.record_unavailable(&error);
        tokio::time::advance(MIN_OUTAGE).await;
        assert_eq!(state.health(MINUTE), Health::Up, "one failure is no outage, however long ago");
        state.record_unavailable(&error);
        assert_eq!(state.health(MINUTE), Health::Degraded("claim".to_owned()));
    }
}
