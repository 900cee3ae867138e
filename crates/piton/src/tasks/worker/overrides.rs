//! [`Overrides`]: the limits of tasks that operators have changed while the worker runs.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use piton_celery::{RateLimit, TimeLimit};
use tokio::time::Instant;

/// Changed limits. Nothing is looked up until one is.
#[derive(Default)]
pub(super) struct Overrides {
    has_any: AtomicBool,
    time_limits: Mutex<HashMap<String, TimeLimit>>,
    rates: Mutex<HashMap<String, Rate>>,
}

/// The rate of one task.
struct Rate {
    limit: RateLimit,
    /// The time at which the next one may start.
    next: Instant,
    /// Tasks that were told to come later.
    postponed: u32,
}

impl Overrides {
    pub fn set_time_limit(&self, task: &str, limit: TimeLimit) {
        self.time_limits.lock().insert(task.to_owned(), limit);
        self.has_any.store(true, Ordering::Relaxed);
    }

    pub fn set_rate_limit(&self, task: &str, limit: Option<RateLimit>) {
        let mut rates = self.rates.lock();
        match limit {
            Some(limit) => {
                let rate = Rate { limit, next: Instant::now(), postponed: 0 };
                rates.insert(task.to_owned(), rate);
                self.has_any.store(true, Ordering::Relaxed);
            }
            None => drop(rates.remove(task)),
        }
    }

    pub fn time_limit(&self, task: &str) -> Option<TimeLimit> {
        let has_any = self.has_any.load(Ordering::Relaxed);
        has_any.then(|| self.time_limits.lock().get(task).copied()).flatten()
    }

    /// Returns the time after which a task of this name is to come again, or `None` if it may start now.
    pub fn postpone(&self, task: &str) -> Option<Duration> {
        if !self.has_any.load(Ordering::Relaxed) {
            return None;
        }
        let mut rates = self.rates.lock();
        let rate = rates.get_mut(task)?;
        let (now, interval) = (Instant::now(), rate.limit.interval());
        if now >= rate.next {
            // Those that were told to come later may have run in another process.
            let is_over = now >= rate.next + interval.saturating_mul(rate.postponed);
            rate.postponed = if is_over { 0 } else { rate.postponed.saturating_sub(1) };
            rate.next = now + interval;
            return None;
        }
        // One after the other, so that each may start when it comes again.
        rate.postponed = rate.postponed.saturating_add(1);
        Some(rate.next - now + interval.saturating_mul(rate.postponed - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn tasks_beyond_the_rate_come_again_one_after_the_other() {
        let overrides = Overrides::default();
        assert_eq!(overrides.postpone("a"), None);
        overrides.set_rate_limit("a", "2/s".parse().ok());
        let delays: Vec<_> =
            (0..4).map(|_| overrides.postpone("a").map(|it| it.as_millis())).collect();
        assert_eq!(delays, [None, Some(500), Some(1000), Some(1500)]);
        assert_eq!(overrides.postpone("b"), None);
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(overrides.postpone("a"), None);
        assert!(overrides.postpone("a").is_some());
        overrides.set_rate_limit("a", None);
        assert_eq!(overrides.postpone("a"), None);
    }
}
