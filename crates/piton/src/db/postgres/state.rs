//! Tracks the state of the server while the service runs, for the pool, its connections and the
//! watch: whether it can do its work, and which connections are too old to be used.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, PgConnection, Row as _, SqlSafeStr, SqlStr};
use tokio::sync::{Notify, watch};

use super::server::Server;
use crate::db::error::{Concern, Error};
use crate::db::settings::{PgBouncer, SessionTarget};

/// Time for which a full disk is reported after the last write that failed for it. It is limited,
/// because a service that is not ready gets no writes, and would never notice free space again.
const DISK_FULL_GRACE: Duration = Duration::from_secs(30);

/// Time without any answer after which a statement makes the watch check the server. A server that
/// vanished from the network never answers, and never fails either.
const SILENCE_BEFORE_DOUBT: Duration = Duration::from_secs(1);

/// The reason why the server cannot do all of its work at the moment.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    /// No server can be reached.
    Away(String),
    /// The server refuses our connections: a password, a database, TLS.
    Refused(String),
    /// The server answers, and refuses writes.
    ReadOnly(String),
    /// Existing connections answer, and no new one comes about.
    Full(String),
}

/// The kind of pooler between the service and the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Pooling {
    /// No connection has been made yet.
    Unknown,
    /// No pooler.
    Direct,
    /// A pooler that assigns a server session to each connection.
    Session,
    /// A pooler that assigns a server session to each transaction.
    Transaction,
}

impl Pooling {
    /// Returns true if startup parameters do not reach the server.
    pub fn is_pooled(self) -> bool {
        matches!(self, Self::Session | Self::Transaction)
    }
}

/// The capabilities of a server's sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Role {
    pub standby: bool,
    pub read_only: bool,
}

impl Role {
    /// Returns the reason why a server in this role is not suitable, if it is not.
    pub fn unsuitable(self, target: SessionTarget) -> Option<&'static str> {
        match target {
            SessionTarget::Any => None,
            SessionTarget::ReadWrite if self.read_only => Some("is read-only"),
            SessionTarget::ReadOnly if !self.read_only => Some("is not read-only"),
            SessionTarget::Primary if self.standby => Some("is a standby"),
            SessionTarget::Standby | SessionTarget::PreferStandby if !self.standby => {
                Some("is not a standby")
            }
            _ => None,
        }
    }
}

pub(super) struct State {
    begun: Instant,
    /// Connections made before this time are discarded; in microseconds after `begun`.
    renewed_at_us: AtomicU64,
    /// The time of the last write that failed on a full disk, in microseconds after `begun`; 0
    /// means never.
    disk_full_at_us: AtomicU64,
    /// Set when a session refused a write that another server, or a newer session, might accept.
    suspects_read_only: AtomicBool,
    /// The number of statements that the server has answered.
    answers: AtomicU64,
    /// Incremented when existing connections are discarded.
    pub renewals: watch::Sender<u64>,
    /// Incremented when the server in use is given up for another one because it does not answer.
    abandonments: watch::Sender<u64>,
    /// A [`Pooling`]. Atomic, because it is read for every statement.
    pooling: AtomicU8,
    pub trouble: watch::Sender<Option<Trouble>>,
    /// Wakes the watch when something may be wrong with the server.
    pub doubt: Notify,
    pub target: SessionTarget,
    pub expects_writes: bool,
    statement_timeout_ms: u128,
}

impl State {
    pub fn new(server: &Server) -> Self {
        let pooling = match server.pgbouncer {
            PgBouncer::Auto => Pooling::Unknown,
            PgBouncer::Off => Pooling::Direct,
            PgBouncer::Session => Pooling::Session,
            PgBouncer::Transaction => Pooling::Transaction,
        };
        Self {
            begun: Instant::now(),
            renewed_at_us: AtomicU64::new(0),
            disk_full_at_us: AtomicU64::new(0),
            suspects_read_only: AtomicBool::new(false),
            answers: AtomicU64::new(0),
            renewals: watch::Sender::new(0),
            abandonments: watch::Sender::new(0),
            pooling: AtomicU8::new(pooling as u8),
            trouble: watch::Sender::new(None),
            doubt: Notify::new(),
            target: server.target,
            expects_writes: server.expects_writes,
            statement_timeout_ms: server.statement_timeout_ms(),
        }
    }

    pub fn pooling(&self) -> Pooling {
        let now = self.pooling.load(Ordering::Relaxed);
        let all = [Pooling::Direct, Pooling::Session, Pooling::Transaction];
        all.into_iter().find(|pooling| *pooling as u8 == now).unwrap_or(Pooling::Unknown)
    }

    pub fn set_pooling(&self, pooling: Pooling) {
        self.pooling.store(pooling as u8, Ordering::Relaxed);
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Discards all connections that exist now.
    pub fn renew(&self) {
        self.renewed_at_us.store(self.now_us(), Ordering::Relaxed);
        self.renewals.send_modify(|renewals| *renewals += 1);
    }

    /// Ends the statements that wait for an answer of a server that was given up.
    pub fn abandon(&self) {
        self.abandonments.send_modify(|abandonments| *abandonments += 1);
    }

    /// Returns the number of statements that the server has answered.
    pub fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// Waits for the answer of the server. Makes the watch check the server if nothing is answered
    /// for a while.
    ///
    /// # Errors
    /// Those of `statement`, or the server was given up meanwhile. The connection is unusable then.
    pub async fn answer<T>(
        &self,
        statement: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let before = self.answers();
        let mut abandoned = self.abandonments.subscribe();
        let mut silence = std::pin::pin!(tokio::time::sleep(SILENCE_BEFORE_DOUBT));
        let mut statement = std::pin::pin!(statement);
        let mut doubts = false;
        loop {
            tokio::select! {
                biased;
                outcome = &mut statement => {
                    if outcome.is_ok() {
                        self.answers.fetch_add(1, Ordering::Relaxed);
                    }
                    return outcome;
                }
                _ = abandoned.changed() => {
                    let why = "the server does not answer, and another one is in use now: whether the statement \
                        was run is not known";
                    return Err(Error::gone(why));
                }
                () = &mut silence, if !doubts => {
                    doubts = true;
                    if self.answers() == before {
                        self.doubt.notify_one();
                    }
                }
            }
        }
    }

    /// Returns true if a connection of that age was made before [`renew`](Self::renew).
    pub fn is_outdated(&self, age: Duration) -> bool {
        let renewed_at_us = self.renewed_at_us.load(Ordering::Relaxed);
        let age_us = u64::try_from(age.as_micros()).unwrap_or(u64::MAX);
        renewed_at_us > 0 && self.now_us().saturating_sub(age_us) < renewed_at_us
    }

    pub fn is_read_only(&self) -> bool {
        matches!(*self.trouble.borrow(), Some(Trouble::ReadOnly(_)))
    }

    /// Discards the existing sessions, as all of them belong to one server, and makes the watch
    /// look for one that can write.
    pub fn suspect_read_only(&self) {
        if !self.is_read_only() {
            self.renew();
            self.suspects_read_only.store(true, Ordering::Relaxed);
            self.doubt.notify_one();
        }
    }

    /// Clears the suspicion, and returns whether there was one.
    pub fn take_suspicion(&self) -> bool {
        self.suspects_read_only.swap(false, Ordering::Relaxed)
    }

    /// Records an error about the server. Returns true if the connection is to be discarded.
    pub fn note(&self, error: &Error) -> bool {
        match error.concern() {
            Concern::Statement => false,
            Concern::StaleStatement => true,
            Concern::Connection | Concern::Refused => {
                self.doubt.notify_one();
                true
            }
            // The server is known to be read-only, so another connection would be no better.
            Concern::ReadOnly if self.is_read_only() => false,
            Concern::ReadOnly => {
                self.suspect_read_only();
                true
            }
            Concern::DiskFull => {
                self.disk_full_at_us.store(self.now_us().max(1), Ordering::Relaxed);
                false
            }
        }
    }

    /// Records a successful write.
    pub fn note_write(&self) {
        if self.disk_full_at_us.load(Ordering::Relaxed) > 0 {
            self.disk_full_at_us.store(0, Ordering::Relaxed);
        }
    }

    pub fn is_disk_full(&self) -> bool {
        let at_us = self.disk_full_at_us.load(Ordering::Relaxed);
        let grace_us = u64::try_from(DISK_FULL_GRACE.as_micros()).unwrap_or(u64::MAX);
        at_us > 0 && self.now_us().saturating_sub(at_us) < grace_us
    }

    /// Returns true if the role of a server matters.
    pub fn asks_for_role(&self) -> bool {
        self.expects_writes || self.target != SessionTarget::Any
    }

    /// Returns the statement that begins a transaction. Behind a pooler it also sets the timeout,
    /// because the session's settings are shared with other clients.
    pub fn begin_sql(&self) -> SqlStr {
        match (self.pooling(), self.statement_timeout_ms) {
            (Pooling::Transaction, limit_ms @ 1..) => {
                let sql = format!("BEGIN; SET LOCAL statement_timeout = {limit_ms}");
                AssertSqlSafe(sql).into_sql_str()
            }
            _ => "BEGIN".into_sql_str(),
        }
    }

    /// Prepares a new session.
    ///
    /// # Errors
    /// The connection failed, or the server does not have the required role.
    pub async fn begin_session(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.pooling() == Pooling::Session && self.statement_timeout_ms > 0 {
            let sql = format!("SET statement_timeout = {}", self.statement_timeout_ms);
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await?;
        }
        if !self.asks_for_role() {
            return Ok(());
        }
        let role = probe(connection).await?.role;
        let unsuitable = role.unsuitable(self.target);
        if let Some(why) = unsuitable.filter(|_| self.target != SessionTarget::PreferStandby) {
            self.doubt.notify_one();
            return Err(sqlx::Error::Protocol(format!("the server {why}")));
        }
        if role.read_only && self.expects_writes {
            self.suspect_read_only();
        }
        Ok(())
    }
}

/// The answers of a session to [`probe`].
pub(super) struct Probe {
    pub role: Role,
    /// Set if the startup parameters have reached the server.
    pub is_direct: bool,
}

/// Asks a session for its role. Recognises a pooler by `extra_float_digits=2`, which sqlx sends
/// with each startup, other clients do not by default, and poolers do not pass on.
///
/// # Errors
/// The connection failed. A server that does not support the query counts as one that can write.
pub(super) async fn probe(connection: &mut PgConnection) -> Result<Probe, sqlx::Error> {
    const SQL: &str = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on', \
        current_setting('extra_float_digits') = '2'";
    let row = match sqlx::raw_sql(SQL).fetch_one(connection).await {
        Err(sqlx::Error::Database(error))
            if error.code().is_some_and(|code| &code[..2] == "42") =>
        {
            return Ok(Probe { role: Role::default(), is_direct: true });
        }
        row => row?,
    };
    let role = Role { standby: row.try_get(0)?, read_only: row.try_get(1)? };
    Ok(Probe { role, is_direct: row.try_get(2)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_suits_as_in_libpq() {
        let primary = Role::default();
        let standby = Role { standby: true, read_only: true };
        let locked = Role { standby: false, read_only: true };
        let suits = |target: SessionTarget| {
            [primary, standby, locked].map(|role| role.unsuitable(target).is_none())
        };
        assert_eq!(suits(SessionTarget::Any), [true, true, true]);
        assert_eq!(suits(SessionTarget::ReadWrite), [true, false, false]);
        assert_eq!(suits(SessionTarget::ReadOnly), [false, true, true]);
        assert_eq!(suits(SessionTarget::Primary), [true, false, true]);
        assert_eq!(suits(SessionTarget::Standby), [false, true, false]);
        assert_eq!(suits(SessionTarget::PreferStandby), [false, true, false]);
    }
}
