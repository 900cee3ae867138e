//! [`OldestId`]: where the relay begins to look for entries.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// The time for which a transaction may stay open before its entries are found by complete looks only.
const MAX_TRANSACTION: Duration = Duration::from_secs(60);

/// The interval of complete looks.
const COMPLETE_INTERVAL: Duration = Duration::from_secs(30);

/// Interval of the ids that are remembered.
const STEP: Duration = Duration::from_secs(5);

/// Finds an id below which there are no entries.
///
/// PostgreSQL keeps the rows that were deleted in its index while any transaction may see them, such as a report of an hour,
/// and would read all of them at each look. A transaction that commits late has entries with lower ids than those that were
/// relayed, so only ids of a minute ago are passed over, and twice a minute none.
#[derive(Default)]
pub(super) struct OldestId {
    /// The greatest id relayed so far, at intervals.
    relayed: VecDeque<(Instant, i64)>,
    below: i64,
    last_complete: Option<Instant>,
}

impl OldestId {
    /// Returns the id after which to look for entries.
    pub fn after(&mut self, now: Instant) -> i64 {
        while let Some((_, id)) =
            self.relayed.pop_front_if(|(at, _)| now.duration_since(*at) >= MAX_TRANSACTION)
        {
            self.below = id;
        }
        self.below
    }

    /// Returns the id after which to measure: as [`after`](Self::after), and 0 when a complete look is due.
    pub fn measure_after(&mut self, now: Instant) -> i64 {
        let is_due = |last: Instant| now.duration_since(last) >= COMPLETE_INTERVAL;
        if self.last_complete.is_none_or(is_due) {
            self.last_complete = Some(now);
            return 0;
        }
        self.after(now)
    }

    /// Records the lowest id that a look has found.
    pub fn record_found(&mut self, id: i64) {
        self.below = self.below.min(id - 1);
    }

    /// Records the greatest id of a batch that was relayed.
    pub fn record_relayed(&mut self, now: Instant, id: i64) {
        match self.relayed.back_mut() {
            Some((at, last)) if now.duration_since(*at) < STEP => *last = id.max(*last),
            last => {
                let greatest = last.map_or(id, |(_, last)| id.max(*last));
                self.relayed.push_back((now, greatest));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn ids_of_a_minute_ago_are_passed_over_except_twice_a_minute() {
        let (start, mut oldest) = (Instant::now(), OldestId::default());
        assert_eq!(oldest.measure_after(start), 0);
        oldest.record_relayed(start, 500);
        oldest.record_relayed(start + seconds(10), 900);
        assert_eq!(oldest.after(start + seconds(59)), 0);
        assert_eq!(oldest.after(start + seconds(61)), 500);
        assert_eq!(oldest.measure_after(start + seconds(75)), 0, "a complete look");
        assert_eq!(oldest.measure_after(start + seconds(76)), 900);
        // A transaction that was open for longer than a minute has committed.
        oldest.record_found(300);
        assert_eq!(oldest.after(start + seconds(77)), 299);
    }

    #[test]
    fn what_is_remembered_does_not_grow_with_the_rate() {
        let (start, mut oldest) = (Instant::now(), OldestId::default());
        for id in 0..10_000 {
            let now = start + Duration::from_millis(id * 100);
            oldest.after(now);
            oldest.record_relayed(now, i64::try_from(id).unwrap());
        }
        assert!(oldest.relayed.len() < 20, "{}", oldest.relayed.len());
    }
}
