//! The stop signal: taken as an argument by everything that runs, so that a test is a call.

use tokio::sync::watch;

/// The signal to stop. Cheap to clone; every clone sees the same signal.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let (trigger, stop) = piton::Stop::new();
/// assert!(!stop.is_stopped());
/// trigger.stop();
/// stop.stopped().await; // returns at once
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

/// Sends the stop signal. Dropping the last trigger stops too, because no signal could be sent after that.
#[derive(Clone, Debug)]
pub struct Trigger(watch::Sender<bool>);

impl Stop {
    /// Returns a signal, and the trigger that gives it.
    #[must_use]
    pub fn new() -> (Trigger, Self) {
        let (sender, receiver) = watch::channel(false);
        (Trigger(sender), Self(receiver))
    }

    /// Returns a signal that is never given.
    #[must_use]
    pub fn never() -> Self {
        let (trigger, stop) = Self::new();
        // Leaked on purpose: a dropped trigger would mean "stop".
        std::mem::forget(trigger);
        stop
    }

    /// Waits for the signal. Cancel safe.
    pub async fn stopped(&self) {
        // An error means that the trigger is gone, which is a stop too.
        let _ = self.0.clone().wait_for(|stopped| *stopped).await;
    }

    /// Returns whether the signal has been given.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }
}

impl Trigger {
    /// Gives the signal. Giving it twice is the same as once.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}
