//! Tracks the state of the server while the service runs, for the pool, its connections and the
//! watch: whether it can do its work, and which connections are too old to be used.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, PgConnection, SqlSafeStr, SqlStr};
use tokio::sync::{Notify, watch};

use super::error::unreachable;
use super::server_config::ServerConfig;
use super::session_probe::{Pooling, probe};
use crate::db::error::{Error, FaultScope};
use crate::db::setting_enums::{PgBouncer, SessionTarget};

/// Time for which a full disk is reported after the last write that failed for it. It is limited,
/// because a service that is not ready gets no writes, and would never notice free space again.
const DISK_FULL_GRACE: Duration = Duration::from_secs(30);

/// Time without any answer after which a statement makes the watch check the server. A server that
/// vanished from the network never answers, and never fails either.
const SILENCE_BEFORE_CHECK: Duration = Duration::from_secs(1);

/// The reason why the server cannot do all of its work at the moment.
#[derive(Clone, Debug)]
pub(super) enum ServerFault {
    /// No server can be reached.
    Unreachable(String),
    /// The server refuses our connections: a password, a database, TLS.
    ConnectionsRefused(String),
    /// The server answers, and refuses writes.
    ReadOnly(String),
    /// Existing connections answer, and no new one can be opened.
    NoNewConnection(String),
}

/// The state of the server, shared by the pool, its connections and the watch.
pub(super) struct ServerState {
    started: Instant,
    /// Connections made before this time are discarded; in microseconds after `started`.
    renewed_at_us: AtomicU64,
    /// The time of the last write that failed on a full disk, in microseconds after `started`; 0
    /// means never.
    disk_full_at_us: AtomicU64,
    /// Set when a session refused a write that another server, or a newer session, might accept.
    suspects_read_only: AtomicBool,
    /// The number of statements that the server has answered.
    answers: AtomicU64,
    /// Incremented when existing connections are discarded.
    pub renewals: watch::Sender<u64>,
    /// Incremented when another server replaces one that does not answer.
    abandonments: watch::Sender<u64>,
    /// A [`Pooling`]. Atomic, because it is read for every statement.
    pooling: AtomicU8,
    pub fault: watch::Sender<Option<ServerFault>>,
    /// Wakes the watch when something may be wrong with the server.
    pub check_request: Notify,
    pub target: SessionTarget,
    pub expects_writes: bool,
    statement_timeout_ms: u128,
}

impl ServerState {
    pub fn new(server: &ServerConfig) -> Self {
        let pooling = match server.pgbouncer {
            PgBouncer::Auto => Pooling::Unknown,
            PgBouncer::Off => Pooling::Direct,
            PgBouncer::Session => Pooling::Session,
            PgBouncer::Transaction => Pooling::Transaction,
        };
        Self {
            started: Instant::now(),
            renewed_at_us: AtomicU64::new(0),
            disk_full_at_us: AtomicU64::new(0),
            suspects_read_only: AtomicBool::new(false),
            answers: AtomicU64::new(0),
            renewals: watch::Sender::new(0),
            abandonments: watch::Sender::new(0),
            pooling: AtomicU8::new(pooling as u8),
            fault: watch::Sender::new(None),
            check_request: Notify::new(),
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
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Discards all connections that exist now.
    pub fn renew(&self) {
        self.renewed_at_us.store(self.now_us(), Ordering::Relaxed);
        self.renewals.send_modify(|renewals| *renewals += 1);
    }

    /// Ends the statements that wait for a server that is not in use any more.
    pub fn abandon(&self) {
        self.abandonments.send_modify(|abandonments| *abandonments += 1);
    }

    /// Returns the number of statements that the server has answered.
    pub fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// Waits for the server to answer `statement`. Makes the watch check the server if it answers
    /// nothing for a while.
    ///
    /// # Errors
    /// Those of `statement`; or another server replaced this one, and the connection is unusable.
    pub async fn answer<T>(
        &self,
        statement: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let answers_before = self.answers();
        let mut abandoned = self.abandonments.subscribe();
        let mut silence = std::pin::pin!(tokio::time::sleep(SILENCE_BEFORE_CHECK));
        let mut statement = std::pin::pin!(statement);
        let mut check_requested = false;
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
                    return Err(unreachable(why));
                }
                () = &mut silence, if !check_requested => {
                    check_requested = true;
                    if self.answers() == answers_before {
                        self.check_request.notify_one();
                    }
                }
            }
        }
    }

    /// Returns whether a connection of that age was made before [`renew`](Self::renew).
    pub fn is_outdated(&self, age: Duration) -> bool {
        let renewed_at_us = self.renewed_at_us.load(Ordering::Relaxed);
        let age_us = u64::try_from(age.as_micros()).unwrap_or(u64::MAX);
        renewed_at_us > 0 && self.now_us().saturating_sub(age_us) < renewed_at_us
    }

    pub fn is_read_only(&self) -> bool {
        matches!(*self.fault.borrow(), Some(ServerFault::ReadOnly(_)))
    }

    /// Discards the existing sessions, as all of them belong to one server, and makes the watch
    /// look for one that can write.
    pub fn suspect_read_only(&self) {
        if !self.is_read_only() {
            self.renew();
            self.suspects_read_only.store(true, Ordering::Relaxed);
            self.check_request.notify_one();
        }
    }

    /// Clears the suspicion, and returns whether there was one.
    pub fn take_suspicion(&self) -> bool {
        self.suspects_read_only.swap(false, Ordering::Relaxed)
    }

    /// Records a fault of the server. Returns whether the connection is to be discarded.
    pub fn record_fault(&self, error: &Error) -> bool {
        match error.scope() {
            FaultScope::Statement | FaultScope::FileUnwritable | FaultScope::FileDamaged => false,
            FaultScope::StaleStatement => true,
            FaultScope::Connection | FaultScope::ConnectionsRefused => {
                self.check_request.notify_one();
                true
            }
            // Not discarded, because the server is known to be read-only, and another connection would
            // be no better.
            FaultScope::ReadOnlySession if self.is_read_only() => false,
            FaultScope::ReadOnlySession => {
                self.suspect_read_only();
                true
            }
            FaultScope::ServerDiskFull => {
                self.disk_full_at_us.store(self.now_us().max(1), Ordering::Relaxed);
                false
            }
        }
    }

    /// Records a successful write.
    pub fn record_write(&self) {
        if self.disk_full_at_us.load(Ordering::Relaxed) > 0 {
            self.disk_full_at_us.store(0, Ordering::Relaxed);
        }
    }

    pub fn is_disk_full(&self) -> bool {
        let at_us = self.disk_full_at_us.load(Ordering::Relaxed);
        let grace_us = u64::try_from(DISK_FULL_GRACE.as_micros()).unwrap_or(u64::MAX);
        at_us > 0 && self.now_us().saturating_sub(at_us) < grace_us
    }

    /// Returns whether the role of a server matters.
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
            self.check_request.notify_one();
            return Err(sqlx::Error::Protocol(format!("the server {why}")));
        }
        if role.read_only && self.expects_writes {
            self.suspect_read_only();
        }
        Ok(())
    }
}
