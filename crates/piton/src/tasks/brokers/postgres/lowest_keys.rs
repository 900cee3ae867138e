//! The lowest key of each queue and priority that may still be ready, as far as this process knows.
//!
//! A lower key may become ready without its knowledge: a transaction that began earlier commits later, or another
//! process releases a task. So all keys are read now and then, as often as the time that it takes allows.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::claim::PRIORITIES;
use crate::tasks::brokers::records::ClaimedTask;

/// Interval at which all keys are read while every claim finds as many tasks as asked for.
const FULL_INTERVAL: Duration = Duration::from_secs(1);

/// The share of time that reading all keys may take, as the divisor: 5 %.
const MIN_PAUSE_FACTOR: u32 = 20;

/// Maximum time without reading all keys, however long that takes.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// Lowest keys, by queue.
#[derive(Debug, Default)]
pub(super) struct LowestKeys(Mutex<KnownKeys>);

#[derive(Debug, Default)]
struct KnownKeys {
    queues: HashMap<String, [i64; PRIORITIES]>,
    /// The end of the last reading of all keys, and the time it took.
    last_full: Option<(Instant, Duration)>,
    /// Set if the last claim found less than asked for without reading all keys.
    is_short: bool,
}

/// The keys from which a claim reads.
pub(super) struct ClaimRange {
    /// For each queue, and in it for each priority.
    pub lowest_keys: Vec<i64>,
    pub is_full: bool,
    started: Instant,
}

impl LowestKeys {
    /// Returns the keys from which the next claim reads.
    pub fn range(&self, queues: &[String]) -> ClaimRange {
        let mut state = self.0.lock();
        let started = Instant::now();
        let is_full = state.next_full().is_none_or(|at| at <= started);
        if is_full {
            // Before the claim, so that of several concurrent ones only one reads all.
            state.last_full =
                Some((started, state.last_full.map_or(Duration::ZERO, |last| last.1)));
        }
        let of_queue = |queue: &String| match state.queues.get(queue) {
            Some(keys) if !is_full => *keys,
            _ => [0; PRIORITIES],
        };
        ClaimRange { lowest_keys: queues.iter().flat_map(of_queue).collect(), is_full, started }
    }

    /// Records what a claim of that range has found.
    pub fn record(&self, range: &ClaimRange, tasks: &[ClaimedTask], max: usize) {
        let mut state = self.0.lock();
        if range.is_full {
            state.last_full = Some((Instant::now(), range.started.elapsed()));
        }
        state.is_short = !range.is_full && tasks.len() < max;
        for task in tasks {
            let lowest = state.lowest(&task.queue, usize::from(task.priority));
            *lowest = task.key + 1;
        }
    }

    /// Records that a key has become ready.
    pub fn lower(&self, queue: &str, priority: i16, key: i64) {
        let mut state = self.0.lock();
        let lowest = state.lowest(queue, usize::try_from(priority).unwrap_or(0));
        *lowest = key.min(*lowest);
    }

    /// Returns the time at which a claim reads all keys, if the last one found less than asked for and did not.
    pub fn next_full_if_short(&self) -> Option<Instant> {
        let state = self.0.lock();
        state.next_full().filter(|_| state.is_short)
    }
}

impl KnownKeys {
    /// Returns the time from which a claim reads all keys; `None` means at once.
    fn next_full(&self) -> Option<Instant> {
        let (ended, took) = self.last_full?;
        let pause = took.saturating_mul(MIN_PAUSE_FACTOR).min(MAX_PAUSE);
        Some(ended + if self.is_short { pause } else { pause.max(FULL_INTERVAL) })
    }

    fn lowest(&mut self, queue: &str, priority: usize) -> &mut i64 {
        // Looked up first, because the entry API needs a String each time.
        if !self.queues.contains_key(queue) {
            self.queues.insert(queue.to_owned(), [0; PRIORITIES]);
        }
        let keys = self.queues.get_mut(queue).expect("it has just been inserted");
        &mut keys[priority.min(PRIORITIES - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(key: i64, priority: u8) -> ClaimedTask {
        ClaimedTask {
            key,
            id: String::new(),
            queue: "q".to_owned(),
            priority,
            created_at_ms: 0,
            due_at_ms: None,
            expires_at_ms: None,
            retries: 0,
            losses: 0,
            message: String::new(),
        }
    }

    #[test]
    fn a_claim_reads_from_the_key_after_the_last_one_of_its_priority() {
        let keys = LowestKeys::default();
        let queues = ["q".to_owned()];
        let first = keys.range(&queues);
        assert!(first.is_full);
        keys.record(&first, &[task(7, 0), task(3, 2)], 2);
        let second = keys.range(&queues);
        assert_eq!((second.is_full, &second.lowest_keys[..4]), (false, &[8, 0, 4, 0][..]));
    }

    #[test]
    fn a_key_that_becomes_ready_again_is_read() {
        let keys = LowestKeys::default();
        let queues = ["q".to_owned()];
        keys.record(&keys.range(&queues), &[task(7, 0)], 1);
        keys.lower("q", 0, 5);
        keys.lower("q", 0, 6);
        assert_eq!(keys.range(&queues).lowest_keys[0], 5);
    }

    #[test]
    fn all_keys_are_read_soon_after_a_claim_that_found_too_little() {
        let keys = LowestKeys::default();
        let queues = ["q".to_owned()];
        keys.record(&keys.range(&queues), &[task(7, 0)], 1);
        let range = keys.range(&queues);
        assert!(!range.is_full && keys.next_full_if_short().is_none());
        keys.record(&range, &[], 1);
        let next = keys.next_full_if_short().unwrap();
        assert!(next < Instant::now() + FULL_INTERVAL / 2);
    }
}
