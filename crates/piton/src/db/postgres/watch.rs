//! Checks the server while it is unavailable, refuses connections or cannot write, and reports each
//! state once.

use std::time::Duration;

use sqlx::Connection;
use tracing::{debug, error, info, warn};

use super::Store;
use super::state::Trouble;
use crate::db::error::Concern;
use crate::stop::Stop;

/// Interval of checks while the server is unavailable.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Interval of checks while the server is read-only.
const READ_ONLY_INTERVAL: Duration = Duration::from_millis(500);

/// Interval of checks while the server takes no new connection and existing ones answer.
const FULL_INTERVAL: Duration = Duration::from_secs(1);

/// How long an existing connection may take to answer, when no new one comes about.
const POOLED_TIMEOUT: Duration = Duration::from_secs(1);

/// Interval of checks while the server refuses connections. Longer, because each attempt is a line
/// in its log.
const REFUSED_INTERVAL: Duration = Duration::from_secs(5);

impl Store {
    /// Checks the server while it cannot do its work, until it can again.
    pub async fn watch(&self, stop: Stop) {
        loop {
            tokio::select! {
                () = self.state.doubt.notified() => {}
                () = stop.stopped() => return,
            }
            tokio::select! {
                () = self.look_until_there() => {}
                () = stop.stopped() => return,
            }
        }
    }

    async fn look_until_there(&self) {
        loop {
            let answers = self.state.answers();
            let (trouble, pause) = match self.open().await {
                Ok((connection, role)) => {
                    let _ = connection.close().await;
                    if !(role.read_only && self.state.expects_writes) {
                        return self.is_there();
                    }
                    (Trouble::ReadOnly(self.read_only(role)), READ_ONLY_INTERVAL)
                }
                Err(error) => match error.concern() {
                    // Behind a pooler without a free session, a new connection waits while the
                    // existing ones work.
                    Concern::Connection if self.pool_answers(answers).await => {
                        (Trouble::Full(error.to_string()), FULL_INTERVAL)
                    }
                    Concern::Connection => (Trouble::Away(error.to_string()), LOOK_INTERVAL),
                    Concern::Refused => (Trouble::Refused(error.to_string()), REFUSED_INTERVAL),
                    // The server answers, even if only that it has no room for another connection:
                    // our existing connections are good.
                    _ => {
                        debug!(%error, "The database is there, but takes no new connection");
                        return self.is_there();
                    }
                },
            };
            // A server known to be read-only is not known to take writes again.
            if !(self.state.is_read_only() && matches!(trouble, Trouble::Full(_))) {
                self.report(trouble);
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Returns true if the server answers on a connection of the pool. `answers` is the number of
    /// answered statements before the attempt to open another one.
    async fn pool_answers(&self, answers: u64) -> bool {
        while let Some(mut connection) = self.pool.try_acquire() {
            match tokio::time::timeout(POOLED_TIMEOUT, connection.ping()).await {
                Ok(Ok(())) => return true,
                // Only this one may be broken.
                Ok(Err(_)) => connection.close_on_drop(),
                Err(_) => {
                    connection.close_on_drop();
                    break;
                }
            }
        }
        self.state.answers() != answers
    }

    /// Logs the trouble if it is another one than before.
    fn report(&self, trouble: Trouble) {
        let before = self.state.trouble.send_replace(Some(trouble.clone()));
        let same = before.is_some_and(|before| {
            std::mem::discriminant(&before) == std::mem::discriminant(&trouble)
        });
        if same {
            return;
        }
        match trouble {
            Trouble::Away(why) => warn!(
                "The database has gone away: requests that need it get 503 until it is back: {why}"
            ),
            Trouble::Refused(why) => error!("The database lets no new connection in: {why}"),
            Trouble::Full(why) => warn!(
                "The database takes no further connection, only those in the pool are used: {why}: raise the limit \
                 of the server or the pooler, or lower db.max_connections"
            ),
            Trouble::ReadOnly(why) => error!("The database takes no writes: {why}"),
        }
    }

    fn is_there(&self) {
        let before = self.state.trouble.send_replace(None);
        let suspected = self.state.take_suspicion();
        if suspected || matches!(before, Some(Trouble::ReadOnly(_))) {
            // Sessions that could not write may belong to a server that has been replaced.
            self.renew();
        }
        match before {
            Some(Trouble::ReadOnly(_)) => info!("The database at {} takes writes", self.place()),
            Some(Trouble::Full(_)) => {
                info!("The database at {} takes new connections", self.place());
            }
            Some(_) => info!("The database at {} is back", self.place()),
            None => {}
        }
    }
}
