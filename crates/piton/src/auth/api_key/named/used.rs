//! When a key was last used: written at most once a minute, and never while a request waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::mpsc;

use super::store::{self, Row};
use crate::db::Db;
use crate::stop::Stop;

/// How exact it is.
const STEP: TimeDelta = TimeDelta::seconds(60);

/// More than these are not noted until there is room: it is no more than a hint for people.
const MOST: usize = 1024;

/// The id of a key, and when it was used.
type Use = (String, DateTime<Utc>);

#[derive(Clone)]
pub(super) struct Used {
    db: Db,
    sender: mpsc::Sender<Use>,
    /// Until `run` takes it.
    receiver: Arc<Mutex<Option<mpsc::Receiver<Use>>>>,
}

impl Used {
    pub fn new(db: Db) -> Self {
        let (sender, receiver) = mpsc::channel(MOST);
        Self { db, sender, receiver: Arc::new(Mutex::new(Some(receiver))) }
    }

    /// Notes that a key was used, if that is news.
    pub fn note(&self, row: &Row, now: DateTime<Utc>) {
        if row.last_used_at.is_none_or(|last| now - last >= STEP) {
            // Where there is no room, the next request says it.
            let _ = self.sender.try_send((row.id.clone(), now));
        }
    }

    /// Writes what is noted.
    pub async fn run(&self, stop: Stop) {
        let receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut receiver) = receiver else { return };
        // Many requests at once find the same old time in the row.
        let mut written: HashMap<String, DateTime<Utc>> = HashMap::new();
        loop {
            let (id, now) = tokio::select! {
                Some(next) = receiver.recv() => next,
                () = stop.stopped() => return,
            };
            if written.get(&id).is_some_and(|last| now - *last < STEP) {
                continue;
            }
            if written.len() >= MOST {
                written.retain(|_, last| now - *last < STEP);
            }
            if let Err(error) = store::note_use(&self.db, &id, now).await {
                tracing::debug!(%error, key_id = id, "Could not note that an API key was used");
            } else if written.len() < MOST {
                written.insert(id, now);
            }
        }
    }
}
