//! How long a queue hides a message that somebody has received. Who owns the queue may change it while
//! the service runs.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What Amazon's queues have unless somebody chose otherwise.
const USUAL: Duration = Duration::from_secs(30);

/// How long the queue's answer is believed.
const BELIEVED: Duration = Duration::from_secs(180);

/// How long the queue hides messages: as the poll says, or else as the queue did.
pub(super) struct Visibility {
    chosen: Option<Duration>,
    told: Mutex<Option<(Duration, Instant)>>,
}

impl Visibility {
    pub fn new(chosen: Option<Duration>) -> Self {
        Self { chosen, told: Mutex::new(None) }
    }

    fn told(&self) -> MutexGuard<'_, Option<(Duration, Instant)>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self) -> Duration {
        self.chosen.or_else(|| self.told().map(|(time, _)| time)).unwrap_or(USUAL)
    }

    /// Whether the queue is to be asked.
    pub fn is_due(&self) -> bool {
        self.chosen.is_none() && self.told().is_none_or(|(_, when)| when.elapsed() >= BELIEVED)
    }

    /// The queue has answered; with nothing, if it must not say.
    pub fn learn(&self, time: Option<Duration>) {
        *self.told() = Some((time.unwrap_or(USUAL), Instant::now()));
    }

    /// There is no such queue (any more).
    pub fn forget(&self) {
        *self.told() = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_queue_is_asked_again_after_a_few_minutes_and_when_it_was_gone() {
        let (visibility, minute) = (Visibility::new(None), Duration::from_secs(60));
        assert!(visibility.is_due());
        assert_eq!(visibility.get(), USUAL);
        visibility.learn(Some(minute));
        tokio::time::advance(minute).await;
        assert!(!visibility.is_due());
        assert_eq!(visibility.get(), minute);
        tokio::time::advance(3 * minute).await;
        assert!(visibility.is_due());
        assert_eq!(visibility.get(), minute, "until the queue has answered");
        visibility.learn(None);
        assert_eq!((visibility.get(), visibility.is_due()), (USUAL, false));
        visibility.forget();
        assert!(visibility.is_due());
    }

    #[test]
    fn what_the_poll_says_is_not_asked_for() {
        let visibility = Visibility::new(Some(Duration::from_secs(5)));
        assert_eq!((visibility.get().as_secs(), visibility.is_due()), (5, false));
    }
}
