//! How one poll is: for the health answer, the snapshot and the log.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tracing::{info, warn};

use super::queues;
use crate::aws::Error;

/// What a poll is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Doing {
    /// Waits for its interval to end, or for the parts that its function takes.
    Waiting,
    /// Receives, or deals with messages.
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
        let why = error.to_string();
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

    pub fn kept(&self, error: Option<String>) {
        let mut now = self.now();
        now.kept += 1;
        now.last_error = error.or(now.last_error.take());
    }

    pub fn given_back(&self, messages: usize) {
        self.now().given_back += messages as u64;
    }

    /// Why the queue cannot be read, if it cannot.
    pub fn trouble(&self) -> Option<String> {
        self.now().trouble.clone()
    }

    pub fn snapshot(&self) -> Value {
        let now = self.now();
        json!({
            "queue": self.queue,
            "state": now.doing,
            "received": now.received,
            "deleted": now.deleted,
            "kept": now.kept,
            "given_back": now.given_back,
            "last_error": now.last_error,
            "last_poll": now.last_poll,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::Kind;

    #[test]
    fn a_queue_that_is_away_is_trouble_until_it_answers() {
        let state = State::new("https://sqs/1/q");
        assert_eq!(state.snapshot()["state"], "stopped");
        state.away(&Error::new(Kind::Unavailable, "no answer"));
        assert_eq!(state.trouble().as_deref(), Some("no answer"));
        assert_eq!(state.snapshot()["state"], "away");
        state.received(2);
        assert_eq!(state.trouble(), None);
        let snapshot = state.snapshot();
        assert_eq!((&snapshot["queue"], &snapshot["received"]), (&json!("q"), &json!(2)));
        assert_eq!(snapshot["last_error"], "no answer");
    }
}
