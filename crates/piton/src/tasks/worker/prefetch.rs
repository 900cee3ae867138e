//! [`Prefetch`]: how many tasks a worker claims ahead of those that it can start.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The work that is claimed ahead, in time: enough to cover a call of the broker, and so little that slow tasks are
/// left to other workers.
const AHEAD: Duration = Duration::from_millis(50);

/// Maximum number of tasks that are claimed ahead.
const MAX_AHEAD: u64 = 1000;

/// The mean duration of the last tasks, from which the number follows.
#[derive(Default)]
pub(super) struct Prefetch {
    /// 0 before the first task has ended.
    mean_nanos: AtomicU64,
}

impl Prefetch {
    /// Notes the duration of a task.
    pub fn observe(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).max(1);
        // Two threads may overwrite each other's sample, which is as good as one of both.
        let mean = match self.mean_nanos.load(Ordering::Relaxed) {
            0 => nanos,
            mean => mean - mean / 8 + nanos / 8,
        };
        self.mean_nanos.store(mean.max(1), Ordering::Relaxed);
    }

    /// Forgets all durations, so that nothing is claimed ahead until the next task has ended.
    pub fn reset(&self) {
        self.mean_nanos.store(0, Ordering::Relaxed);
    }

    /// Returns the number of tasks that `concurrency` slots run in the time claimed ahead; 0 if a slot does not end
    /// even one in it, or if no duration is known.
    pub fn target(&self, concurrency: usize) -> usize {
        let mean = self.mean_nanos.load(Ordering::Relaxed);
        let ahead = u64::try_from(AHEAD.as_nanos()).unwrap_or(u64::MAX);
        if mean == 0 || mean > ahead {
            return 0;
        }
        let tasks = (ahead / mean).saturating_mul(concurrency as u64);
        usize::try_from(tasks.min(MAX_AHEAD)).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(durations: &[Duration]) -> usize {
        let prefetch = Prefetch::default();
        durations.iter().for_each(|duration| prefetch.observe(*duration));
        prefetch.target(10)
    }

    #[test]
    fn slow_tasks_are_not_claimed_ahead() {
        assert_eq!(after(&[]), 0);
        assert_eq!(after(&[Duration::from_secs(1)]), 0);
    }

    #[test]
    fn fast_tasks_are_claimed_ahead_up_to_a_maximum() {
        assert_eq!(after(&[Duration::from_millis(5)]), 100);
        assert_eq!(after(&[Duration::from_micros(1)]), 1000);
        assert_eq!(after(&[Duration::ZERO]), 1000);
    }

    #[test]
    fn tasks_that_become_slow_end_the_prefetch_within_a_few() {
        let fast = [Duration::from_micros(10); 100];
        let slow = [Duration::from_secs(1)];
        assert_eq!(after(&[&fast[..], &slow[..]].concat()), 0);
    }
}
