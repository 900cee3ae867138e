//! [`PollState`]: the state of one poll, for health, snapshot and log.

use chrono::{DateTime, Utc};
use parking_lot::{Mutex, MutexGuard};
use serde_json::{Value, json};
use tracing::{info, warn};

use super::queue_urls::short_name;
use crate::aws::Error;
use crate::aws::error::shorten;
use crate::secrets::redact_text;

/// The current activity of a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum PollPhase {
    /// Waits for its interval to end, or for the parts that its handler needs.
    Waiting,
    /// Receives messages.
    Receiving,
    /// Handles messages.
    Working,
    /// The server or the queue is unavailable. The name in JSON is older than the term.
    #[serde(rename = "away")]
    Unavailable,
    /// The service is stopping, or has not started.
    Stopped,
}

/// The state of one poll.
pub(super) struct PollState {
    pub queue: String,
    status: Mutex<PollStatus>,
}

struct PollStatus {
    phase: PollPhase,
    received: u64,
    deleted: u64,
    kept: u64,
    given_back: u64,
    /// The reason why the queue cannot be read, while it cannot.
    unavailable: Option<String>,
    /// The part that the handler needs and that is not available, and why.
    waits_for: Option<String>,
    /// The error of the last message that failed, until one succeeds.
    failing: Option<String>,
    last_error: Option<String>,
    last_poll: Option<DateTime<Utc>>,
}

impl PollState {
    pub fn new(queue: &str) -> Self {
        let status = PollStatus {
            phase: PollPhase::Stopped,
            received: 0,
            deleted: 0,
            kept: 0,
            given_back: 0,
            unavailable: None,
            waits_for: None,
            failing: None,
            last_error: None,
            last_poll: None,
        };
        Self { queue: short_name(queue).to_owned(), status: Mutex::new(status) }
    }

    fn status(&self) -> MutexGuard<'_, PollStatus> {
        self.status.lock()
    }

    pub fn set_phase(&self, phase: PollPhase) {
        self.status().phase = phase;
    }

    /// Records the beginning of a receive call. An unavailable queue stays so until it responds.
    pub fn set_receiving(&self) {
        let mut now = self.status();
        if now.phase != PollPhase::Unavailable {
            now.phase = PollPhase::Receiving;
        }
    }

    /// Records the beginning of a delay. An unavailable queue stays so.
    pub fn set_waiting(&self) {
        let mut now = self.status();
        if now.phase != PollPhase::Unavailable {
            now.phase = PollPhase::Waiting;
        }
    }

    /// Records the part that the handler waits for; `None` if all are available again.
    pub fn set_waits_for(&self, part: Option<&str>) {
        let mut now = self.status();
        now.waits_for = part.map(presentable);
        if part.is_some() {
            now.phase = PollPhase::Waiting;
        }
    }

    /// Records received messages. Logs the first response after the queue was unavailable.
    pub fn record_received(&self, messages: usize) {
        let mut now = self.status();
        now.phase = PollPhase::Working;
        now.received += messages as u64;
        now.last_poll = Some(Utc::now());
        let was_unavailable = now.unavailable.take().is_some();
        drop(now);
        if was_unavailable {
            info!(queue = self.queue, "The SQS queue {} can be read again", self.queue);
        }
    }

    /// Records that the queue cannot be read. Logs only the first failure in a row, so that a server that is
    /// unavailable for an hour is one line.
    pub fn record_unavailable(&self, error: &Error) {
        let mut now = self.status();
        now.phase = PollPhase::Unavailable;
        let is_new = now.unavailable.is_none();
        let why = presentable(&error.to_string());
        now.last_error = Some(why.clone());
        now.unavailable = Some(why);
        drop(now);
        if is_new {
            warn!(
                queue = self.queue,
                "The SQS queue {} cannot be read, trying again until it can: {error}", self.queue
            );
        }
    }

    pub fn record_deleted(&self) {
        self.status().deleted += 1;
    }

    /// Records a message that was handled, even if it could not be deleted.
    pub fn record_success(&self) {
        self.status().failing = None;
    }

    /// Records a message that stays in the queue, and its error if there is one.
    pub fn record_kept(&self, error: Option<&str>) {
        let mut now = self.status();
        now.kept += 1;
        if let Some(error) = error.map(presentable) {
            now.last_error = Some(error.clone());
            now.failing = Some(error);
        }
    }

    pub fn record_given_back(&self, messages: usize) {
        self.status().given_back += messages as u64;
    }

    /// Returns the reason why the queue cannot be read, or why its last message failed.
    pub fn failure_reason(&self) -> Option<String> {
        let (now, queue) = (self.status(), &self.queue);
        let waits = |why| format!("the queue `{queue}` is not read: {why}");
        let failed = |why| format!("the last message of the queue `{queue}` failed: {why}");
        let waits = now.waits_for.as_ref().map(waits);
        waits.or_else(|| now.unavailable.clone()).or_else(|| now.failing.as_ref().map(failed))
    }

    /// Returns the poll's entry in `/health`.
    pub fn snapshot(&self) -> Value {
        let now = self.status();
        json!({
            "queue": self.queue,
            "state": now.phase,
            "received": now.received,
            "deleted": now.deleted,
            "kept": now.kept,
            "given_back": now.given_back,
            "waits_for": now.waits_for,
            "last_error": now.last_error,
            "last_poll": now.last_poll,
        })
    }
}

/// Returns a reason without secrets, at most 500 characters of it.
fn presentable(why: &str) -> String {
    shorten(&redact_text(why), 500)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::Kind;

    #[test]
    fn a_failed_message_is_the_failure_reason_until_one_succeeds() {
        let state = PollState::new("q");
        state.set_receiving();
        assert_eq!(state.snapshot()["state"], "receiving");
        state.record_received(2);
        state.record_kept(Some("no such customer"));
        state.record_kept(None);
        let reason = state.failure_reason().expect("a message failed");
        assert_eq!(reason, "the last message of the queue `q` failed: no such customer");
        state.record_success();
        assert_eq!(state.failure_reason(), None);
        assert_eq!(state.snapshot()["kept"], 2);
        assert_eq!(state.snapshot()["last_error"], "no such customer");
    }

    #[test]
    fn the_failure_reason_names_the_part_that_is_waited_for() {
        let state = PollState::new("q");
        state.set_waits_for(Some("`db` is down"));
        assert_eq!(
            state.failure_reason().as_deref(),
            Some("the queue `q` is not read: `db` is down")
        );
        let snapshot = state.snapshot();
        assert_eq!(
            (&snapshot["state"], &snapshot["waits_for"]),
            (&json!("waiting"), &json!("`db` is down"))
        );
        state.set_waits_for(None);
        assert_eq!(state.failure_reason(), None);
    }

    #[test]
    fn the_failure_reason_is_shortened_and_has_no_secrets() {
        let state = PollState::new("q");
        let long = "x".repeat(10_000);
        state.record_kept(Some(&format!("connect to postgres://me:hunter2@db/: {long}")));
        let shown = state.failure_reason().expect("a message failed");
        assert!(!shown.contains("hunter2") && shown.len() < 1000, "{shown}");
    }

    #[test]
    fn an_unavailable_queue_is_the_failure_reason_until_it_responds() {
        let state = PollState::new("https://sqs/1/q");
        assert_eq!(state.snapshot()["state"], "stopped");
        state.record_unavailable(&Error::new(Kind::Unavailable, "no answer"));
        assert_eq!(state.failure_reason().as_deref(), Some("no answer"));
        assert_eq!(state.snapshot()["state"], "away");
        state.set_receiving();
        assert_eq!(state.snapshot()["state"], "away", "until it responds");
        state.record_received(2);
        assert_eq!(state.failure_reason(), None);
        let snapshot = state.snapshot();
        assert_eq!((&snapshot["queue"], &snapshot["received"]), (&json!("q"), &json!(2)));
        assert_eq!(snapshot["last_error"], "no answer");
    }
}
