//! Random bytes of the system, for ids that must not be guessed.

use std::cell::RefCell;

/// Number of bytes fetched from the system at once. Asking it for the bytes of a single id costs more than the rest of
/// making one.
const FETCHED_BYTES: usize = 512;

/// Random bytes of one thread.
struct RandomPool {
    bytes: [u8; FETCHED_BYTES],
    used: usize,
}

thread_local! {
    static POOL: RefCell<RandomPool> =
        const { RefCell::new(RandomPool { bytes: [0; FETCHED_BYTES], used: FETCHED_BYTES }) };
}

/// Returns random bytes of the system.
///
/// # Panics
/// If the system has none, which no system that piton runs on reports once it has started.
pub(crate) fn random_bytes<const COUNT: usize>() -> [u8; COUNT] {
    const { assert!(COUNT <= FETCHED_BYTES) };
    POOL.with_borrow_mut(RandomPool::next)
}

impl RandomPool {
    fn next<const COUNT: usize>(&mut self) -> [u8; COUNT] {
        if FETCHED_BYTES - self.used < COUNT {
            getrandom::fill(&mut self.bytes).expect("the system has random numbers");
            self.used = 0;
        }
        let taken = &mut self.bytes[self.used..self.used + COUNT];
        let mut bytes = [0; COUNT];
        bytes.copy_from_slice(taken);
        // Cleared so that memory read later, as in a core dump, does not contain ids in use.
        taken.fill(0);
        self.used += COUNT;
        bytes
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_bytes_are_returned_twice() {
        let tens: HashSet<[u8; 10]> = (0..1000).map(|_| random_bytes()).collect();
        let sixteens: HashSet<[u8; 16]> = (0..1000).map(|_| random_bytes()).collect();
        assert_eq!((tens.len(), sixteens.len()), (1000, 1000));
    }
}
