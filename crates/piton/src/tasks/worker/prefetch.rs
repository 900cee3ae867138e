//! [`Prefetch`]: how many tasks a worker claims ahead of those that it can start.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// The time whose work is claimed ahead, and over which that work is measured: enough to cover a call of the broker, and
/// so little that slow tasks are left to other workers.
const AHEAD: Duration = Duration::from_millis(50);

/// Maximum number of tasks that are claimed ahead.
const MAX_AHEAD: usize = 1000;

/// The rate at which a worker ends tasks, from which the number follows. It is the rate and not the duration of the
/// last tasks, because a few fast ones, such as those of a schedule, say nothing about the slow ones next to them.
#[derive(Default)]
pub(super) struct Prefetch {
    /// Number of tasks that have ended since the window began.
    ended: AtomicUsize,
    window: Mutex<Option<Window>>,
}

struct Window {
    began: Instant,
    target: usize,
}

impl Prefetch {
    /// Counts a task that has ended.
    pub fn count_ended(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    /// Forgets the rate, so that nothing is claimed ahead until it is measured again.
    pub fn reset(&self) {
        self.ended.store(0, Ordering::Relaxed);
        *self.window.lock() = None;
    }

    /// Returns the number of tasks to claim ahead: as many as end in [`AHEAD`] at the rate of the last window; 0 during the
    /// first.
    pub fn target(&self) -> usize {
        let now = Instant::now();
        let mut window = self.window.lock();
        let window = window.get_or_insert(Window { began: now, target: 0 });
        let elapsed = now.duration_since(window.began);
        if elapsed >= AHEAD {
            let ended = self.ended.swap(0, Ordering::Relaxed) as f64;
            let per_window = ended * AHEAD.as_secs_f64() / elapsed.as_secs_f64();
            *window = Window { began: now, target: (per_window as usize).min(MAX_AHEAD) };
        }
        window.target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs so many tasks in as many windows, and returns the number to claim ahead after the last one.
    async fn after(windows: &[usize]) -> usize {
        let prefetch = Prefetch::default();
        let mut target = prefetch.target();
        for tasks in windows {
            (0..*tasks).for_each(|_| prefetch.count_ended());
            tokio::time::advance(AHEAD).await;
            target = prefetch.target();
        }
        target
    }

    #[tokio::test(start_paused = true)]
    async fn as_many_are_claimed_ahead_as_have_ended_in_that_time_up_to_a_maximum() {
        assert_eq!(after(&[]).await, 0);
        assert_eq!(after(&[100]).await, 100);
        assert_eq!(after(&[100, 20]).await, 20);
        assert_eq!(after(&[5000]).await, 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_tasks_are_not_claimed_ahead_after_fast_ones() {
        assert_eq!(after(&[1000, 0]).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_time_without_a_measurement_is_one_window() {
        let prefetch = Prefetch::default();
        assert_eq!(prefetch.target(), 0);
        (0..100).for_each(|_| prefetch.count_ended());
        tokio::time::advance(10 * AHEAD).await;
        assert_eq!(prefetch.target(), 10);
        tokio::time::advance(AHEAD / 2).await;
        assert_eq!(prefetch.target(), 10, "the window has not ended");
        prefetch.reset();
        assert_eq!(prefetch.target(), 0);
    }
}
