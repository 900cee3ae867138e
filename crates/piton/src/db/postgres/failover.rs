//! Failover between several servers: chooses the first that answers and has the required role, and points
//! the pool at it.

use std::iter::once;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sqlx::{Connection, PgConnection};
use tracing::info;

use super::error::unreachable;
use super::session_probe::SessionRole;
use super::store::Store;
use crate::db::error::{Error, FaultScope, Kind};
use crate::db::setting_enums::SessionTarget;

/// Timeout for each of several servers, after which the next one is tried. Only if none answers is
/// each given the whole connect timeout.
pub(super) const FIRST_ROUND_TIMEOUT: Duration = Duration::from_secs(1);

/// The endpoint that the pool connects to, by its index, and a flag for a pooler in front of it.
pub(super) struct ActiveEndpoint(Mutex<(usize, bool)>);

impl ActiveEndpoint {
    pub fn new(is_pooled: bool) -> Self {
        Self(Mutex::new((0, is_pooled)))
    }

    /// Returns the position of the endpoint in the list of the settings.
    pub fn index(&self) -> usize {
        self.0.lock().0
    }

    /// Sets the active endpoint, and returns the previous one.
    pub fn replace(&self, index: usize, is_pooled: bool) -> (usize, bool) {
        std::mem::replace(&mut *self.0.lock(), (index, is_pooled))
    }
}

impl Store {
    /// Opens a connection outside of the pool, to the first server with the required role. From
    /// then on the pool connects to the same server.
    ///
    /// # Errors
    /// The reasons of all servers.
    pub(super) async fn open(&self) -> Result<(PgConnection, SessionRole), Error> {
        let limit = self.server.connect_timeout;
        if self.server.endpoints.len() > 1 && limit > FIRST_ROUND_TIMEOUT {
            // A short round first, so that a frozen server does not delay the one that replaced it.
            let started = Instant::now();
            let opened = self.open_within(FIRST_ROUND_TIMEOUT).await;
            if opened.is_ok() || started.elapsed() < FIRST_ROUND_TIMEOUT {
                return opened;
            }
        }
        self.open_within(limit).await
    }

    /// Opens a connection as [`open`](Self::open) does; each server may take until `limit`.
    async fn open_within(&self, limit: Duration) -> Result<(PgConnection, SessionRole), Error> {
        let first = self.endpoint.index();
        let others = (0..self.server.endpoints.len()).filter(|index| *index != first);
        let mut spare = None;
        let mut lost = false;
        let mut failures = Vec::new();
        for index in once(first).chain(others) {
            let (connection, role) = match self.open_at(index, limit).await {
                Ok(opened) => opened,
                Err(error) => {
                    lost |= index == first && error.is_connection_broken();
                    failures.push(error);
                    continue;
                }
            };
            let Some(why) = role.unsuitable(self.state.target) else {
                self.use_endpoint(index, lost);
                return Ok((connection, role));
            };
            if self.state.target == SessionTarget::PreferStandby && spare.is_none() {
                spare = Some((index, connection, role));
                continue;
            }
            let _ = connection.close().await;
            failures.push(unreachable(format!("postgres at {} {why}", self.place_of(index))));
        }
        if let Some((index, connection, role)) = spare {
            self.use_endpoint(index, lost);
            return Ok((connection, role));
        }
        Err(self.none_of(failures))
    }

    /// Combines the failures of all servers into one error. Its scope is that of the first failure,
    /// which is the one of the server in use.
    fn none_of(&self, mut failures: Vec<Error>) -> Error {
        if failures.len() == 1 {
            return failures.remove(0);
        }
        let all_refuse =
            failures.iter().all(|error| error.scope() == FaultScope::ConnectionsRefused);
        let scope = match failures.first().map(Error::scope) {
            Some(FaultScope::ConnectionsRefused) if !all_refuse => FaultScope::Connection,
            Some(scope) => scope,
            None => FaultScope::Connection,
        };
        let each: Vec<String> = failures.iter().map(ToString::to_string).collect();
        let target = self.state.target;
        let text =
            format!("no server that suits target_session_attrs={target}: {}", each.join("; "));
        Error::new(Kind::Unavailable, text).with_scope(scope)
    }

    /// Points the pool at an endpoint, and discards connections to another one. If that one is
    /// `lost`, statements do not wait for it any longer.
    fn use_endpoint(&self, index: usize, lost: bool) {
        let is_pooled = self.state.pooling().is_pooled();
        let (before, was_pooled) = self.endpoint.replace(index, is_pooled);
        if (before, was_pooled) == (index, is_pooled) {
            return;
        }
        let endpoint = &self.server.endpoints[index];
        let options = self.server.connect_options(endpoint, &self.app, is_pooled);
        self.pool.set_connect_options(options);
        self.renew();
        if before != index {
            if lost {
                self.state.abandon();
            }
            info!("The database is now the one at {}", self.place());
        }
    }
}
