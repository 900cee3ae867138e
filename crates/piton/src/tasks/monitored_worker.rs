//! [`MonitoredWorker`]: a worker as Celery's remote control sees and changes it, and the events that it publishes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use piton_celery::{EventKind, RateLimit, TaskInfo, TimeLimit};
use tokio::sync::Notify;

use super::brokers::records::WorkerInfo;

/// Maximum number of events that wait to be published. Further ones are dropped.
const MAX_EVENTS: usize = 10_000;

/// A worker, as operators of other programs see and change it.
pub(super) trait MonitoredWorker: Send + Sync {
    fn info(&self) -> WorkerInfo;

    /// Returns the tasks that are running.
    fn active(&self) -> Vec<TaskInfo>;

    fn active_count(&self) -> u64;

    /// Returns the tasks that are claimed and wait for a free slot.
    fn reserved(&self) -> Vec<TaskInfo>;

    /// Returns the names of the tasks that it knows.
    fn registered(&self) -> Vec<String>;

    /// Returns how many runs of each task have started.
    fn totals(&self) -> BTreeMap<String, u64>;

    /// Ends those of its claimed tasks that have not started and have these ids.
    fn revoke_waiting(&self, ids: &[&str]);

    /// Cancels those of its running tasks that have these ids, at their next `await`.
    fn terminate(&self, ids: &[&str]);

    /// Replaces the limits of a task. Returns false if there is no such task.
    fn set_time_limit(&self, task: &str, limit: TimeLimit) -> bool;

    /// Replaces the maximum rate of a task in this process. Returns false if there is no such task.
    fn set_rate_limit(&self, task: &str, limit: Option<RateLimit>) -> bool;

    /// Begins to read a queue.
    fn add_queue(&self, queue: &str);

    /// Reads a queue no longer.
    fn remove_queue(&self, queue: &str);

    /// Stops the process, as SIGTERM does.
    fn shut_down(&self);

    fn events(&self) -> &TaskEvents;
}

/// The events of a worker's tasks, which wait to be published. None are recorded unless someone wants them.
#[derive(Default)]
pub(super) struct TaskEvents {
    is_enabled: AtomicBool,
    waiting: Mutex<Vec<RecordedEvent>>,
    recorded: Notify,
}

/// An event, and the time at which it happened in seconds since 1970.
pub(super) struct RecordedEvent {
    pub at_seconds: f64,
    pub kind: EventKind,
}

impl TaskEvents {
    pub fn is_enabled(&self) -> bool {
        self.is_enabled.load(Ordering::Relaxed)
    }

    /// Enables or disables events. Returns whether that changed anything.
    pub fn enable(&self, enabled: bool) -> bool {
        self.is_enabled.swap(enabled, Ordering::Relaxed) != enabled
    }

    /// Records an event, if events are enabled.
    pub fn record(&self, kind: impl FnOnce() -> EventKind) {
        if !self.is_enabled() {
            return;
        }
        let event = RecordedEvent { at_seconds: now_seconds(), kind: kind() };
        let mut waiting = self.waiting.lock();
        if waiting.len() < MAX_EVENTS {
            waiting.push(event);
            drop(waiting);
            self.recorded.notify_one();
        }
    }

    /// Waits for events, and takes them.
    pub async fn take(&self) -> Vec<RecordedEvent> {
        loop {
            let events = std::mem::take(&mut *self.waiting.lock());
            if !events.is_empty() {
                return events;
            }
            self.recorded.notified().await;
        }
    }
}

/// Returns the time in seconds since 1970.
pub(super) fn now_seconds() -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap_or_default().as_secs_f64()
}
