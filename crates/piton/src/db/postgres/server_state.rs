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

/// Time for the server to answer on a released connection, once it should have ended the connection's last
/// statement, or has become unreachable for others.
const RELEASE_GRACE: Duration = Duration::from_secs(5);

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

    /// Returns a receiver that changes with each [`abandon`](Self::abandon) from now on.
    pub fn abandonments(&self) -> watch::Receiver<u64> {
        self.abandonments.subscribe()
    }

    /// Returns the number of statements that the server has answered.
    pub fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// Waits for the server to answer `statement` on a connection with these abandonments. Makes the watch
    /// check the server if it answers nothing for a while.
    ///
    /// # Errors
    /// Those of `statement`; or another server replaced this one, and the connection is unusable.
    pub async fn answer<T>(
        &self,
        mut abandonments: watch::Receiver<u64>,
        statement: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let answers_before = self.answers();
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
                _ = abandonments.changed() => {
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

    /// Waits for `release`, which asks the server on a connection that nobody waits for. Returns `None` once
    /// no answer is to be expected.
    pub async fn unless_lost<T>(
        &self,
        mut abandonments: watch::Receiver<u64>,
        release: impl Future<Output = T>,
    ) -> Option<T> {
        tokio::select! {
            biased;
            released = release => Some(released),
            _ = abandonments.changed() => None,
            () = self.until_silent() => None,
        }
    }

    /// Waits for [`RELEASE_GRACE`] after the server has become unreachable, or after the longest statement.
    async fn until_silent(&self) {
        let statement_ended = async {
            match u64::try_from(self.statement_timeout_ms) {
                Ok(limit_ms @ 1..) => tokio::time::sleep(Duration::from_millis(limit_ms)).await,
                // A statement without a limit may take as long as it likes.
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            () = statement_ended => {}
            _ = self.until_unreachable() => {}
        }
        // Not at once, because a pooler without a free session serves the connections that exist.
        tokio::time::sleep(RELEASE_GRACE).await;
    }

    /// Waits until the server is unreachable, and returns the reason.
    pub async fn until_unreachable(&self) -> String {
        let mut fault = self.fault.subscribe();
        let is_unreachable =
            |fault: &Option<ServerFault>| matches!(fault, Some(ServerFault::Unreachable(_)));
        let unreachable = fault.wait_for(is_unreachable).await;
        match unreachable.as_deref() {
            Ok(Some(ServerFault::Unreachable(why))) => why.clone(),
            _ => String::new(),
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
            FaultScope::Statement
            | FaultScope::MissingTable
            | FaultScope::FileUnwritable
            | FaultScope::FileDamaged => false,
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

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::Instant;

    use super::*;
    use crate::db::settings::DbSettings;

    fn state(statement_timeout: Duration) -> ServerState {
        let settings = DbSettings {
            host: Some("db".into()),
            user: Some("me".into()),
            database: Some("shop".into()),
            statement_timeout,
            ..DbSettings::default()
        };
        ServerState::new(&ServerConfig::from_settings(&settings).unwrap().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_released_connection_is_given_up_after_the_longest_statement() {
        let state = state(Duration::from_secs(20));
        let begin = Instant::now();
        assert_eq!(state.unless_lost(state.abandonments(), pending::<()>()).await, None);
        assert_eq!(begin.elapsed(), Duration::from_secs(20) + RELEASE_GRACE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_released_connection_has_a_grace_once_the_server_is_unreachable() {
        let state = state(Duration::ZERO);
        let released = state.unless_lost(state.abandonments(), pending::<()>());
        let day = Duration::from_secs(24 * 60 * 60);
        let mut released = std::pin::pin!(released);
        assert!(tokio::time::timeout(day, &mut released).await.is_err(), "no limit is set");
        state.fault.send_replace(Some(ServerFault::Unreachable("no answer".into())));
        let begin = Instant::now();
        assert_eq!(released.await, None);
        assert_eq!(begin.elapsed(), RELEASE_GRACE);
        let answered = state.unless_lost(state.abandonments(), async {}).await;
        assert_eq!(answered, Some(()), "existing connections may still be served");
    }

    #[tokio::test(start_paused = true)]
    async fn a_released_connection_is_given_up_once_another_server_is_in_use() {
        let state = state(Duration::ZERO);
        let abandonments = state.abandonments();
        state.abandon();
        assert_eq!(state.unless_lost(abandonments, pending::<()>()).await, None);
    }
}
