//! At most one log line a second, for events that may happen on every request.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Lets one log line a second pass and counts the events in between.
pub(crate) struct LogThrottle {
    started: Instant,
    /// The second of the last line, counted from `started`, plus one; 0 before the first line.
    last_second: AtomicU64,
    events: AtomicU64,
}

impl Default for LogThrottle {
    fn default() -> Self {
        Self { started: Instant::now(), last_second: AtomicU64::new(0), events: AtomicU64::new(0) }
    }
}

impl LogThrottle {
    /// Counts an event. Returns the number of events since the last line, including this one, if a
    /// line may be logged now; `None` if this second has had its line.
    pub fn pass(&self) -> Option<u64> {
        self.events.fetch_add(1, Ordering::Relaxed);
        let second = self.started.elapsed().as_secs() + 1;
        if self.last_second.swap(second, Ordering::Relaxed) == second {
            return None;
        }
        Some(self.events.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn one_line_a_second_passes_and_says_how_many_events_there_were() {
        let mut throttle = LogThrottle::default();
        assert_eq!(throttle.pass(), Some(1));
        assert_eq!(throttle.pass(), None);
        assert_eq!(throttle.pass(), None);
        throttle.started -= Duration::from_secs(1);
        assert_eq!(throttle.pass(), Some(3));
    }
}
