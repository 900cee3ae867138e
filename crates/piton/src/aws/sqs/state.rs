//! How one poll is: for the health answer, the snapshot and the log.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tracing::{info, warn};

use super::queues;
use crate::aws::Error;
use crate::aws::error::shortened;
use crate::secrets::redact_text;

/// What a poll is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Doing {
    /// Waits for its interval to end, or for the parts that its function takes.
    Waiting,
    /// Asks the queue for messages.
    Receiving,
    /// Deals with messages.
    Working,
    /// The server or the queue is away.
    Away,
    /// The service stops, or has not started.
    Stopped,
}

/// How one poll is.
pub(super) struct State {
    pub queue: String,
    now: Mutex<Now>,
}

struct Now {
    doing: Doing,
    received: u64,
    deleted: u64,
    kept: u64,
    given_back: u64,
    /// Why the queue cannot be read, while it cannot.
    trouble: Option<String>,
    /// Which of the parts that the function takes is not there, and why.
    waits_for: Option<String>,
    /// Why the last message failed, until one succeeds.
    failing: Option<String>,
    last_error: Option<String>,
    last_poll: Option<DateTime<Utc>>,
}

impl State {
    pub fn new(queue: &str) -> Self {
        let now = Now {
            doing: Doing::Stopped,
            received: 0,
            deleted: 0,
            kept: 0,
            given_back: 0,
            trouble: None,
            waits_for: None,
            failing: None,
            last_error: None,
            last_poll: None,
        };
        Self { queue: queues::short(queue).to_owned(), now: Mutex::new(now) }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is(&self, doing: Doing) {
        self.now().doing = doing;
    }

    /// The queue is asked. One that was away stays so until it answers.
    pub fn receiving(&self) {
        let mut now = self.now();
        if now.doing != Doing::Away {
            now.doing = Doing::Receiving;
        }
    }

    /// The poll sleeps. One that is away stays so.
    pub fn waiting(&self) {
        let mut now = self.now();
        if now.doing != Doing::Away {
            now.doing = Doing::Waiting;
        }
    }

    /// The queue is not read, as the function could not be given all it takes; or it could again.
    pub fn waits_for(&self, part: Option<&str>) {
        let mut now = self.now();
        now.waits_for = part.map(shown);
        if part.is_some() {
            now.doing = Doing::Waiting;
        }
    }

    /// The queue answered. The first time after it did not, the log says so.
    pub fn received(&self, messages: usize) {
        let mut now = self.now();
        now.doing = Doing::Working;
        now.received += messages as u64;
        now.last_poll = Some(Utc::now());
        let was_away = now.trouble.take().is_some();
        drop(now);
        if was_away {
            info!(queue = self.queue, "The SQS queue {} can be read again", self.queue);
        }
    }

    /// The queue cannot be read. The log says it when the reason's kind is new: a server that stays
    /// away for an hour is one line.
    pub fn away(&self, error: &Error) {
        let mut now = self.now();
        now.doing = Doing::Away;
        let is_new = now.trouble.is_none();
        let why = shown(&error.to_string());
        now.last_error = Some(why.clone());
        now.trouble = Some(why);
        drop(now);
        if is_new {
            warn!(
                queue = self.queue,
                "The SQS queue {} cannot be read, trying again until it can: {error}", self.queue
            );
        }
    }

    pub fn deleted(&self) {
        self.now().deleted += 1;
    }

    /// A message was dealt with, even if it could not be deleted.
    pub fn succeeded(&self) {
        self.now().failing = None;
    }

    /// A message stays in the queue, because of an error if there is one.
    pub fn kept(&self, error: Option<&str>) {
        let mut now = self.now();
        now.kept += 1;
        if let Some(error) = error.map(shown) {
            now.last_error = Some(error.clone());
            now.failing = Some(error);
        }
    }

    pub fn given_back(&self, messages: usize) {
        self.now().given_back += messages as u64;
    }

    /// Why the queue cannot be read, or why its last message failed.
    pub fn trouble(&self) -> Option<String> {
        let (now, queue) = (self.now(), &self.queue);
        let waits = |why| format!("the queue `{queue}` is not read: {why}");
        let failed = |why| format!("the last message of the queue `{queue}` failed: {why}");
        let waits = now.waits_for.as_ref().map(waits);
        waits.or_else(|| now.trouble.clone()).or_else(|| now.failing.as_ref().map(failed))
    }

    /// What `/health` tells of the poll.
    pub fn snapshot(&self) -> Value {
        let now = self.now();
        json!({
            "queue": self.queue,
            "state": now.doing,
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

/// A reason as people may see it, and not more of it than an answer can bear.
fn shown(why: &str) -> String {
    shortened(&redact_text(why), 500)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::Kind;

    #[test]
    fn a_message_that_failed_is_trouble_until_one_succeeds() {
        let state = State::new("q");
        state.receiving();
        assert_eq!(state.snapshot()["state"], "receiving");
        state.received(2);
        state.kept(Some("no such customer"));
        state.kept(None);
        let trouble = state.trouble().expect("a message failed");
        assert_eq!(trouble, "the last message of the queue `q` failed: no such customer");
        state.succeeded();
        assert_eq!(state.trouble(), None);
        assert_eq!(state.snapshot()["kept"], 2);
        assert_eq!(state.snapshot()["last_error"], "no such customer");
    }

    #[test]
    fn a_poll_says_which_part_it_waits_for() {
        let state = State::new("q");
        state.waits_for(Some("`db` is down"));
        assert_eq!(state.trouble().as_deref(), Some("the queue `q` is not read: `db` is down"));
        let snapshot = state.snapshot();
        assert_eq!(
            (&snapshot["state"], &snapshot["waits_for"]),
            (&json!("waiting"), &json!("`db` is down"))
        );
        state.waits_for(None);
        assert_eq!(state.trouble(), None);
    }

    #[test]
    fn an_error_is_shown_without_secrets_and_not_in_all_its_length() {
        let state = State::new("q");
        let long = "x".repeat(10_000);
        state.kept(Some(&format!("connect to postgres://me:hunter2@db/: {long}")));
        let shown = state.trouble().expect("a message failed");
        assert!(!shown.contains("hunter2") && shown.len() < 1000, "{shown}");
    }

    #[test]
    fn a_queue_that_is_away_is_trouble_until_it_answers() {
        let state = State::new("https://sqs/1/q");
        assert_eq!(state.snapshot()["state"], "stopped");
        state.away(&Error::new(Kind::Unavailable, "no answer"));
        assert_eq!(state.trouble().as_deref(), Some("no answer"));
        assert_eq!(state.snapshot()["state"], "away");
        state.receiving();
        assert_eq!(state.snapshot()["state"], "away", "until it answers");
        state.received(2);
        assert_eq!(state.trouble(), None);
        let snapshot = state.snapshot();
        assert_eq!((&snapshot["queue"], &snapshot["received"]), (&json!("q"), &json!(2)));
        assert_eq!(snapshot["last_error"], "no answer");
    }
}
