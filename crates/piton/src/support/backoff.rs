//! Exponential backoff between attempts, with jitter.
//!
//! Written by hand instead of with the crate `backon`: that one wraps a whole retry loop around a
//! closure, and the loops here also wait for a stop signal, for a hint to hurry or for `Retry-After`.

use std::ops::Range;
use std::time::Duration;

/// The usual jitter: each delay is up to a quarter longer than computed, by chance. Replicas that
/// failed together do not come back together, and no delay is shorter than documented.
pub(crate) const JITTER: Range<f64> = 1.0..1.25;

/// Delays that double from the first to a maximum, each multiplied by a random factor.
///
/// Create a new one after a success, so that the next failure starts with the first delay again.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    next: Duration,
    max: Duration,
    jitter: Range<f64>,
}

impl Backoff {
    /// Creates a backoff whose delays, before jitter, are `first`, twice `first` and so on, up to
    /// `max`. `jitter` is the range of the random factor, usually [`JITTER`].
    pub const fn new(first: Duration, max: Duration, jitter: Range<f64>) -> Self {
        Self { next: first, max, jitter }
    }

    /// Returns the delay before the next attempt.
    pub fn next_delay(&mut self) -> Duration {
        let delay = self.next;
        self.next = self.next.saturating_mul(2).min(self.max);
        with_jitter(delay, &self.jitter)
    }
}

/// Returns `delay` multiplied by a random factor of `jitter`.
pub(crate) fn with_jitter(delay: Duration, jitter: &Range<f64>) -> Duration {
    delay.mul_f64(jitter.start + (jitter.end - jitter.start) * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_to_the_maximum_and_are_at_most_a_quarter_longer() {
        let second = Duration::from_secs(1);
        let mut backoff = Backoff::new(second, 10 * second, JITTER);
        for expected in [1, 2, 4, 8, 10, 10] {
            let delay = backoff.next_delay();
            let range = second * expected..=(second * expected).mul_f64(1.25);
            assert!(range.contains(&delay), "{expected}: {delay:?}");
        }
    }

    #[test]
    fn full_jitter_ranges_from_no_delay_to_the_computed_one() {
        let second = Duration::from_secs(1);
        let mut backoff = Backoff::new(second, 2 * second, 0.0..1.0);
        let delays: Vec<_> = (0..100).map(|_| backoff.next_delay()).collect();
        assert!(delays[0] < second);
        assert!(delays.iter().all(|delay| *delay < 2 * second));
        assert!(delays.iter().any(|delay| *delay < second));
        assert!(delays.iter().any(|delay| *delay > second));
    }
}
