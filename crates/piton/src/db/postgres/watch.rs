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
            let (trouble, pause) = match self.open().await {
                Ok((connection, role)) => {
                    let _ = connection.close().await;
                    if !(role.read_only && self.state.expects_writes) {
                        return self.is_there();
                    }
                    (Trouble::ReadOnly(self.read_only(role)), READ_ONLY_INTERVAL)
                }
                Err(error) => match error.concern() {
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
            self.report(trouble);
            tokio::time::sleep(pause).await;
        }
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
            Some(_) => info!("The database at {} is back", self.place()),
            None => {}
        }
    }
}
