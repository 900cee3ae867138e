//! Receives the notifications of other processes, on a connection that is opened again whenever it is lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tracing::debug;

use super::notification_sender::{CHANNEL, NotificationSender};
use crate::db::{Error, PostgresEngine};
use crate::support::backoff::Backoff;

/// Delays before attempts to connect again.
const CONNECT_BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), MAX_BACKOFF, 0.5..1.5);

const MAX_BACKOFF: Duration = Duration::from_secs(5);

/// Receives notifications, and wakes the workers of this process.
pub(super) struct NotificationReceiver {
    pub engine: PostgresEngine,
    /// The sender whose notifications are no news here.
    pub own: NotificationSender,
    pub wakes: Arc<watch::Sender<u64>>,
    pub is_listening: Arc<watch::Sender<bool>>,
}

impl NotificationReceiver {
    /// Listens for ever.
    pub async fn run(&self) {
        let mut backoff = CONNECT_BACKOFF;
        loop {
            let connected = Instant::now();
            if let Err(error) = self.listen().await {
                debug!(%error, "Workers poll for new tasks, because no notifications are received");
            }
            if self.is_listening.send_replace(false) {
                // Woken, because a notification may have been missed.
                self.wake();
            }
            if connected.elapsed() > MAX_BACKOFF {
                backoff = CONNECT_BACKOFF;
            }
            tokio::time::sleep(backoff.next_delay()).await;
        }
    }

    /// Listens until the connection is lost. Returns at once where listening is not possible.
    async fn listen(&self) -> Result<(), Error> {
        let Some(mut listener) = self.engine.listen(CHANNEL).await? else { return Ok(()) };
        self.is_listening.send_replace(true);
        // Woken, because notifications that were sent before are not received.
        self.wake();
        loop {
            if listener.notified().await? != self.own.name() {
                self.wake();
            }
        }
    }

    fn wake(&self) {
        self.wakes.send_modify(|wakes| *wakes += 1);
    }
}
