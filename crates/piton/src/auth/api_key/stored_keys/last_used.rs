//! When a key was last used: written at most once a minute, and never while a request waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::mpsc;

use super::key_table::{self, KeyRow};
use crate::db::Db;
use crate::stop::Stop;

/// How exact it is.
const WRITE_INTERVAL: TimeDelta = TimeDelta::seconds(60);

/// More than these are not noted until there is room: it is no more than a hint for people.
const MAX_PENDING: usize = 1024;

/// The id of a key, and when it was used.
type KeyUse = (String, DateTime<Utc>);

#[derive(Clone)]
pub(super) struct LastUsed {
    db: Db,
    sender: mpsc::Sender<KeyUse>,
    /// Until `run` takes it.
    receiver: Arc<Mutex<Option<mpsc::Receiver<KeyUse>>>>,
}

impl LastUsed {
    pub fn new(db: Db) -> Self {
        let (sender, receiver) = mpsc::channel(MAX_PENDING);
        Self { db, sender, receiver: Arc::new(Mutex::new(Some(receiver))) }
    }

    /// Notes that a key was used, if that is news.
    pub fn note(&self, row: &KeyRow, now: DateTime<Utc>) {
        if row.last_used_at.is_none_or(|last| now - last >= WRITE_INTERVAL) {
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
            if written.get(&id).is_some_and(|last| now - *last < WRITE_INTERVAL) {
                continue;
            }
            if written.len() >= MAX_PENDING {
                written.retain(|_, last| now - *last < WRITE_INTERVAL);
            }
            if let Err(error) = key_table::note_use(&self.db, &id, now).await {
                tracing::debug!(%error, key_id = id, "Could not note that an API key was used");
            } else if written.len() < MAX_PENDING {
                written.insert(id, now);
            }
        }
    }
}
