//! The reload signal: read files again, such as certificates, without a restart. SIGHUP gives it.

use tokio::sync::watch;

/// The signal to reload files. It may be given many times, unlike [`Stop`](crate::Stop).
///
/// Signals given while a reload is under way are one signal after it, so no change of a file is missed
/// and none is read more often than needed.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let (trigger, mut reload) = piton::Reload::new();
/// trigger.reload();
/// trigger.reload();
/// reload.requested().await; // returns at once, and waits for the next signal after that
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Reload(watch::Receiver<()>);

/// Sends the reload signal. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ReloadTrigger(watch::Sender<()>);

impl Reload {
    /// Returns a signal, and the trigger that gives it.
    #[must_use]
    pub fn new() -> (ReloadTrigger, Self) {
        let (sender, receiver) = watch::channel(());
        (ReloadTrigger(sender), Self(receiver))
    }

    /// Waits for a signal that this value has not returned yet. Waits indefinitely once no trigger is
    /// left. Cancel safe.
    pub async fn requested(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl ReloadTrigger {
    /// Gives the signal to every [`Reload`].
    pub fn reload(&self) {
        self.0.send_replace(());
    }

    /// Returns a signal that counts from now on: signals given before are not returned.
    #[must_use]
    pub fn subscribe(&self) -> Reload {
        Reload(self.0.subscribe())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn signals_during_a_reload_are_one_signal_after_it() {
        let (trigger, mut reload) = Reload::new();
        assert!(reload.requested().now_or_never().is_none());
        trigger.reload();
        assert!(reload.requested().now_or_never().is_some());
        trigger.reload();
        trigger.reload();
        assert!(reload.requested().now_or_never().is_some());
        assert!(reload.requested().now_or_never().is_none());
    }

    #[tokio::test]
    async fn every_subscriber_is_signalled_once() {
        let (trigger, mut first) = Reload::new();
        trigger.reload();
        let mut second = trigger.subscribe();
        assert!(first.requested().now_or_never().is_some());
        assert!(second.requested().now_or_never().is_none(), "the signal was given before");
        trigger.reload();
        assert!(first.requested().now_or_never().is_some());
        assert!(second.requested().now_or_never().is_some());
        drop(trigger);
        assert!(first.requested().now_or_never().is_none(), "a dropped trigger is no signal");
    }
}
