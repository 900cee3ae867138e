//! The visibility timeout of a queue, for which a received message is hidden from other consumers; the
//! lease on the messages being handled; and the loop that extends it while their handler runs.

use std::convert::Infallible;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::warn;

use super::message::Message;
use super::queue_client::QueueClient;

/// The visibility timeout of a queue that was created without one.
const DEFAULT_VISIBILITY: Duration = Duration::from_secs(30);

/// Interval after which the attribute is read again.
const REFRESH_INTERVAL: Duration = Duration::from_secs(180);

/// The visibility timeout of a queue: that of the poll, otherwise that of the queue.
pub(super) struct VisibilityTimeout {
    of_poll: Option<Duration>,
    /// The queue's attribute, and when it was read.
    of_queue: Mutex<Option<(Duration, Instant)>>,
}

impl VisibilityTimeout {
    pub fn new(of_poll: Option<Duration>) -> Self {
        Self { of_poll, of_queue: Mutex::new(None) }
    }

    pub fn get(&self) -> Duration {
        let of_queue = self.of_queue.lock().map(|(time, _)| time);
        self.of_poll.or(of_queue).unwrap_or(DEFAULT_VISIBILITY)
    }

    /// Returns whether the queue's attribute has to be read.
    pub fn is_due(&self) -> bool {
        let is_outdated = |(_, read_at): (_, Instant)| read_at.elapsed() >= REFRESH_INTERVAL;
        self.of_poll.is_none() && self.of_queue.lock().is_none_or(is_outdated)
    }

    /// Sets the queue's attribute. `None` if the credentials may not read it.
    pub fn set(&self, time: Option<Duration>) {
        *self.of_queue.lock() = Some((time.unwrap_or(DEFAULT_VISIBILITY), Instant::now()));
    }

    /// Forgets the attribute of a queue that does not exist (any more).
    pub fn forget(&self) {
        *self.of_queue.lock() = None;
    }
}

/// A lease on received messages: they are hidden from other consumers until it expires. It is renewed
/// half-way, so that one failed call does no harm.
pub(super) struct VisibilityLease {
    /// The time that each renewal adds; zero if the queue does not hide messages.
    duration: Duration,
    renewal_due: Instant,
    /// The time until which the messages are certainly hidden.
    expires_at: Instant,
}

impl VisibilityLease {
    pub fn new(duration: Duration) -> Self {
        let now = Instant::now();
        Self { duration, renewal_due: now + duration / 2, expires_at: now + duration }
    }

    /// Records a renewal by a call that was started then.
    fn renewed(&mut self, started: Instant) {
        self.expires_at = started + self.duration;
    }

    /// Returns whether another consumer may have received the messages meanwhile.
    pub fn is_expired(&self) -> bool {
        !self.duration.is_zero() && Instant::now() >= self.expires_at
    }

    /// Keeps messages hidden from other consumers: extends their visibility timeout whenever it is due,
    /// for as long as this future is polled.
    pub async fn keep_hidden(&mut self, queue: &QueueClient, messages: &[&Message]) -> Infallible {
        loop {
            self.renewal_due().await;
            let started = Instant::now();
            // Boxed, because the SDK's future is several KiB large.
            match Box::pin(queue.extend_visibility(messages, self.duration)).await {
                Ok(()) => self.renewed(started),
                Err(error) => {
                    let queue = queue.short_name();
                    warn!(queue, "A message may be delivered twice: {error}");
                }
            }
        }
    }

    /// Waits until the lease has to be renewed.
    async fn renewal_due(&mut self) {
        // Never, because a queue with a visibility timeout of zero does not hide messages at all.
        if self.duration.is_zero() {
            return std::future::pending().await;
        }
        tokio::time::sleep_until(self.renewal_due).await;
        self.renewal_due = Instant::now() + self.duration / 2;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_attribute_is_read_again_after_a_few_minutes_and_after_it_was_forgotten() {
        let (visibility, minute) = (VisibilityTimeout::new(None), Duration::from_secs(60));
        assert!(visibility.is_due());
        assert_eq!(visibility.get(), DEFAULT_VISIBILITY);
        visibility.set(Some(minute));
        tokio::time::advance(minute).await;
        assert!(!visibility.is_due());
        assert_eq!(visibility.get(), minute);
        tokio::time::advance(3 * minute).await;
        assert!(visibility.is_due());
        assert_eq!(visibility.get(), minute, "until it was read again");
        visibility.set(None);
        assert_eq!((visibility.get(), visibility.is_due()), (DEFAULT_VISIBILITY, false));
        visibility.forget();
        assert!(visibility.is_due());
    }

    #[test]
    fn the_timeout_of_a_poll_needs_no_attribute() {
        let visibility = VisibilityTimeout::new(Some(Duration::from_secs(5)));
        assert_eq!((visibility.get().as_secs(), visibility.is_due()), (5, false));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_renewed_half_way() {
        let begin = Instant::now();
        let mut lease = VisibilityLease::new(Duration::from_secs(30));
        lease.renewal_due().await;
        assert_eq!(begin.elapsed().as_secs(), 15);
        lease.renewal_due().await;
        assert_eq!(begin.elapsed().as_secs(), 30);
        let never = timeout(Duration::from_secs(9999), async {
            VisibilityLease::new(Duration::ZERO).renewal_due().await;
        });
        assert!(never.await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_was_not_renewed_expires() {
        let half = Duration::from_secs(15);
        let mut lease = VisibilityLease::new(2 * half);
        tokio::time::advance(half).await;
        lease.renewed(Instant::now());
        tokio::time::advance(half).await;
        assert!(!lease.is_expired(), "it was renewed half-way");
        tokio::time::advance(half).await;
        assert!(lease.is_expired());
        assert!(
            !VisibilityLease::new(Duration::ZERO).is_expired(),
            "the queue does not hide messages"
        );
    }
}
