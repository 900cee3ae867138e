//! [`Pending`]: the settlements that the broker has not confirmed.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::tasks::brokers::records::{Outcome, Settlement};

/// Maximum number of settlements in one call of the broker.
const MAX_BATCH: usize = 1000;

/// The number and the size of settlements beyond which nothing more is claimed.
const MAX_PENDING: usize = 5000;
const MAX_PENDING_BYTES: usize = 32 << 20;

/// A queue of settlements: while a call of the broker is under way, further ones gather for the next.
#[derive(Default)]
pub(super) struct Pending {
    queue: Mutex<Queue>,
    filled: Notify,
    confirmed: Notify,
}

#[derive(Default)]
struct Queue {
    settlements: VecDeque<Settlement>,
    bytes: usize,
    in_flight: usize,
}

impl Pending {
    pub fn push(&self, settlement: Settlement) {
        let mut queue = self.queue.lock();
        queue.bytes += size(&settlement);
        queue.settlements.push_back(settlement);
        let is_first = queue.settlements.len() == 1;
        drop(queue);
        if is_first {
            self.filled.notify_one();
        }
    }

    /// Waits for settlements, and takes a batch of them. It counts as pending until it is
    /// [confirmed](Self::confirm).
    pub async fn next_batch(&self) -> Vec<Settlement> {
        loop {
            let batch = self.take_batch();
            if !batch.is_empty() {
                return batch;
            }
            self.filled.notified().await;
        }
    }

    fn take_batch(&self) -> Vec<Settlement> {
        let mut queue = self.queue.lock();
        let count = queue.settlements.len().min(MAX_BATCH);
        let batch: Vec<_> = queue.settlements.drain(..count).collect();
        queue.bytes -= batch.iter().map(size).sum::<usize>();
        queue.in_flight += count;
        batch
    }

    /// Notes that the broker has confirmed as many settlements.
    pub fn confirm(&self, count: usize) {
        self.queue.lock().in_flight -= count;
        self.confirmed.notify_one();
    }

    /// Returns whether so much is pending that nothing more should be claimed.
    pub fn is_full(&self) -> bool {
        let queue = self.queue.lock();
        queue.settlements.len() + queue.in_flight >= MAX_PENDING || queue.bytes >= MAX_PENDING_BYTES
    }

    fn is_empty(&self) -> bool {
        let queue = self.queue.lock();
        queue.settlements.is_empty() && queue.in_flight == 0
    }

    /// Waits until all settlements are confirmed.
    pub async fn flushed(&self) {
        while !self.is_empty() {
            self.confirmed.notified().await;
        }
    }
}

fn size(settlement: &Settlement) -> usize {
    let own = match &settlement.outcome {
        Outcome::Finished(Some(finished)) => {
            finished.result.len() + finished.traceback.as_ref().map_or(0, String::len)
        }
        Outcome::Rescheduled { error, .. } => error.as_ref().map_or(0, String::len),
        Outcome::Finished(None) | Outcome::Released => 0,
    };
    own + settlement.follow_ups.iter().map(|task| task.message.len()).sum::<usize>()
}
