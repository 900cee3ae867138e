//! What this process has invalidated, and when: by a clock that moves at each invalidation.
//!
//! Whatever was begun before an invalidation that concerns it does not count any more. That is asked
//! of each value that is read from memory, and of each computation that somebody wants to join.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

/// How many keys and tags are told apart. Above it they are forgotten, and everything that was begun
/// before counts as invalidated: memory stays bounded, and the price is some computations.
const MOST: usize = 10_000;

/// A moment: how many invalidations there have been.
pub(super) type Moment = u64;

#[derive(Default)]
pub(super) struct Invalidations {
    clock: AtomicU64,
    at: RwLock<At>,
}

#[derive(Default)]
struct At {
    /// What was begun before is not valid, whatever it is.
    floor: Moment,
    keys: HashMap<String, Moment>,
    tags: HashMap<String, Moment>,
}

impl Invalidations {
    pub fn now(&self) -> Moment {
        self.clock.load(Ordering::Acquire)
    }

    pub fn keys(&self, keys: impl IntoIterator<Item = String>) {
        self.note(|at, now| at.keys.extend(keys.into_iter().map(|key| (key, now))));
    }

    pub fn tags(&self, tags: impl IntoIterator<Item = String>) {
        self.note(|at, now| at.tags.extend(tags.into_iter().map(|tag| (tag, now))));
    }

    pub fn everything(&self) {
        self.note(At::forget);
    }

    fn note(&self, note: impl FnOnce(&mut At, Moment)) {
        let mut at = self.at.write().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.load(Ordering::Relaxed) + 1;
        note(&mut at, now);
        if at.keys.len() + at.tags.len() > MOST {
            at.forget(now);
        }
        // Last: who reads the new moment finds what belongs to it, as the lock is still held.
        self.clock.store(now, Ordering::Release);
    }

    /// Whether what was begun at `moment` is still valid.
    pub fn hold(&self, moment: Moment, key: &str, tags: &[String]) -> bool {
        if self.now() == moment {
            return true;
        }
        let at = self.at.read().unwrap_or_else(PoisonError::into_inner);
        let before = |at: Option<&Moment>| at.is_none_or(|at| *at <= moment);
        at.floor <= moment
            && before(at.keys.get(key))
            && tags.iter().all(|tag| before(at.tags.get(tag)))
    }
}

impl At {
    fn forget(&mut self, now: Moment) {
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
    fn what_began_before_an_invalidation_of_its_key_or_tag_is_not_valid() {
        let it = Invalidations::default();
        let before = it.now();
        it.tags(tags(&["a"]));
        it.keys(tags(&["x"]));
        assert!(!it.hold(before, "y", &tags(&["b", "a"])));
        assert!(!it.hold(before, "x", &[]));
        assert!(it.hold(before, "y", &tags(&["b", "x"])));
        let after = it.now();
        assert!(it.hold(after, "x", &tags(&["a"])));
        it.everything();
        assert!(!it.hold(after, "y", &[]));
    }

    #[test]
    fn many_names_are_forgotten_and_what_they_concerned_is_not_valid() {
        let it = Invalidations::default();
        let before = it.now();
        it.tags((0..=MOST).map(|number| number.to_string()));
        assert_eq!(it.at.read().unwrap().tags.len(), 0);
        assert!(!it.hold(before, "x", &[]));
        assert!(it.hold(it.now(), "x", &tags(&["1"])));
    }
}
