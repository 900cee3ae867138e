//! Records the last use of each key, at most once a minute and never while a request waits.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::key_table::{self, KeyRow};
use crate::db::Db;
use crate::stop_signal::Stop;

/// Minimum time between two updates of a key's row.
const WRITE_INTERVAL: TimeDelta = TimeDelta::seconds(60);

/// Maximum number of pending uses. Further ones are dropped, because the time is only a hint for people.
const MAX_PENDING: usize = 1024;

/// The id of a key and the time of its use.
type KeyUse = (String, DateTime<Utc>);

/// The queue of updates, and the database to write them to.
#[derive(Clone)]
pub(super) struct LastUsed {
    db: Db,
    sender: mpsc::Sender<KeyUse>,
    /// Taken by `run`.
    receiver: Arc<Mutex<Option<mpsc::Receiver<KeyUse>>>>,
}

impl LastUsed {
    pub fn new(db: Db) -> Self {
        let (sender, receiver) = mpsc::channel(MAX_PENDING);
        Self { db, sender, receiver: Arc::new(Mutex::new(Some(receiver))) }
    }

    /// Queues an update unless the row is recent.
    pub fn note(&self, row: &KeyRow, now: DateTime<Utc>) {
        if row.last_used_at.is_none_or(|last| now - last >= WRITE_INTERVAL) {
            // A full queue drops the update; the next request queues it again.
            let _ = self.sender.try_send((row.id.clone(), now));
        }
    }

    /// Writes queued updates until the service stops.
    pub async fn run(&self, stop: Stop) {
        let receiver = self.receiver.lock().take();
        let Some(mut receiver) = receiver else { return };
        // Concurrent requests read the same old time from the row: without this map each of them would
        // cause a write.
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
                tracing::debug!(%error, key_id = id, "Could not record the use of an API key");
            } else if written.len() < MAX_PENDING {
                written.insert(id, now);
            }
        }
    }
}
