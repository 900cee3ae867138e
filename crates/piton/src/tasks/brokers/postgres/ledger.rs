//! What the workers of this process have claimed, so that no claim is forgotten.
//!
//! A claim can happen on the server without its worker's knowledge: the connection is lost before the answer, or the
//! worker stops waiting for it. Such tasks would be running as long as the worker lives. So after a claim
//! whose outcome is not known, the tasks that the server lists as the worker's and the ledger does not are released.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::tasks::brokers::records::{ClaimedBatch, ClaimedTask, WorkerId};

/// Time for which a claim whose connection was lost may still happen on the server: longer than the timeout of a
/// statement.
const MAX_LATE_CLAIM: Duration = Duration::from_secs(10);

/// The claims of the workers of this process.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<HashMap<WorkerId, Claims>>);

#[derive(Debug, Default)]
struct Claims {
    keys: HashSet<i64>,
    /// The keys of them that are members of a group.
    grouped: HashSet<i64>,
    /// Set until when claims may be found on the server that are not in `keys`.
    uncertain_until: Option<Instant>,
}

/// A statement under way that claims. If it is dropped without an answer, its outcome is not known.
pub(super) struct ClaimGuard<'a> {
    ledger: &'a Ledger,
    worker: WorkerId,
    is_answered: bool,
}

/// Tasks that the worker has not received yet. If they are dropped, they are released.
pub(super) struct UnreceivedBatch {
    ledger: Arc<Ledger>,
    worker: WorkerId,
    pub batch: ClaimedBatch,
}

impl Ledger {
    /// Begins a claim.
    pub fn begin(&self, worker: WorkerId) -> ClaimGuard<'_> {
        self.0.lock().entry(worker).or_default();
        ClaimGuard { ledger: self, worker, is_answered: false }
    }

    /// Begins a batch of claims.
    pub fn batch(self: &Arc<Self>, worker: WorkerId) -> UnreceivedBatch {
        UnreceivedBatch { ledger: Arc::clone(self), worker, batch: ClaimedBatch::default() }
    }

    /// Removes keys that are settled.
    pub fn settled(&self, worker: WorkerId, keys: impl Iterator<Item = i64>) {
        self.change(worker, |claims| keys.for_each(|key| claims.remove(key)));
    }

    /// Returns whether one of the keys is a member of a group, or not known here.
    pub fn may_be_grouped(&self, worker: WorkerId, mut keys: impl Iterator<Item = i64>) -> bool {
        let workers = self.0.lock();
        let Some(claims) = workers.get(&worker) else { return true };
        keys.any(|key| claims.grouped.contains(&key) || !claims.keys.contains(&key))
    }

    /// Removes a worker.
    pub fn remove(&self, worker: WorkerId) {
        self.0.lock().remove(&worker);
    }

    /// Returns whether the server may list tasks as the worker's that are not in the ledger.
    pub fn is_uncertain(&self, worker: WorkerId) -> bool {
        self.0.lock().get(&worker).is_some_and(|claims| claims.uncertain_until.is_some())
    }

    /// Returns the keys that the worker has.
    pub fn keys(&self, worker: WorkerId) -> Vec<i64> {
        let workers = self.0.lock();
        workers.get(&worker).map_or_else(Vec::new, |claims| claims.keys.iter().copied().collect())
    }

    /// Records that tasks which are not in the ledger have been released, after `began`.
    pub fn reconciled(&self, worker: WorkerId, began: Instant) {
        self.change(worker, |claims| {
            claims.uncertain_until = claims.uncertain_until.filter(|until| *until > began);
        });
    }

    fn change(&self, worker: WorkerId, change: impl FnOnce(&mut Claims)) {
        if let Some(claims) = self.0.lock().get_mut(&worker) {
            change(claims);
        }
    }
}

impl Claims {
    fn remove(&mut self, key: i64) {
        self.keys.remove(&key);
        self.grouped.remove(&key);
    }

    fn be_uncertain_until(&mut self, until: Instant) {
        self.uncertain_until = self.uncertain_until.max(Some(until));
    }
}

impl ClaimGuard<'_> {
    /// Ends the claim with its tasks, and the keys of those that are members of a group.
    pub fn claimed(mut self, tasks: &[ClaimedTask], grouped: &[i64]) {
        self.is_answered = true;
        self.ledger.change(self.worker, |claims| {
            claims.keys.extend(tasks.iter().map(|task| task.key));
            claims.grouped.extend(grouped);
        });
    }
}

impl Drop for ClaimGuard<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            let until = Instant::now() + MAX_LATE_CLAIM;
            self.ledger.change(self.worker, |claims| claims.be_uncertain_until(until));
        }
    }
}

impl UnreceivedBatch {
    /// Gives the tasks to the worker.
    pub fn receive(mut self) -> ClaimedBatch {
        std::mem::take(&mut self.batch)
    }
}

impl Drop for UnreceivedBatch {
    fn drop(&mut self) {
        if self.batch.tasks.is_empty() {
            return;
        }
        self.ledger.change(self.worker, |claims| {
            self.batch.tasks.iter().for_each(|task| claims.remove(task.key));
            claims.be_uncertain_until(Instant::now());
        });
    }
}
