//! Looks for the server while it is away, lets nobody in or cannot write, and reports each once.

use std::time::Duration;

use sqlx::Connection;
use tracing::{debug, error, info, warn};

use super::Store;
use super::state::Trouble;
use crate::db::error::Concern;
use crate::stop::Stop;

/// How often an absent server is looked for.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// How often one that is read-only is asked whether it still is.
const READ_ONLY_INTERVAL: Duration = Duration::from_millis(500);

/// How often one that lets nobody in is asked again: each time is a line in its log.
const REFUSED_INTERVAL: Duration = Duration::from_secs(5);

impl Store {
    /// While the server cannot do its work, looks whether it can again.
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
                    // Somebody answers, if only that there is no room for one more: the connections that
                    // we have are good.
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

    /// Says it when it is another trouble than before.
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
            // Sessions that could not write may be those of a server that is not the one any more.
            self.renew();
        }
        match before {
            Some(Trouble::ReadOnly(_)) => info!("The database at {} takes writes", self.place()),
            Some(_) => info!("The database at {} is back", self.place()),
            None => {}
        }
    }
}
