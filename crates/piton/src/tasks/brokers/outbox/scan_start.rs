//! [`ScanStart`]: the id from which the relay looks for entries.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// The age of a transaction beyond which its entries are found by full scans only.
const MAX_TRANSACTION_AGE: Duration = Duration::from_secs(60);

const FULL_SCAN_INTERVAL: Duration = Duration::from_secs(30);

/// The interval in which a further id is remembered.
const RECORD_INTERVAL: Duration = Duration::from_secs(5);

/// Finds an id below which there are no entries.
///
/// PostgreSQL keeps the rows that were deleted in its index while any transaction may see them, such as a report of an hour,
/// and would read all of them at each look. A transaction that commits late has entries with lower ids than those that were
/// relayed, so only ids of a minute ago are skipped, and twice a minute none.
#[derive(Default)]
pub(super) struct ScanStart {
    /// The greatest id relayed so far, at intervals.
    relayed: VecDeque<(Instant, i64)>,
    skipped: i64,
    last_full_scan: Option<Instant>,
}

impl ScanStart {
    /// Returns the id after which to look for entries.
    pub fn after(&mut self, now: Instant) -> i64 {
        while let Some((_, id)) =
            self.relayed.pop_front_if(|(at, _)| now.duration_since(*at) >= MAX_TRANSACTION_AGE)
        {
            self.skipped = id;
        }
        self.skipped
    }

    /// Returns the id after which to measure: as [`after`](Self::after), and 0 when a full scan is due.
    pub fn measure_after(&mut self, now: Instant) -> i64 {
        let is_due = |last: Instant| now.duration_since(last) >= FULL_SCAN_INTERVAL;
        if self.last_full_scan.is_none_or(is_due) {
            self.last_full_scan = Some(now);
            return 0;
        }
        self.after(now)
    }

    /// Records the lowest id that a measurement has found.
    pub fn record_found(&mut self, now: Instant, id: i64) {
        self.skipped = self.skipped.min(id - 1);
        // Otherwise it would be skipped again while it waits.
        self.relayed.retain(|(_, relayed)| *relayed < id);
        // Another process has relayed what is below.
        self.record_relayed(now, id - 1);
    }

    /// Records the greatest id of a batch that was relayed.
    pub fn record_relayed(&mut self, now: Instant, id: i64) {
        match self.relayed.back_mut() {
            Some((at, last)) if now.duration_since(*at) < RECORD_INTERVAL => *last = id.max(*last),
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
    fn ids_of_a_minute_ago_are_skipped_except_twice_a_minute() {
        let (start, mut scan) = (Instant::now(), ScanStart::default());
        assert_eq!(scan.measure_after(start), 0);
        scan.record_relayed(start, 500);
        scan.record_relayed(start + seconds(10), 900);
        assert_eq!(scan.after(start + seconds(59)), 0);
        assert_eq!(scan.after(start + seconds(61)), 500);
        assert_eq!(scan.measure_after(start + seconds(75)), 0, "a full scan");
        assert_eq!(scan.measure_after(start + seconds(76)), 900);
    }

    #[test]
    fn the_entry_of_a_transaction_that_was_open_for_long_is_not_skipped_again() {
        let (start, mut scan) = (Instant::now(), ScanStart::default());
        scan.record_relayed(start, 500);
        scan.record_relayed(start + seconds(40), 900);
        assert_eq!(scan.after(start + seconds(70)), 500);
        scan.record_found(start + seconds(71), 300);
        assert_eq!(scan.after(start + seconds(72)), 299);
        assert_eq!(scan.after(start + seconds(300)), 299);
    }

    #[test]
    fn what_is_remembered_does_not_grow_with_the_rate() {
        let (start, mut scan) = (Instant::now(), ScanStart::default());
        for id in 0..10_000 {
            let now = start + Duration::from_millis(id * 100);
            scan.after(now);
            scan.record_relayed(now, i64::try_from(id).unwrap());
        }
        assert!(scan.relayed.len() < 20, "{}", scan.relayed.len());
    }
}
