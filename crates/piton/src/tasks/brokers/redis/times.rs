//! Times as Redis and its scripts take them.

use std::time::Duration;

use crate::tasks::clock::millis;

/// Returns a time in seconds, with milliseconds, as scripts take it.
pub(super) fn seconds(at_ms: i64) -> String {
    format!("{}.{:03}", at_ms.div_euclid(1000), at_ms.rem_euclid(1000))
}

/// Returns a duration in milliseconds that is at least one: Redis refuses a time to live of zero.
pub(super) fn ttl_ms(duration: Duration) -> i64 {
    millis(duration).max(1)
}
