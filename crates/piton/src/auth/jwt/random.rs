//! Names of tokens: UUIDs of version 4, from the system's random source.
//!
//! A request that is answered with a fresh token needs one, and asking the system costs more than the rest
//! of it; so each thread fetches some at once.

use std::cell::RefCell;

use uuid::{Builder, Uuid};

/// How many bytes are fetched at once: 16 UUIDs.
const FETCHED: usize = 256;

struct Pool {
    bytes: [u8; FETCHED],
    used: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; FETCHED], used: FETCHED }) };
}

/// A random UUID as text.
pub(super) fn uuid() -> String {
    let uuid = POOL.with_borrow_mut(Pool::next).unwrap_or_else(Uuid::new_v4);
    uuid.hyphenated().to_string()
}

impl Pool {
    fn next(&mut self) -> Option<Uuid> {
        if self.used == FETCHED {
            getrandom::fill(&mut self.bytes).ok()?;
            self.used = 0;
        }
        let bytes = self.bytes[self.used..].first_chunk::<16>().copied()?;
        // Whoever reads the memory later does not find what was given out.
        self.bytes[self.used..self.used + 16].fill(0);
        self.used += 16;
        Some(Builder::from_random_bytes(bytes).into_uuid())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_are_the_same_and_all_are_of_version_4() {
        let all: HashSet<String> = (0..1000).map(|_| uuid()).collect();
        assert_eq!(all.len(), 1000);
        assert!(
            all.iter()
                .all(|uuid| Uuid::parse_str(uuid).is_ok_and(|uuid| uuid.get_version_num() == 4))
        );
    }
}
