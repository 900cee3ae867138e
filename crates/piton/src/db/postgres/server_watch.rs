//! Checks the server while it is unavailable, refuses connections or cannot write, and logs each
//! state once.

use std::time::Duration;

use sqlx::Connection;
use tracing::{debug, error, info, warn};

use super::pooled_connection::PooledConnection;
use super::server_state::ServerFault;
use super::store::Store;
use crate::db::error::FaultScope;
use crate::stop_signal::Stop;

/// Interval of checks while the server is unavailable.
const UNREACHABLE_INTERVAL: Duration = Duration::from_millis(250);

/// Interval of checks while the server is read-only.
const READ_ONLY_INTERVAL: Duration = Duration::from_millis(500);

/// Interval of checks while the server takes no new connection and existing ones answer.
const NO_NEW_CONNECTION_INTERVAL: Duration = Duration::from_secs(1);

/// Timeout for the answer of an existing connection, when no new one can be opened.
const POOLED_TIMEOUT: Duration = Duration::from_secs(1);

/// Interval of checks while the server refuses connections. Longer, because each attempt is a line
/// in its log.
const REFUSED_INTERVAL: Duration = Duration::from_secs(5);

impl Store {
    /// Waits for signs of a fault, and then checks the server until it works again. Ends at `stop`.
    pub async fn watch(&self, stop: Stop) {
        loop {
            tokio::select! {
                () = self.state.check_request.notified() => {}
                () = stop.stopped() => return,
            }
            tokio::select! {
                () = self.check_until_available() => {}
                () = stop.stopped() => return,
            }
        }
    }

    async fn check_until_available(&self) {
        loop {
            let answers = self.state.answers();
            let (fault, interval) = match self.open().await {
                Ok((connection, role)) => {
                    let _ = connection.close().await;
                    if !(role.read_only && self.state.expects_writes) {
                        return self.mark_available();
                    }
                    (ServerFault::ReadOnly(self.read_only(role)), READ_ONLY_INTERVAL)
                }
                Err(error) => match error.scope() {
                    // The pool is asked, because behind a pooler without a free session a new
                    // connection waits while the existing ones work.
                    FaultScope::Connection if self.pool_answers(answers).await => (
                        ServerFault::NoNewConnection(error.to_string()),
                        NO_NEW_CONNECTION_INTERVAL,
                    ),
                    FaultScope::Connection => {
                        (ServerFault::Unreachable(error.to_string()), UNREACHABLE_INTERVAL)
                    }
                    FaultScope::ConnectionsRefused => {
                        (ServerFault::ConnectionsRefused(error.to_string()), REFUSED_INTERVAL)
                    }
                    // Available, because the server answers, even if only that it has no free
                    // connection: the existing ones work.
                    _ => {
                        debug!(%error, "The database answers, but accepts no new connection");
                        return self.mark_available();
                    }
                },
            };
            // Not reported over `ReadOnly`, because the server is not known to accept writes again.
            if !(self.state.is_read_only() && matches!(fault, ServerFault::NoNewConnection(_))) {
                self.report(fault);
            }
            tokio::time::sleep(interval).await;
        }
    }

    /// Returns whether the server answers on a connection of the pool. `answers` is the number of
    /// answered statements before the attempt to open another connection.
    async fn pool_answers(&self, answers: u64) -> bool {
        while let Some(connection) = self.pool.try_acquire() {
            let mut connection = PooledConnection::new(connection, self.state.clone());
            match tokio::time::timeout(POOLED_TIMEOUT, connection.ping()).await {
                Ok(Ok(())) => return true,
                // The next one is tried, because only this one may be broken.
                Ok(Err(_)) => connection.discard(),
                Err(_) => {
                    connection.discard();
                    break;
                }
            }
        }
        self.state.answers() != answers
    }

    /// Records the fault, and logs it if it is another one than before.
    fn report(&self, fault: ServerFault) {
        let before = self.state.fault.send_replace(Some(fault.clone()));
        let is_same = before.is_some_and(|before| {
            std::mem::discriminant(&before) == std::mem::discriminant(&fault)
        });
        if is_same {
            return;
        }
        match fault {
            ServerFault::Unreachable(why) => warn!(
                "The database is unreachable: requests that need it get 503 until it is back: {why}"
            ),
            ServerFault::ConnectionsRefused(why) => {
                error!("The database refuses connections: {why}");
            }
            ServerFault::NoNewConnection(why) => warn!(
                "The database accepts no further connection, only those in the pool are used: {why}: raise the limit \
                 of the server or the pooler, or lower db.max_connections"
            ),
            ServerFault::ReadOnly(why) => error!("The database accepts no writes: {why}"),
        }
    }

    fn mark_available(&self) {
        let before = self.state.fault.send_replace(None);
        let was_suspected = self.state.take_suspicion();
        if was_suspected || matches!(before, Some(ServerFault::ReadOnly(_))) {
            // Renewed, because sessions that could not write may belong to a server that has been
            // replaced.
            self.renew();
        }
        match before {
            Some(ServerFault::ReadOnly(_)) => {
                info!("The database at {} accepts writes", self.place());
            }
            Some(ServerFault::NoNewConnection(_)) => {
                info!("The database at {} accepts new connections", self.place());
            }
            Some(_) => info!("The database at {} is back", self.place()),
            None => {}
        }
    }
}
