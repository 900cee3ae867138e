//! The PostgreSQL database: on a server, shared by any number of replicas of the service.
//!
//! The server may be unavailable when the service starts, may become so while it runs, or may be
//! replaced by another one. All of these are expected: meanwhile requests get 503 within moments,
//! because a watch in the background knows that the server is unavailable, and service resumes when
//! a server is back. A statement that may have reached the server is never sent a second time,
//! unless the server reports that it did not run it.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::{PgPool, PgPoolOptions};
use tracing::warn;

use super::error::{refused, unreachable};
use super::failover::ActiveEndpoint;
use super::pooled_connection::PooledConnection;
use super::server_config::ServerConfig;
use super::server_state::{ServerFault, ServerState};
use super::session_probe::Pooling;
use super::statement::{StatementMode, StatementOutcome};
use super::transaction::PostgresTransaction;
use crate::db::bounded_rows::RowLimit;
use crate::db::error::{Error, FaultScope, Kind};
use crate::db::migrations::service_migrations::MigrationSet;
use crate::db::row::Row;
use crate::db::settings::DbSettings;
use crate::db::sql_builder::BoundStatement;
use crate::db::statement_kind::StatementKind;

/// Maximum time that a connection may have been idle without being tested before its next use.
/// Below it, the statement itself notices that the server is unreachable.
const MAX_UNTESTED_IDLE: Duration = Duration::from_secs(1);

/// Timeout of the test of an idle connection, because a server that vanished from the network never
/// answers.
const TEST_TIMEOUT: Duration = Duration::from_secs(2);

/// Time that a request waits for a connection, with no statement answered meanwhile, before the
/// watch checks the server. It is shorter than the time that clients wait, because a client that
/// disconnects ends the wait, and the server would not be checked.
const WAIT_BEFORE_CHECK: Duration = Duration::from_millis(500);

/// A database on one server, or on the suitable one of several servers.
pub(in crate::db) struct Store {
    pub(super) pool: PgPool,
    pub(super) server: ServerConfig,
    pub(super) app: String,
    pub(super) state: Arc<ServerState>,
    pub(super) endpoint: ActiveEndpoint,
    pub(super) migrations: MigrationSet,
}

impl Store {
    /// Creates the pool. Opens nothing.
    ///
    /// # Errors
    /// [`Kind::Other`] if the settings do not name a server.
    pub fn new(settings: &DbSettings, app: &str, migrations: MigrationSet) -> Result<Self, Error> {
        let server = ServerConfig::from_settings(settings).map_err(|faults| {
            let faults = faults.iter().map(|(name, fault)| format!("db.{name}: {}", fault.why));
            Error::new(Kind::Other, faults.collect::<Vec<_>>().join("; "))
        })?;
        let server = server.ok_or_else(|| Error::new(Kind::Other, "no server is named"))?;
        let state = Arc::new(ServerState::new(&server));
        let endpoint = ActiveEndpoint::new(state.pooling().is_pooled());
        let options =
            server.connect_options(&server.endpoints[0], app, state.pooling().is_pooled());
        let pool = PgPoolOptions::new()
            .max_connections(settings.max_connections)
            .acquire_timeout(settings.acquire_timeout)
            .idle_timeout(settings.idle_timeout)
            .max_lifetime(settings.max_lifetime)
            // Off, because a ping before each use would double the round trips of every statement.
            .test_before_acquire(false)
            .before_acquire({
                let state = state.clone();
                move |connection, about| {
                    let is_outdated = state.is_outdated(about.age);
                    Box::pin(async move {
                        if is_outdated || about.idle_for < MAX_UNTESTED_IDLE {
                            return Ok(!is_outdated);
                        }
                        let test = tokio::time::timeout(TEST_TIMEOUT, connection.ping()).await;
                        Ok(matches!(test, Ok(Ok(()))))
                    })
                }
            })
            .after_connect({
                let state = state.clone();
                move |connection, _| {
                    let state = state.clone();
                    Box::pin(async move { state.begin_session(connection).await })
                }
            })
            .connect_lazy_with(options);
        Ok(Self { pool, server, app: app.to_owned(), state, endpoint, migrations })
    }

    pub fn migrations(&self) -> &MigrationSet {
        &self.migrations
    }

    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Returns a connection, or the reason why there is none, at once if it is known.
    pub(super) async fn acquire(&self) -> Result<PooledConnection, Error> {
        match &*self.state.fault.borrow() {
            Some(ServerFault::Unreachable(why)) => return Err(unreachable(why.clone())),
            Some(ServerFault::ConnectionsRefused(why)) if self.pool.size() == 0 => {
                return Err(refused(why.clone()));
            }
            _ => {}
        }
        self.acquire_unless_unreachable().await?.map_err(|error| match error {
            sqlx::Error::PoolClosed => error.into(),
            // The watch is woken, because waiting for a busy pool and for an unreachable server look
            // the same here.
            sqlx::Error::PoolTimedOut => {
                self.state.check_request.notify_one();
                error.into()
            }
            error => {
                self.state.check_request.notify_one();
                self.cannot_connect(error, self.endpoint.index())
            }
        })
    }

    /// Waits for a connection of the pool, as long as the server is not known to be unreachable.
    async fn acquire_unless_unreachable(
        &self,
    ) -> Result<Result<PooledConnection, sqlx::Error>, Error> {
        let answers_before = self.state.answers();
        let mut wait = std::pin::pin!(tokio::time::sleep(WAIT_BEFORE_CHECK));
        let mut check_requested = false;
        loop {
            let mut renewals = self.state.renewals.subscribe();
            let mut acquired = std::pin::pin!(self.pool.acquire());
            loop {
                tokio::select! {
                    biased;
                    acquired = &mut acquired => {
                        return Ok(acquired.map(|it| PooledConnection::new(it, self.state.clone())));
                    }
                    why = self.state.until_unreachable() => return Err(unreachable(why)),
                    // Started anew, because the pool may be connecting to a server that is not in use
                    // any more, and would hold the place in the pool.
                    _ = renewals.changed() => break,
                    () = &mut wait, if !check_requested => {
                        check_requested = true;
                        if self.state.answers() == answers_before {
                            self.state.check_request.notify_one();
                        }
                    }
                }
            }
        }
    }

    pub async fn run(&self, statement: BoundStatement) -> Result<u64, Error> {
        let kind = StatementKind::of(&statement.text)?;
        let changed = self.run_statement(&statement, StatementMode::Run(kind)).await?.changed();
        if kind == StatementKind::ChangeRows {
            self.state.record_write();
        }
        Ok(changed)
    }

    pub async fn rows(
        &self,
        statement: BoundStatement,
        limit: RowLimit,
    ) -> Result<Vec<Row>, Error> {
        StatementKind::of(&statement.text)?;
        Ok(self.run_statement(&statement, StatementMode::Rows(limit)).await?.rows())
    }

    async fn run_statement(
        &self,
        statement: &BoundStatement,
        mode: StatementMode,
    ) -> Result<StatementOutcome, Error> {
        if self.state.pooling() == Pooling::Transaction {
            return self.run_in_transaction(statement, mode).await;
        }
        let mut connection = self.acquire().await?;
        let mut outcome = connection.run_statement(statement, mode).await;
        if let Err(error) = &outcome
            && error.scope() == FaultScope::StaleStatement
        {
            // Tried again, which is safe because the server refused the cached statement before it
            // ran.
            outcome = match connection.clear_cached_statements().await {
                Ok(()) => connection.run_statement(statement, mode).await,
                Err(error) => Err(error.into()),
            };
        }
        if let Err(error) = &outcome
            && self.state.record_fault(error)
        {
            connection.discard();
        }
        outcome
    }

    /// Runs a statement in a transaction of its own. Preparing and running it are two messages,
    /// between which a pooler may give the session to another client, unless both are in one
    /// transaction.
    async fn run_in_transaction(
        &self,
        statement: &BoundStatement,
        mode: StatementMode,
    ) -> Result<StatementOutcome, Error> {
        let mut open = self.begin().await?;
        match open.run_statement(statement, mode).await {
            Ok(outcome) => open.commit().await.map(|()| outcome),
            Err(error) => {
                if let Err(rollback) = open.rollback().await {
                    warn!(error = %rollback, "Could not roll back a statement at once");
                }
                Err(error)
            }
        }
    }

    pub async fn begin(&self) -> Result<PostgresTransaction, Error> {
        // Broken connections are skipped, because nothing was sent on them that could have run.
        for _ in 0..self.pool.size() {
            let connection = self.acquire().await?;
            match PostgresTransaction::begin(connection, self.state.clone()).await {
                Err(error) if error.is_connection_broken() => self.state.check_request.notify_one(),
                started => return started,
            }
        }
        let connection = self.acquire().await?;
        let started = PostgresTransaction::begin(connection, self.state.clone()).await;
        started.map_err(|error| self.record_fault(error))
    }

    /// Passes an error on, and wakes the watch if it concerns the server.
    pub fn record_fault(&self, error: Error) -> Error {
        self.state.record_fault(&error);
        error
    }

    pub fn snapshot(&self) -> serde_json::Value {
        serde_json::json!({
            "engine": "postgres",
            "at": self.place(),
            "hosts": self.server.endpoints.len(),
            "connections": self.pool.size(),
            "idle": self.pool.num_idle(),
            "max_connections": self.pool.options().get_max_connections(),
            "migrations": self.migrations.files().len(),
        })
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
