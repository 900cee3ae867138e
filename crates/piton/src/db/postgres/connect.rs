//! Opens a connection to one server, and detects a pooler in front of it. The choice of the server is in
//! `failover.rs`.

use std::time::Duration;

use sqlx::{ConnectOptions, Connection, PgConnection, Row as _};
use tracing::{info, warn};

use super::error::{is_of_pooler, refusal, refused, unreachable};
use super::failover::FIRST_ROUND_TIMEOUT;
use super::migrate;
use super::session_probe::{Pooling, SessionProbe, SessionRole, probe};
use super::store::Store;
use crate::db::error::{Error, Kind};
use crate::db::migrations::compare::{AppliedMigration, require_none};
use crate::db::setting_enums::PgBouncer;

/// Returns the ID of the server's process that serves the session.
async fn backend_pid(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    sqlx::raw_sql("SELECT pg_backend_pid()").fetch_one(connection).await?.try_get(0)
}

impl Store {
    /// Connects to the server and brings the schema up to date. Safe to call again, and from several
    /// replicas at once.
    pub async fn connect(&self) -> Result<(), Error> {
        let (mut connection, role) = self.open().await?;
        let outcome = match self.check_sessions(&mut connection).await {
            Ok(()) => self.prepare_schema(&mut connection).await,
            Err(error) => Err(error),
        };
        let _ = connection.close().await;
        outcome?;
        self.state.fault.send_replace(None);
        info!("Database connected at {}@{}", self.place(), self.server.user);
        if role.read_only && self.state.expects_writes {
            // Accepted, because reads work. The watch reports this, and looks for a session that can
            // write.
            self.state.suspect_read_only();
        }
        Ok(())
    }

    async fn prepare_schema(&self, connection: &mut PgConnection) -> Result<(), Error> {
        if self.migrations.run_at_start() {
            return self.migrate(connection).await.map(drop);
        }
        require_none(self.compare(connection).await?.pending)
    }

    /// Runs pending migrations, for the command `migrate up`.
    pub async fn migrate_now(&self) -> Result<Vec<&'static str>, Error> {
        let (mut connection, _) = self.open().await?;
        let outcome = self.migrate(&mut connection).await;
        let _ = connection.close().await;
        outcome
    }

    /// Returns the migrations that have run, for the command `migrate status`.
    pub async fn applied(&self) -> Result<Vec<AppliedMigration>, Error> {
        let (mut connection, _) = self.open().await?;
        let outcome = migrate::applied(&mut connection).await;
        let _ = connection.close().await;
        outcome
    }

    /// Returns `host:port/database` of the server in use, for messages.
    pub(super) fn place(&self) -> String {
        self.place_of(self.endpoint.index())
    }

    pub(super) fn place_of(&self, index: usize) -> String {
        self.server.place(&self.server.endpoints[index])
    }

    /// Returns the reason why writes fail, and the fix.
    pub(super) fn read_only(&self, role: SessionRole) -> String {
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

    /// Discards all connections of the pool.
    pub(super) fn renew(&self) {
        self.state.renew();
        // Only idle ones, because those in use are discarded before the next request gets them.
        for _ in 0..self.pool.num_idle() {
            let Some(connection) = self.pool.try_acquire() else { return };
            // Detached and not closed, because closing waits for the server for up to 5 s, and would
            // hold the place in the pool.
            drop(connection.detach());
        }
    }

    /// Opens a connection to one server.
    pub(super) async fn open_at(
        &self,
        index: usize,
        limit: Duration,
    ) -> Result<(PgConnection, SessionRole), Error> {
        let mut opened = self.connect_to(index, limit).await;
        if self.state.pooling() == Pooling::Unknown {
            let is_pooler = match &opened {
                Ok((_, probe)) => !probe.is_direct,
                Err(error) => is_of_pooler(error),
            };
            if is_pooler {
                self.enable_transaction_pooling(index)?;
                opened = self.connect_to(index, limit).await;
            } else if opened.is_ok() {
                self.state.set_pooling(Pooling::Direct);
            }
        }
        let (mut connection, probe) = opened.map_err(|error| self.cannot_connect(error, index))?;
        if self.server.pgbouncer == PgBouncer::Off && !probe.is_direct {
            return Err(refused(format!(
                "a pooler stands before postgres at {}, and db.pgbouncer is `off`: set it to `transaction`, to \
                 `session`, or to `auto`",
                self.place_of(index)
            )));
        }
        if self.state.pooling() == Pooling::Session {
            let started = self.state.begin_session(&mut connection).await;
            started.map_err(|error| self.cannot_connect(error, index))?;
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
            (self.endpoint.index(), self.server.connect_timeout.min(FIRST_ROUND_TIMEOUT));
        // A failure is accepted, because a pooler without a second session keeps the first one for us.
        let Ok((mut other, _)) = self.connect_to(index, limit).await else { return Ok(()) };
        let is_kept = async {
            let first = backend_pid(connection).await?;
            // Asked several times, because poolers give the session that was used last, or all in turn.
            let second = backend_pid(connection).await?;
            let of_other = backend_pid(&mut other).await?;
            let third = backend_pid(connection).await?;
            Ok::<_, sqlx::Error>(first == second && first == third && first != of_other)
        };
        let is_kept = tokio::time::timeout(limit, is_kept).await;
        let _ = other.close().await;
        match is_kept {
            Ok(Ok(false)) => Err(refused(format!(
                "the pooler before postgres at {} assigns a session to each transaction, and db.pgbouncer is \
                 `session`: set it to `transaction`",
                self.place_of(index)
            ))),
            Ok(Err(error)) => Err(self.cannot_connect(error, index)),
            Ok(Ok(true)) => Ok(()),
            Err(_) => {
                Err(unreachable(format!("no answer from postgres at {}", self.place_of(index))))
            }
        }
    }

    /// Switches to statements that run in a transaction each.
    ///
    /// # Errors
    /// The address has `options`, which a pooler does not pass on.
    fn enable_transaction_pooling(&self, index: usize) -> Result<(), Error> {
        let place = self.place_of(index);
        if self.server.has_options() {
            return Err(refused(format!(
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
    async fn connect_to(
        &self,
        index: usize,
        limit: Duration,
    ) -> Result<(PgConnection, SessionProbe), sqlx::Error> {
        let is_pooled = self.state.pooling().is_pooled();
        let endpoint = &self.server.endpoints[index];
        let options = self.server.connect_options(endpoint, &self.app, is_pooled);
        let connecting = async {
            let mut connection = options.connect().await?;
            let probe = probe(&mut connection).await?;
            Ok((connection, probe))
        };
        match tokio::time::timeout(limit, connecting).await {
            Ok(connected) => connected,
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
            return refused(why);
        }
        let error = match &error {
            sqlx::Error::Io(io) => unreachable(io.to_string()),
            _ => Error::from(error).with_kind(Kind::Unavailable),
        };
        error.while_doing(format_args!("connect to postgres at {place}"))
    }
}
