//! Reports the health of a PostgreSQL database.

use std::time::Duration;

use sqlx::{Connection, PgConnection};

use super::error::unreachable;
use super::server_state::ServerFault;
use super::session_probe::probe;
use super::store::Store;
use crate::db::error::{Error, FaultScope, Kind};
use crate::part::Health;

/// Timeout of the health check for a connection of the pool.
const ACQUIRE_TIMEOUT: Duration = Duration::from_millis(500);

/// Timeout of the health check for the server's answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

impl Store {
    /// Returns the health of the server. A load that leaves no connection free is no fault.
    pub async fn health(&self) -> Health {
        let fault = self.state.fault.borrow().clone();
        match fault {
            Some(ServerFault::ConnectionsRefused(why)) if self.pool.size() > 0 => {
                return Health::Degraded(format!("no further connection: {why}"));
            }
            Some(ServerFault::NoNewConnection(why)) => {
                return Health::Degraded(format!("no further connection: {why}"));
            }
            Some(
                ServerFault::Unreachable(why)
                | ServerFault::ConnectionsRefused(why)
                | ServerFault::ReadOnly(why),
            ) => return Health::Down(why),
            None => {}
        }
        if self.state.is_disk_full() {
            let place = self.place();
            return Health::Down(format!(
                "the disk of postgres at {place} is full (SQLSTATE 53100): a write failed in the last 30 s; make room"
            ));
        }
        match self.check().await {
            Ok(true) => Health::Up,
            Ok(false) if self.is_busy() => Health::Degraded("every connection is busy".into()),
            Ok(false) => Health::Degraded("no connection was free in time".into()),
            Err(error) => Health::Down(error.to_string()),
        }
    }

    /// Returns whether every connection that the pool may have is in use.
    fn is_busy(&self) -> bool {
        let idle = u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX);
        self.pool.size().saturating_sub(idle) >= self.pool.options().get_max_connections()
    }

    /// Asks the server. Returns `Ok(false)` if no connection is free, which is load and not a fault.
    async fn check(&self) -> Result<bool, Error> {
        let has_connections = self.pool.size() > 0;
        let had_idle = self.pool.num_idle() > 0;
        let answers_before = self.state.answers();
        let mut connection = match tokio::time::timeout(ACQUIRE_TIMEOUT, self.acquire()).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) if error.is_connection_broken() || !has_connections => {
                return Err(error);
            }
            Ok(Err(_)) | Err(_) => {
                return self.check_load(has_connections, had_idle, answers_before);
            }
        };
        // Limited, because a recently used connection was not tested, and a frozen server never
        // answers.
        let checked =
            match tokio::time::timeout(ANSWER_TIMEOUT, self.check_session(&mut connection)).await {
                Ok(checked) => checked,
                Err(_) => Err(unreachable(format!("no answer from postgres at {}", self.place()))),
            };
        if let Err(error) = &checked
            && self.state.record_fault(error)
        {
            connection.discard();
        }
        checked.map(|()| true)
    }

    /// Distinguishes load from a server that does not answer, when no connection was free in time.
    fn check_load(
        &self,
        has_connections: bool,
        had_idle: bool,
        answers_before: u64,
    ) -> Result<bool, Error> {
        if has_connections && self.state.answers() != answers_before {
            return Ok(false);
        }
        // The watch is woken here, because a balancer that obeys the health sends no requests, which
        // would wake it otherwise.
        self.state.check_request.notify_one();
        // Not load, because an idle connection was available and has not answered its test.
        if !has_connections || (had_idle && !self.is_busy()) {
            return Err(unreachable(format!("no answer from postgres at {}", self.place())));
        }
        Ok(false)
    }

    async fn check_session(&self, connection: &mut PgConnection) -> Result<(), Error> {
        if !self.state.asks_for_role() {
            return Ok(connection.ping().await?);
        }
        let role = probe(connection).await?.role;
        if role.read_only && self.state.expects_writes {
            return Err(Error::new(Kind::Unavailable, self.read_only(role))
                .with_scope(FaultScope::ReadOnlySession));
        }
        Ok(())
    }
}
