//! [`TasksState`]: the state of the broker and its queues, for health, snapshot and log.

use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tracing::{info, warn};

use super::brokers::records::QueueStats;
use super::error::BrokerError;
use crate::part::Health;
use crate::secrets::redact_text;

/// The state of tasks in this process.
#[derive(Default)]
pub(super) struct TasksState(Mutex<Status>);

#[derive(Default)]
struct Status {
    /// The reason why the broker does not answer, while it does not.
    unavailable: Option<String>,
    queues: Vec<QueueStats>,
    /// The name of the registered worker, while there is one.
    worker: Option<String>,
    /// The reasons why loops are being restarted.
    restarting: Vec<String>,
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
    /// Records that the broker has answered. Logs the first time after it had not.
    pub fn record_available(&self) {
        if self.0.lock().unavailable.take().is_some() {
            info!("The broker of tasks is available again");
        }
    }

    /// Records that the broker has not answered. Logs only the first failure in a row.
    pub fn record_unavailable(&self, error: &BrokerError) {
        let why = chain(error);
        let is_new = self.0.lock().unavailable.replace(why.clone()).is_none();
        if is_new {
            warn!("The broker of tasks is not available, trying again until it is: {why}");
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
        let faults = status.unavailable.iter().chain(&status.restarting).cloned();
        let reasons: Vec<String> = faults.chain(too_old).collect();
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
        json!({
            "worker": status.worker,
            "queues": queues.collect::<Value>(),
            "unavailable": status.unavailable,
        })
    }
}

/// Returns an error and its causes, without secrets.
fn chain(error: &BrokerError) -> String {
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
        state.record_unavailable(&error);
        let Health::Degraded(why) = state.health(MINUTE) else { panic!("it is unavailable") };
        assert!(why.starts_with("claim: "), "{why}");
        assert_eq!(state.snapshot()["unavailable"], why);
        state.record_available();
        assert_eq!(state.health(MINUTE), Health::Up);
    }
}
