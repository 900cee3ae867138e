//! The invalidations of this process, and when they were: by a counter that every invalidation
//! advances, the *generation*.
//!
//! Whatever started before an invalidation that concerns it is not current any more. This is checked
//! for each value that is read from memory, and for each flight that a caller wants to join.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

/// Maximum number of keys and tags that are remembered. Above it they are forgotten, and everything
/// that started before counts as invalidated: memory stays bounded, at the price of some
/// computations.
const MAX_NAMES: usize = 10_000;

/// The number of invalidations there have been.
pub(super) type Generation = u64;

#[derive(Default)]
pub(super) struct Invalidations {
    generation: AtomicU64,
    last: RwLock<LastInvalidations>,
}

/// The generation of the last invalidation of each key and tag.
#[derive(Default)]
struct LastInvalidations {
    /// Everything that started before this generation is invalid.
    floor: Generation,
    keys: HashMap<String, Generation>,
    tags: HashMap<String, Generation>,
}

impl Invalidations {
    pub fn generation(&self) -> Generation {
        self.generation.load(Ordering::Acquire)
    }

    pub fn record_keys(&self, keys: impl IntoIterator<Item = String>) {
        self.record(|last, now| last.keys.extend(keys.into_iter().map(|key| (key, now))));
    }

    pub fn record_tags(&self, tags: impl IntoIterator<Item = String>) {
        self.record(|last, now| last.tags.extend(tags.into_iter().map(|tag| (tag, now))));
    }

    pub fn record_all(&self) {
        self.record(LastInvalidations::raise_floor);
    }

    fn record(&self, record: impl FnOnce(&mut LastInvalidations, Generation)) {
        let mut last = self.last.write();
        let now = self.generation.load(Ordering::Relaxed) + 1;
        record(&mut last, now);
        if last.keys.len() + last.tags.len() > MAX_NAMES {
            last.raise_floor(now);
        }
        // Last, while the lock is held, so that a reader of the new generation finds what belongs to it.
        self.generation.store(now, Ordering::Release);
    }

    /// Returns whether a value of `key` and `tags` that started in `generation` is still valid.
    pub fn is_current(&self, generation: Generation, key: &str, tags: &[String]) -> bool {
        // The common case takes no lock, because this is asked on every hit in memory.
        if self.generation() == generation {
            return true;
        }
        let last = self.last.read();
        let is_older = |at: Option<&Generation>| at.is_none_or(|at| *at <= generation);
        last.floor <= generation
            && is_older(last.keys.get(key))
            && tags.iter().all(|tag| is_older(last.tags.get(tag)))
    }
}

impl LastInvalidations {
    fn raise_floor(&mut self, now: Generation) {
        *self = Self { floor: now, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.into()).collect()
    }

    #[test]
    fn a_value_from_before_an_invalidation_of_its_key_or_tag_is_not_current() {
        let invalidations = Invalidations::default();
        let before = invalidations.generation();
        invalidations.record_tags(tags(&["a"]));
        invalidations.record_keys(tags(&["x"]));
        assert!(!invalidations.is_current(before, "y", &tags(&["b", "a"])));
        assert!(!invalidations.is_current(before, "x", &[]));
        assert!(invalidations.is_current(before, "y", &tags(&["b", "x"])));
        let after = invalidations.generation();
        assert!(invalidations.is_current(after, "x", &tags(&["a"])));
        invalidations.record_all();
        assert!(!invalidations.is_current(after, "y", &[]));
    }

    #[test]
    fn above_the_maximum_names_are_forgotten_and_older_values_are_not_current() {
        let invalidations = Invalidations::default();
        let before = invalidations.generation();
        invalidations.record_tags((0..=MAX_NAMES).map(|number| number.to_string()));
        assert_eq!(invalidations.last.read().tags.len(), 0);
        assert!(!invalidations.is_current(before, "x", &[]));
        assert!(invalidations.is_current(invalidations.generation(), "x", &tags(&["1"])));
    }
}
