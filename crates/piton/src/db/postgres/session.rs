//! Opens connections: tries each server in turn, and recognises a pooler in front of it.

use std::iter::once;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use sqlx::{ConnectOptions, Connection, PgConnection, Row as _};
use tracing::{info, warn};

use super::Store;
use super::error::{is_of_pooler, refusal};
use super::state::{Pooling, Probe, Role, probe};
use crate::db::error::{Concern, Error, Kind};
use crate::db::settings::{PgBouncer, SessionTarget};

/// How long each of several servers may take to answer, before the next one is tried. Only if none
/// answers is each given the whole connect timeout.
const FIRST_ROUND_TIMEOUT: Duration = Duration::from_secs(1);

/// The index of the endpoint that the pool connects to, and whether a pooler is in front of it.
pub(super) struct InUse(Mutex<(usize, bool)>);

/// Returns the number of the server's process that serves the session.
async fn backend_pid(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    sqlx::raw_sql("SELECT pg_backend_pid()").fetch_one(connection).await?.try_get(0)
}

impl InUse {
    pub fn new(is_pooled: bool) -> Self {
        Self(Mutex::new((0, is_pooled)))
    }

    pub fn index(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Sets the endpoint in use, and returns the previous one.
    fn replace(&self, index: usize, is_pooled: bool) -> (usize, bool) {
        let mut in_use = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *in_use, (index, is_pooled))
    }
}

impl Store {
    /// Returns `host:port/database` of the server in use, for messages.
    pub(super) fn place(&self) -> String {
        self.place_of(self.in_use.index())
    }

    fn place_of(&self, index: usize) -> String {
        self.server.place(&self.server.endpoints[index])
    }

    /// Returns the reason why writes fail, and the fix.
    pub(super) fn read_only(&self, role: Role) -> String {
        let (why, fix) = match role.standby {
            true => ("it is a standby", "promote it"),
            false => (
                "its sessions cannot write",
                "reset `default_transaction_read_only` of the server, the database or the role",
            ),
        };
        format!(
            "postgres at {} is read-only ({why}): {fix}, or name the one that can write; where a service \
             only reads, set db.target_session_attrs to `any`",
            self.place()
        )
    }

    /// Opens a connection outside of the pool, to the first server with the required role. From
    /// then on the pool connects to the same server.
    ///
    /// # Errors
    /// The reason of each server.
    pub(super) async fn open(&self) -> Result<(PgConnection, Role), Error> {
        let limit = self.server.connect_timeout;
        if self.server.endpoints.len() > 1 && limit > FIRST_ROUND_TIMEOUT {
            // A frozen server must not keep us from the one that replaced it.
            let begin = Instant::now();
            let opened = self.open_within(FIRST_ROUND_TIMEOUT).await;
            if opened.is_ok() || begin.elapsed() < FIRST_ROUND_TIMEOUT {
                return opened;
            }
        }
        self.open_within(limit).await
    }

    /// Opens a connection as [`open`](Self::open) does; each server may take until `limit`.
    async fn open_within(&self, limit: Duration) -> Result<(PgConnection, Role), Error> {
        let first = self.in_use.index();
        let others = (0..self.server.endpoints.len()).filter(|index| *index != first);
        let mut spare = None;
        let mut lost = false;
        let mut failures = Vec::new();
        for index in once(first).chain(others) {
            let (connection, role) = match self.open_at(index, limit).await {
                Ok(opened) => opened,
                Err(error) => {
                    lost |= index == first && error.is_of_connection();
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
            failures.push(Error::gone(format!("postgres at {} {why}", self.place_of(index))));
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
        let all_refuse = failures.iter().all(|error| error.concern() == Concern::Refused);
        let concern = match failures.first().map(Error::concern) {
            Some(Concern::Refused) if !all_refuse => Concern::Connection,
            Some(concern) => concern,
            None => Concern::Connection,
        };
        let each: Vec<String> = failures.iter().map(ToString::to_string).collect();
        let target = self.state.target;
        let text =
            format!("no server that suits target_session_attrs={target}: {}", each.join("; "));
        Error::new(Kind::Unavailable, text).with_concern(concern)
    }

    /// Points the pool at an endpoint, and discards connections to another one. If that one is
    /// `lost`, statements do not wait for it any longer.
    fn use_endpoint(&self, index: usize, lost: bool) {
        let is_pooled = self.state.pooling().is_pooled();
        let (before, was_pooled) = self.in_use.replace(index, is_pooled);
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

    /// Discards all connections of the pool.
    pub(super) fn renew(&self) {
        self.state.renew();
        // Connections in use are discarded when they would go to the next request.
        for _ in 0..self.pool.num_idle() {
            let Some(connection) = self.pool.try_acquire() else { return };
            // Closing waits for the server, for up to 5 s, and would keep the place in the pool.
            drop(connection.detach());
        }
    }

    async fn open_at(&self, index: usize, limit: Duration) -> Result<(PgConnection, Role), Error> {
        let mut opened = self.dial(index, limit).await;
        if self.state.pooling() == Pooling::Unknown {
            let found = match &opened {
                Ok((_, probe)) => !probe.is_direct,
                Err(error) => is_of_pooler(error),
            };
            if found {
                self.found_pooler(index)?;
                opened = self.dial(index, limit).await;
            } else if opened.is_ok() {
                self.state.set_pooling(Pooling::Direct);
            }
        }
        let (mut connection, probe) = opened.map_err(|error| self.cannot_connect(error, index))?;
        if self.server.pgbouncer == PgBouncer::Off && !probe.is_direct {
            return Err(Error::refused(format!(
                "a pooler stands before postgres at {}, and db.pgbouncer is `off`: set it to `transaction`, to \
                 `session`, or to `auto`",
                self.place_of(index)
            )));
        }
        if self.state.pooling() == Pooling::Session {
            let begun = self.state.begin_session(&mut connection).await;
            begun.map_err(|error| self.cannot_connect(error, index))?;
        }
        Ok((connection, probe.role))
    }

    /// Refuses a pooler that is declared to keep a session for each connection and does not.
    ///
    /// # Errors
    /// The connection failed, or the pooler gives a session to each transaction.
    pub(super) async fn check_sessions(&self, connection: &mut PgConnection) -> Result<(), Error> {
        if self.state.pooling() != Pooling::Session {
            return Ok(());
        }
        let (index, limit) =
            (self.in_use.index(), self.server.connect_timeout.min(FIRST_ROUND_TIMEOUT));
        // A pooler that has no second session to give keeps the first one for us.
        let Ok((mut other, _)) = self.dial(index, limit).await else { return Ok(()) };
        let kept = async {
            let first = backend_pid(connection).await?;
            // Poolers give the session that was used last, or all in turn.
            let second = backend_pid(connection).await?;
            let of_other = backend_pid(&mut other).await?;
            let third = backend_pid(connection).await?;
            Ok::<_, sqlx::Error>(first == second && first == third && first != of_other)
        };
        let kept = tokio::time::timeout(limit, kept).await;
        let _ = other.close().await;
        match kept {
            Ok(Ok(false)) => Err(Error::refused(format!(
                "the pooler before postgres at {} gives a session to each transaction, and db.pgbouncer is \
                 `session`: set it to `transaction`",
                self.place_of(index)
            ))),
            Ok(Err(error)) => Err(self.cannot_connect(error, index)),
            Ok(Ok(true)) => Ok(()),
            Err(_) => {
                Err(Error::gone(format!("no answer from postgres at {}", self.place_of(index))))
            }
        }
    }

    fn found_pooler(&self, index: usize) -> Result<(), Error> {
        let place = self.place_of(index);
        if self.server.has_options() {
            return Err(Error::refused(format!(
                "postgres at {place} stands behind a pooler, which does not pass on the `options` of the address: \
                 give them to the role (`ALTER ROLE .. SET ..`) and remove them"
            )));
        }
        warn!(
            "A pooler such as PgBouncer stands before postgres at {place}: each statement is run in a transaction of \
             its own. Where it keeps a session for each connection, set db.pgbouncer to `session`, which is faster"
        );
        self.state.set_pooling(Pooling::Transaction);
        Ok(())
    }

    /// Connects and asks the session for its role, both within `limit`.
    async fn dial(
        &self,
        index: usize,
        limit: Duration,
    ) -> Result<(PgConnection, Probe), sqlx::Error> {
        let is_pooled = self.state.pooling().is_pooled();
        let endpoint = &self.server.endpoints[index];
        let options = self.server.connect_options(endpoint, &self.app, is_pooled);
        let dialled = async {
            let mut connection = options.connect().await?;
            let probe = probe(&mut connection).await?;
            Ok((connection, probe))
        };
        match tokio::time::timeout(limit, dialled).await {
            Ok(dialled) => dialled,
            Err(_) => {
                let limit = humantime::format_duration(limit);
                let why = format!("no answer within {limit}");
                Err(std::io::Error::new(std::io::ErrorKind::TimedOut, why).into())
            }
        }
    }

    /// Returns the error of a failed attempt. It is never permanent, because a network, a password
    /// or a missing database may be repaired on the server.
    pub(super) fn cannot_connect(&self, error: sqlx::Error, index: usize) -> Error {
        let place = self.place_of(index);
        if let Some(why) = refusal(&error, &place, &self.server.user) {
            return Error::refused(why);
        }
        let error = match &error {
            sqlx::Error::Io(io) => Error::gone(io.to_string()),
            _ => Error::from(error).with_kind(Kind::Unavailable),
        };
        error.while_doing(format_args!("connect to postgres at {place}"))
    }
}
