//! Wakes the workers: those of this process at once, those of others by a notification of the server.
//!
//! A notification is sent after the commit, on a connection of the engine. It names no queue, because finding
//! nothing is cheap. It is never needed: where none can be received, as behind PgBouncer in transaction mode, the
//! workers poll.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::notification_receiver::NotificationReceiver;
use super::notification_sender::NotificationSender;
use crate::db::PostgresEngine;
use crate::support::backoff::with_jitter;

/// Interval of polling where no notifications are received. Each is shorter or longer by up to a half, by chance, so
/// that the workers do not poll together.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Wakes workers, and waits for it.
pub(super) struct Wakeups {
    engine: PostgresEngine,
    sender: NotificationSender,
    /// Counts the times at which workers were woken.
    pub(super) wakes: Arc<watch::Sender<u64>>,
    /// The number of wakes before the last claim of these queues.
    seen: Mutex<HashMap<Vec<String>, u64>>,
    pub(super) is_listening: Arc<watch::Sender<bool>>,
    receiver: Mutex<Option<AbortHandle>>,
}

impl Wakeups {
    pub fn new(engine: PostgresEngine) -> Self {
        Self {
            sender: NotificationSender::new(engine.clone()),
            engine,
            wakes: Arc::default(),
            seen: Mutex::default(),
            is_listening: Arc::default(),
            receiver: Mutex::default(),
        }
    }

    /// Wakes all workers.
    pub fn wake(&self) {
        self.wakes.send_modify(|wakes| *wakes += 1);
        self.sender.send();
    }

    /// Records that a claim begins: what woke the workers before is seen by it.
    pub fn begin_claim(&self, queues: &[String]) {
        let wakes = *self.wakes.borrow();
        let mut seen = self.seen.lock();
        // Looked up first, because the entry API needs a Vec each time.
        match seen.get_mut(queues) {
            Some(seen) => *seen = wakes,
            None => drop(seen.insert(queues.to_vec(), wakes)),
        }
    }

    /// Waits until workers were woken after the last claim of these queues began, or until it is time to look again.
    pub async fn woken(&self, queues: &[String], look_at: Option<Instant>) {
        self.listen();
        let seen = self.seen.lock().get(queues).copied();
        let mut wakes = self.wakes.subscribe();
        let mut is_listening = self.is_listening.subscribe();
        let poll = async {
            // Waits for the loss of the connection, after which notifications may have been missed.
            let _ = is_listening.wait_for(|is_listening| !is_listening).await;
            tokio::time::sleep(with_jitter(POLL_INTERVAL, &(0.5..1.5))).await;
        };
        let look = async {
            match look_at {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = wakes.wait_for(|wakes| seen.is_none_or(|seen| *wakes != seen)) => {}
            () = poll => {}
            () = look => {}
        }
    }

    /// Receives notifications in the background, until this is dropped.
    fn listen(&self) {
        let mut running = self.receiver.lock();
        if running.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let receiver = NotificationReceiver {
            engine: self.engine.clone(),
            own: self.sender.clone(),
            wakes: Arc::clone(&self.wakes),
            is_listening: Arc::clone(&self.is_listening),
        };
        let task = tokio::spawn(async move { receiver.run().await });
        *running = Some(task.abort_handle());
    }
}

impl Drop for Wakeups {
    fn drop(&mut self) {
        if let Some(task) = self.receiver.lock().take() {
            task.abort();
        }
    }
}
