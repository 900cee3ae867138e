//! Notifies other processes of new tasks: at once, and at most once every few milliseconds, because PostgreSQL lets only
//! one transaction at a time commit that sends a notification.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sqlx::AssertSqlSafe;
use tracing::debug;

use crate::db::PostgresEngine;

/// The channel of the notifications, in each database.
pub(super) const CHANNEL: &str = "piton_tasks";

/// Interval of notifications while tasks are enqueued all the time.
const NOTIFY_INTERVAL: Duration = Duration::from_millis(5);

/// Sends notifications. Clones are the same sender.
#[derive(Clone)]
pub(super) struct NotificationSender {
    engine: PostgresEngine,
    /// The text of the notifications, which tells this process's from those of others.
    name: Arc<str>,
    state: Arc<Mutex<SendState>>,
}

#[derive(Default)]
struct SendState {
    is_sending: bool,
    is_pending: bool,
}

impl NotificationSender {
    pub fn new(engine: PostgresEngine) -> Self {
        let name = format!("{:016x}", fastrand::u64(..)).into();
        Self { engine, name, state: Arc::default() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends a notification in the background.
    pub fn send(&self) {
        let mut state = self.state.lock();
        state.is_pending = true;
        if !std::mem::replace(&mut state.is_sending, true) {
            let sender = self.clone();
            tokio::spawn(async move { sender.send_pending().await });
        }
    }

    async fn send_pending(&self) {
        // Without waiting for the disk, because there is nothing to keep.
        let sql = format!(
            "BEGIN; SET LOCAL synchronous_commit = off; NOTIFY {CHANNEL}, '{}'; COMMIT",
            self.name
        );
        while self.take_pending() {
            if let Err(error) = self.engine.run_raw(AssertSqlSafe(sql.clone())).await {
                debug!(%error, "Other processes are not notified of new tasks, and find them when they poll");
            }
            tokio::time::sleep(NOTIFY_INTERVAL).await;
        }
    }

    fn take_pending(&self) -> bool {
        let mut state = self.state.lock();
        state.is_sending = std::mem::take(&mut state.is_pending);
        state.is_sending
    }
}
