//! Connections of the task engine, apart from the pool, so that handlers that use all of `db.max_connections` do
//! not stop the worker, nor the worker them.
//!
//! They are opened when needed, by the same failover as the pool's. Each statement has a timeout, on the server and
//! here. A connection is used again only after its statement has ended: one whose caller stops waiting is closed.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Connection, PgConnection, Postgres, SqlSafeStr};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use super::error::{of_sqlx, refused, unreachable};
use super::listener::ChannelListener;
use super::server_state::ServerFault;
use super::session_probe::Pooling;
use super::store::Store;
use super::transaction::{BorrowedConnection, PostgresTransaction};
use crate::db::error::{Error, Kind};

/// Maximum number of connections of one engine: one to claim, one to settle, and one for everything else.
const MAX_CONNECTIONS: usize = 3;

/// Timeout of a statement on this side, for a server that does not answer at all. Longer than the server's own,
/// which is in [`session_settings!`], because its answer leaves the connection usable.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(6);

/// Timeout of the wait for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Time after which an idle connection is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Age at which a connection is replaced.
const MAX_LIFETIME: Duration = Duration::from_secs(1800);

/// Maximum time that a connection may have been idle without being tested before its next use.
const MAX_UNTESTED_IDLE: Duration = Duration::from_secs(1);

/// Timeout of that test.
const TEST_TIMEOUT: Duration = Duration::from_secs(2);

/// The settings of a session. Without the plans that read whole tables, because the engine's tables change faster than
/// their statistics, and every statement has an index to use; with generic plans, because they are the same for any
/// values.
macro_rules! session_settings {
    ($set:literal) => {
        concat!(
            $set,
            " statement_timeout = 5000; ",
            $set,
            " idle_in_transaction_session_timeout = 10000; ",
            $set,
            " plan_cache_mode = force_generic_plan; ",
            $set,
            " enable_seqscan = off; ",
            $set,
            " enable_bitmapscan = off; ",
            $set,
            " enable_hashjoin = off; ",
            $set,
            " enable_mergejoin = off; ",
            $set,
            " enable_sort = off; ",
            $set,
            " jit = off"
        )
    };
}

const SETTINGS_OF_SESSION: &str = session_settings!("SET");

/// Behind a pooler, because a session's settings are shared with other clients there.
const SETTINGS_OF_TRANSACTION: &str = session_settings!("SET LOCAL");

/// The connections of one engine. Clones share them.
#[derive(Clone)]
pub(crate) struct PostgresEngine {
    store: Arc<Store>,
    permits: Arc<Semaphore>,
    idle: IdleConnections,
}

type IdleConnections = Arc<Mutex<Vec<IdleConnection>>>;

struct IdleConnection {
    connection: PgConnection,
    opened: Instant,
    used: Instant,
}

/// A connection in use. Closed when dropped.
struct EngineConnection {
    idle: IdleConnections,
    /// `None` once it is discarded.
    connection: Option<PgConnection>,
    opened: Instant,
    /// Changes when another server replaces the one of this connection.
    abandonments: watch::Receiver<u64>,
    _permit: OwnedSemaphorePermit,
}

impl PostgresEngine {
    pub(in crate::db) fn new(store: Arc<Store>) -> Self {
        let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        Self { store, permits, idle: Arc::default() }
    }

    /// Returns whether sessions last for one transaction only, so that nothing can be listened to.
    pub fn is_pooled_by_transaction(&self) -> bool {
        self.store.state.pooling() == Pooling::Transaction
    }

    /// Runs a statement, which commits by itself. Returns its rows.
    ///
    /// # Errors
    /// Those of [`Db::run`](crate::db::Db::run).
    pub async fn rows(&self, query: Query<'_, Postgres, PgArguments>) -> Result<Vec<PgRow>, Error> {
        if self.is_pooled_by_transaction() {
            let mut open = self.begin().await?;
            let rows = open.rows_of_query(query).await?;
            return open.commit().await.map(|()| rows);
        }
        let mut connection = self.acquire().await?;
        let abandonments = connection.abandonments.clone();
        let answered = within_timeout(query.fetch_all(&mut *connection));
        let outcome = self.store.state.answer(abandonments, answered).await;
        self.conclude(connection, outcome)
    }

    /// Runs statements that have no parameters, in one message.
    ///
    /// # Errors
    /// Those of [`rows`](Self::rows).
    pub async fn run_raw(&self, sql: impl SqlSafeStr) -> Result<(), Error> {
        let mut connection = self.acquire().await?;
        let abandonments = connection.abandonments.clone();
        let answered = within_timeout(sqlx::raw_sql(sql).execute(&mut *connection));
        let outcome = self.store.state.answer(abandonments, answered).await;
        self.conclude(connection, outcome).map(drop)
    }

    /// Begins a transaction. Its connection is closed if it is dropped before its end.
    ///
    /// # Errors
    /// The server is unavailable, or no connection was free in time.
    pub(in crate::db) async fn begin(&self) -> Result<PostgresTransaction, Error> {
        let connection = self.acquire().await?;
        let state = self.store.state.clone();
        let begun = timeout(ANSWER_TIMEOUT, PostgresTransaction::begin(connection, state)).await;
        let mut open = begun
            .unwrap_or_else(|_| Err(no_answer()))
            .map_err(|error| self.store.record_fault(error))?;
        if self.is_pooled_by_transaction() {
            open.run_raw(SETTINGS_OF_TRANSACTION).await?;
        }
        Ok(open)
    }

    /// Keeps the connection for the next use, unless the outcome shows that it is broken.
    fn conclude<T>(
        &self,
        connection: EngineConnection,
        outcome: Result<T, Error>,
    ) -> Result<T, Error> {
        match &outcome {
            // The idle ones may be broken, too: the server has been restarted, or another one is in use.
            Err(error) if self.store.state.record_fault(error) => self.idle.lock().clear(),
            _ => Box::new(connection).give_back(),
        }
        outcome
    }

    /// Listens to a channel, on one more connection. Returns `None` where that is not possible.
    ///
    /// # Errors
    /// The server is unavailable.
    pub async fn listen(&self, channel: &str) -> Result<Option<ChannelListener>, Error> {
        self.require_available()?;
        ChannelListener::open(self.store.clone(), channel).await
    }

    async fn acquire(&self) -> Result<EngineConnection, Error> {
        self.require_available()?;
        let permit = timeout(ACQUIRE_TIMEOUT, self.permits.clone().acquire_owned()).await;
        let permit = permit
            .map_err(|_| {
                Error::new(Kind::Unavailable, "no connection of the task engine was free in time")
            })?
            .map_err(|_| Error::new(Kind::Unavailable, "the task engine has stopped"))?;
        // Before the connection is chosen, so that a change in between is seen.
        let abandonments = self.store.state.abandonments();
        let (connection, opened) = match self.take_idle().await {
            Some(idle) => (idle.connection, idle.opened),
            None => (self.open().await?, Instant::now()),
        };
        let (idle, connection) = (self.idle.clone(), Some(connection));
        Ok(EngineConnection { idle, connection, opened, abandonments, _permit: permit })
    }

    /// Fails at once while the server is known to be unavailable.
    fn require_available(&self) -> Result<(), Error> {
        if self.store.pool.is_closed() {
            return Err(sqlx::Error::PoolClosed.into());
        }
        match &*self.store.state.fault.borrow() {
            Some(ServerFault::Unreachable(why)) => Err(unreachable(why.clone())),
            Some(ServerFault::ConnectionsRefused(why)) if self.idle.lock().is_empty() => {
                Err(refused(why.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Returns the connection that was used last, if it still answers. Closes those that have become old.
    async fn take_idle(&self) -> Option<IdleConnection> {
        self.idle.lock().retain(|idle| is_usable(&self.store, idle));
        loop {
            let mut idle = self.idle.lock().pop()?;
            if idle.used.elapsed() < MAX_UNTESTED_IDLE {
                return Some(idle);
            }
            if matches!(timeout(TEST_TIMEOUT, idle.connection.ping()).await, Ok(Ok(()))) {
                return Some(idle);
            }
            self.store.state.check_request.notify_one();
        }
    }

    async fn open(&self) -> Result<PgConnection, Error> {
        let (mut connection, _) =
            self.store.open().await.map_err(|error| self.store.record_fault(error))?;
        if !self.is_pooled_by_transaction() {
            let set = sqlx::raw_sql(SETTINGS_OF_SESSION).execute(&mut connection);
            timeout(ANSWER_TIMEOUT, set).await.map_err(|_| no_answer())??;
        }
        Ok(connection)
    }
}

fn is_usable(store: &Store, idle: &IdleConnection) -> bool {
    let age = idle.opened.elapsed();
    !store.state.is_outdated(age) && age < MAX_LIFETIME && idle.used.elapsed() < IDLE_TIMEOUT
}

fn no_answer() -> Error {
    unreachable("the server did not answer in time: whether the statement was run is not known")
}

/// Waits for the answer of the server. After the timeout the connection must not be used again.
pub(super) async fn within_timeout<T>(
    statement: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Error> {
    match timeout(ANSWER_TIMEOUT, statement).await {
        Ok(outcome) => outcome.map_err(|error| of_sqlx(error, false)),
        Err(_) => Err(no_answer()),
    }
}

impl Deref for EngineConnection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect(IN_USE)
    }
}

impl DerefMut for EngineConnection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect(IN_USE)
    }
}

/// The reason why a borrowed connection exists.
const IN_USE: &str = "only giving it back, which consumes this, takes it";

impl BorrowedConnection for EngineConnection {
    fn is_closed_unless_ended(&self) -> bool {
        true
    }

    fn give_back(mut self: Box<Self>) {
        let Some(connection) = self.connection.take() else { return };
        let used = Instant::now();
        self.idle.lock().push(IdleConnection { connection, opened: self.opened, used });
    }

    fn discard(self: Box<Self>) {}

    fn abandonments(&self) -> watch::Receiver<u64> {
        self.abandonments.clone()
    }
}
