//! When a poll does something again: hides the messages in hand anew, tries what has failed.

use std::time::Duration;

use tokio::time::Instant;

use crate::support::backoff::{Backoff, JITTER};

/// How long a receive may go on after the service was told to stop. The queue does not learn that
/// nobody listens any more: a message that came before its wait is over would be hidden from
/// everybody for a while.
pub(super) fn last_receive(wait_time: Duration) -> Duration {
    // The service itself waits ten seconds for all background work.
    (wait_time + Duration::from_secs(1)).min(Duration::from_secs(8))
}

/// When the messages in hand must be hidden anew: half-way, so that one failed call does no harm.
pub(super) struct Hold {
    pub time: Duration,
    due: Instant,
    /// Until when they are hidden for certain.
    until: Instant,
}

impl Hold {
    pub fn new(time: Duration) -> Self {
        let now = Instant::now();
        Self { time, due: now + time / 2, until: now + time }
    }

    /// They were hidden anew by a call that began then.
    pub fn renewed(&mut self, begin: Instant) {
        self.until = begin + self.time;
    }

    /// Whether somebody else may have received them since.
    pub fn is_lost(&self) -> bool {
        !self.time.is_zero() && Instant::now() >= self.until
    }

    pub async fn until_due(&mut self) {
        // A queue may hide nothing; then there is nothing to keep hidden.
        if self.time.is_zero() {
            return std::future::pending().await;
        }
        tokio::time::sleep_until(self.due).await;
        self.due = Instant::now() + self.time / 2;
    }
}

/// Delays after a failure: of the queue while it cannot be reached, of the handler while it fails.
pub(super) const FAILURE_BACKOFF: Backoff =
    Backoff::new(Duration::from_millis(500), Duration::from_secs(30), JITTER);

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn messages_in_hand_are_hidden_anew_half_way() {
        let begin = Instant::now();
        let mut hold = Hold::new(Duration::from_secs(30));
        hold.until_due().await;
        assert_eq!(begin.elapsed().as_secs(), 15);
        hold.until_due().await;
        assert_eq!(begin.elapsed().as_secs(), 30);
        let never = timeout(Duration::from_secs(9999), async {
            Hold::new(Duration::ZERO).until_due().await;
        });
        assert!(never.await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn messages_that_could_not_be_hidden_anew_are_lost_to_others() {
        let half = Duration::from_secs(15);
        let mut hold = Hold::new(2 * half);
        tokio::time::advance(half).await;
        hold.renewed(Instant::now());
        tokio::time::advance(half).await;
        assert!(!hold.is_lost(), "it was renewed half-way");
        tokio::time::advance(half).await;
        assert!(hold.is_lost());
        assert!(!Hold::new(Duration::ZERO).is_lost(), "a queue that hides nothing");
    }

    #[test]
    fn a_stop_waits_as_long_as_the_queue_may_hand_out_messages() {
        let last = |seconds| last_receive(Duration::from_secs(seconds)).as_secs();
        assert_eq!([last(0), last(5), last(20)], [1, 6, 8]);
    }
}
