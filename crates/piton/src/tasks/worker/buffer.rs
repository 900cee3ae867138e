//! [`Buffer`]: the tasks that are claimed and wait in memory for a free slot.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::tasks::brokers::records::ClaimedTask;

/// Claimed tasks in the order in which the broker returned them. Bounded by those who claim.
pub(super) struct Buffer {
    tasks: Mutex<Tasks>,
    /// Has a permit for each task that was pushed, and more after some were taken out.
    filled: Semaphore,
}

#[derive(Default)]
struct Tasks {
    queue: VecDeque<(Instant, ClaimedTask)>,
    /// The size of all messages.
    bytes: usize,
}

impl Buffer {
    pub fn new() -> Self {
        Self { tasks: Mutex::default(), filled: Semaphore::new(0) }
    }

    /// Adds tasks, and wakes as many runners.
    pub fn push(&self, claimed: Vec<ClaimedTask>) {
        let (now, count) = (Instant::now(), claimed.len());
        let mut tasks = self.tasks.lock();
        tasks.bytes += claimed.iter().map(|task| task.message.len()).sum::<usize>();
        tasks.queue.extend(claimed.into_iter().map(|task| (now, task)));
        drop(tasks);
        self.filled.add_permits(count);
    }

    /// Waits for the next task. Returns it with the number of those that are left, or `None` once the buffer is
    /// closed.
    pub async fn next(&self) -> Option<(ClaimedTask, usize)> {
        loop {
            // Cooperative: yields now and then, so that fast tasks do not occupy a thread.
            self.filled.acquire().await.ok()?.forget();
            let mut tasks = self.tasks.lock();
            if let Some((_, task)) = tasks.queue.pop_front() {
                tasks.bytes -= task.message.len();
                return Some((task, tasks.queue.len()));
            }
        }
    }

    /// Returns the number and the size of the tasks.
    pub fn size(&self) -> (usize, usize) {
        let tasks = self.tasks.lock();
        (tasks.queue.len(), tasks.bytes)
    }

    /// Returns the messages of the tasks.
    pub fn messages(&self) -> Vec<String> {
        self.tasks.lock().queue.iter().map(|(_, task)| task.message.clone()).collect()
    }

    /// Takes the tasks out that `is_chosen` chooses. They get the time for which they have waited.
    pub fn take_if(&self, is_chosen: impl Fn(&ClaimedTask, Duration) -> bool) -> Vec<ClaimedTask> {
        let mut tasks = self.tasks.lock();
        let queue = std::mem::take(&mut tasks.queue);
        let (taken, left): (VecDeque<_>, VecDeque<_>) =
            queue.into_iter().partition(|(since, task)| is_chosen(task, since.elapsed()));
        tasks.queue = left;
        tasks.bytes -= taken.iter().map(|(_, task)| task.message.len()).sum::<usize>();
        taken.into_iter().map(|(_, task)| task).collect()
    }

    /// Lets all runners end, and returns the tasks that have not started.
    pub fn close(&self) -> Vec<ClaimedTask> {
        self.filled.close();
        self.take_if(|_, _| true)
    }
}
