//! [`Slot`]: a place in which one task at a time runs.

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::tasks::task_run::TaskRun;

/// A place for one running task. There are as many as `tasks.concurrency` says.
#[derive(Default)]
pub(super) struct Slot {
    running: Mutex<Option<Running>>,
    revoked: Notify,
}

/// A running task.
pub(super) struct Running {
    pub key: i64,
    pub run: TaskRun,
    pub message: String,
    pub started_at_ms: i64,
    /// Set if it must not be started again, even if it does not end.
    pub runs_at_most_once: bool,
    pub is_revoked: bool,
}

impl Slot {
    pub fn begin(&self, running: Running) {
        *self.running.lock() = Some(running);
    }

    /// Ends the task. Returns `None` if another has ended it before.
    pub fn end(&self) -> Option<Running> {
        self.running.lock().take()
    }

    /// Revokes the task if it is among `keys`.
    pub fn revoke(&self, keys: &[i64]) {
        let mut running = self.running.lock();
        if let Some(running) = running.as_mut().filter(|running| keys.contains(&running.key)) {
            running.is_revoked = true;
            self.revoked.notify_one();
        }
    }

    /// Revokes the task if its id is among `ids`.
    pub fn revoke_ids(&self, ids: &[&str]) {
        let mut running = self.running.lock();
        if let Some(running) = running.as_mut().filter(|running| ids.contains(&running.run.id())) {
            running.is_revoked = true;
            self.revoked.notify_one();
        }
    }

    /// Returns what `look` sees of the running task.
    pub fn look<T>(&self, look: impl FnOnce(&Running) -> T) -> Option<T> {
        self.running.lock().as_ref().map(look)
    }

    /// Waits until the task is revoked.
    pub async fn revoked(&self) {
        // The signal may be left from an earlier task that ended at the same moment.
        while !self.running.lock().as_ref().is_some_and(|running| running.is_revoked) {
            self.revoked.notified().await;
        }
    }

    /// Returns the progress that has not been stored yet.
    pub fn take_progress(&self) -> Option<(i64, String)> {
        let running = self.running.lock();
        let running = running.as_ref()?;
        Some((running.key, running.run.take_progress()?))
    }
}
