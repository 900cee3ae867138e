//! Tells waiting workers that tasks may have become ready.
//!
//! In this process a counter of wake-ups is enough. Other processes are noticed by what they write to the file's
//! write-ahead log.

use std::collections::HashMap;
use std::path::PathBuf;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::log_watch::LogWatch;

/// Maximum number of lists of queues whose last look is remembered. A process has one, or few.
const MAX_LISTS: usize = 64;

/// Wakes the workers of this process.
pub(super) struct WakeSignal {
    wakes: watch::Sender<u64>,
    /// The number of wake-ups before the last look that found too little, by the queues looked at. What was enqueued
    /// between a look and the wait that follows is not missed then.
    looked: Mutex<HashMap<Vec<String>, u64>>,
    log: LogWatch,
}

impl WakeSignal {
    pub fn new(database: PathBuf) -> Self {
        Self {
            wakes: watch::Sender::new(0),
            looked: Mutex::default(),
            log: LogWatch::new(database),
        }
    }

    /// Wakes all that wait.
    pub fn notify(&self) {
        self.wakes.send_modify(|wakes| *wakes = wakes.wrapping_add(1));
    }

    /// Returns the number of wake-ups so far.
    pub fn count(&self) -> u64 {
        *self.wakes.borrow()
    }

    /// Begins to notice what becomes ready from now on. Returns the number of wake-ups so far.
    pub fn begin_look(&self) -> u64 {
        self.log.begin();
        self.count()
    }

    /// Records that a look, before which there had been so many wake-ups, found all that was ready.
    pub fn record_look(&self, queues: &[String], count: u64) {
        let mut looked = self.looked.lock();
        if let Some(last) = looked.get_mut(queues) {
            *last = count;
            return;
        }
        if looked.len() >= MAX_LISTS {
            looked.clear();
        }
        looked.insert(queues.to_vec(), count);
    }

    /// Waits until something may have become ready since the last look at these queues.
    pub async fn woken(&self, queues: &[String]) {
        let mut wakes = self.wakes.subscribe();
        let looked = self.looked.lock().get(queues).copied().unwrap_or_else(|| self.count());
        tokio::select! {
            // The sender lives as long as `self`, so that there is no error.
            _ = wakes.wait_for(|wakes| *wakes != looked) => {}
            () = self.log.changed() => self.notify(),
        }
    }
}
