//! Connects to a database on a server, shared by any number of replicas of the service.
//!
//! The server may be unavailable when the service starts, may go away while it runs, or may be
//! replaced by another one. All of these are expected: meanwhile requests get 503 within moments,
//! since a watch in the background knows that the server is unavailable, and service resumes when a
//! server is back. A statement that may have reached the server is never sent a second time, unless
//! the server reports that it did not run it.

pub(super) mod address;
mod conditions;
pub(super) mod error;
mod migrate;
mod server;
mod session;
mod state;
mod transaction;
pub(super) mod types;
mod watch;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnection, PgPool, PgPoolOptions, PgStatement};
use sqlx::{
    AssertSqlSafe, Connection, Either, Executor, Postgres, SqlSafeStr, SqlStr, Statement as _,
};
use tracing::{info, warn};

use self::server::Server;
use self::session::InUse;
use self::state::{Pooling, State, Trouble};
use super::migrations::{self, Applied, File, Migrations, Newer};
use crate::db::error::{Concern, Error, Kind};
use crate::db::row::{self, Row};
use crate::db::settings::{AcceptNewer, DbSettings};
use crate::db::sql::Statement;
use crate::db::verb::{Verb, verb};
use crate::part::Health;

pub(super) use self::transaction::Open;

/// How long a connection may have been idle before it is tried out first. Below it a server that went
/// away is noticed by the statement itself.
const MAX_UNTRIED_IDLE: Duration = Duration::from_secs(1);

/// Timeout of such a trial, because a server that vanished from the network never answers.
const TRIAL_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a request waits for a connection, with no statement answered meanwhile, before the
/// watch checks the server. Shorter than clients wait, who would otherwise end the wait unnoticed.
const WAIT_BEFORE_DOUBT: Duration = Duration::from_millis(500);

/// How long the health answer waits for a connection.
const HEALTH_TIMEOUT: Duration = Duration::from_millis(500);

/// How long the server may then take to answer the health check.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// A database on one server, or on the one of several servers that is suitable.
pub(super) struct Store {
    pool: PgPool,
    server: Server,
    app: String,
    state: Arc<State>,
    in_use: InUse,
    migrate_at_start: bool,
    migrations: Vec<File>,
    lists: Vec<Migrations>,
    accept_newer: AcceptNewer,
    newer: Newer,
}

/// The way a statement is run.
#[derive(Clone, Copy)]
enum Ask {
    Run(Verb),
    /// Returns rows, up to the limit.
    Rows(row::Limit),
}

/// The result of a statement that was run.
enum Outcome {
    Changed(u64),
    Rows(Vec<Row>),
}

impl Outcome {
    fn changed(self) -> u64 {
        match self {
            Self::Changed(rows) => rows,
            Self::Rows(_) => 0,
        }
    }

    fn rows(self) -> Vec<Row> {
        match self {
            Self::Rows(rows) => rows,
            Self::Changed(_) => Vec::new(),
        }
    }
}

impl Store {
    /// Makes the pool; connects to nobody.
    ///
    /// # Errors
    /// [`Kind::Migration`] if the files' names are wrong; [`Kind::Other`] if the settings do not name
    /// a server.
    pub fn new(settings: &DbSettings, app: &str, lists: Vec<Migrations>) -> Result<Self, Error> {
        let server = settings.server().map_err(|faults| {
            let faults = faults.iter().map(|(name, fault)| format!("db.{name}: {}", fault.why));
            Error::new(Kind::Other, faults.collect::<Vec<_>>().join("; "))
        })?;
        let server = server.ok_or_else(|| Error::new(Kind::Other, "no server is named"))?;
        let state = Arc::new(State::new(&server));
        let in_use = InUse::new(state.pooling().is_pooled());
        let options =
            server.connect_options(&server.endpoints[0], app, state.pooling().is_pooled());
        let pool = PgPoolOptions::new()
            .max_connections(settings.max_connections)
            .acquire_timeout(settings.acquire_timeout)
            .idle_timeout(settings.idle_timeout)
            .max_lifetime(settings.max_lifetime)
            // Asking the server before each use would double the way of every statement.
            .test_before_acquire(false)
            .before_acquire({
                let state = state.clone();
                move |connection, about| {
                    let outdated = state.is_outdated(about.age);
                    Box::pin(async move {
                        if outdated || about.idle_for < MAX_UNTRIED_IDLE {
                            return Ok(!outdated);
                        }
                        let trial = tokio::time::timeout(TRIAL_TIMEOUT, connection.ping()).await;
                        Ok(matches!(trial, Ok(Ok(()))))
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
        Ok(Self {
            pool,
            server,
            app: app.to_owned(),
            state,
            in_use,
            migrate_at_start: settings.migrate,
            migrations: migrations::collect(&lists, migrations::Backend::Postgres)?,
            lists,
            accept_newer: settings.accept_newer,
            newer: Newer::default(),
        })
    }

    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Reaches the server and brings the schema up to date. Safe to call again, and from several
    /// replicas at once.
    pub async fn connect(&self) -> Result<(), Error> {
        let (mut connection, role) = self.open().await?;
        let outcome = match self.check_sessions(&mut connection).await {
            Ok(()) => self.prepare(&mut connection).await,
            Err(error) => Err(error),
        };
        let _ = connection.close().await;
        outcome?;
        self.state.trouble.send_replace(None);
        info!("Database connected at {}@{}", self.place(), self.server.user);
        if role.read_only && self.state.expects_writes {
            // The watch reports this, and tries to find a session that can write.
            self.state.suspect_read_only();
        }
        Ok(())
    }

    async fn prepare(&self, connection: &mut PgConnection) -> Result<(), Error> {
        if self.migrate_at_start {
            return self.migrate(connection).await.map(drop);
        }
        migrations::require_none(self.compare(connection).await?.pending)
    }

    /// Runs what has not run; for the verb `migrate up`.
    pub async fn migrate_now(&self) -> Result<Vec<&'static str>, Error> {
        let (mut connection, _) = self.open().await?;
        let outcome = self.migrate(&mut connection).await;
        let _ = connection.close().await;
        outcome
    }

    /// What has run; for the verb `migrate status`.
    pub async fn applied(&self) -> Result<Vec<Applied>, Error> {
        let (mut connection, _) = self.open().await?;
        let outcome = migrate::applied(&mut connection).await;
        let _ = connection.close().await;
        outcome
    }

    pub fn files(&self) -> &[File] {
        &self.migrations
    }

    pub fn lists(&self) -> &[Migrations] {
        &self.lists
    }

    pub fn migrates_at_start(&self) -> bool {
        self.migrate_at_start
    }

    pub fn accept_newer(&self) -> AcceptNewer {
        self.accept_newer
    }

    /// Returns the details that `/health` shows next to the state.
    pub fn details(&self) -> serde_json::Value {
        self.newer.details()
    }

    /// A connection, or at once the reason why there is none.
    async fn acquire(&self) -> Result<PoolConnection<Postgres>, Error> {
        match &*self.state.trouble.borrow() {
            Some(Trouble::Away(why)) => return Err(Error::gone(why.clone())),
            Some(Trouble::Refused(why)) if self.pool.size() == 0 => {
                return Err(Error::refused(why.clone()));
            }
            _ => {}
        }
        self.acquire_unless_away().await?.map_err(|error| match error {
            sqlx::Error::PoolClosed => error.into(),
            // Busy or gone? Whoever waits for a connection to a server that is gone waits as long.
            sqlx::Error::PoolTimedOut => {
                self.state.doubt.notify_one();
                error.into()
            }
            error => {
                self.state.doubt.notify_one();
                self.cannot_connect(error, self.in_use.index())
            }
        })
    }

    /// Waits for a connection of the pool, as long as the server is not known to be unavailable.
    async fn acquire_unless_away(
        &self,
    ) -> Result<Result<PoolConnection<Postgres>, sqlx::Error>, Error> {
        let mut trouble = self.state.trouble.subscribe();
        let before = self.state.answers();
        let mut wait = std::pin::pin!(tokio::time::sleep(WAIT_BEFORE_DOUBT));
        let mut doubts = false;
        loop {
            let mut renewals = self.state.renewals.subscribe();
            let mut acquired = std::pin::pin!(self.pool.acquire());
            loop {
                tokio::select! {
                    biased;
                    acquired = &mut acquired => return Ok(acquired),
                    why = away(&mut trouble) => return Err(Error::gone(why)),
                    // It may be dialling a server that is not in use any more, and keeps others
                    // from the place in the pool.
                    _ = renewals.changed() => break,
                    () = &mut wait, if !doubts => {
                        doubts = true;
                        if self.state.answers() == before {
                            self.state.doubt.notify_one();
                        }
                    }
                }
            }
        }
    }

    pub async fn run(&self, statement: Statement) -> Result<u64, Error> {
        let verb = verb(&statement.text)?;
        let changed = self.ask(&statement, Ask::Run(verb)).await?.changed();
        if verb == Verb::Change {
            self.state.note_write();
        }
        Ok(changed)
    }

    pub async fn rows(&self, statement: Statement, limit: row::Limit) -> Result<Vec<Row>, Error> {
        verb(&statement.text)?;
        Ok(self.ask(&statement, Ask::Rows(limit)).await?.rows())
    }

    async fn ask(&self, statement: &Statement, how: Ask) -> Result<Outcome, Error> {
        if self.state.pooling() == Pooling::Transaction {
            return self.ask_in_transaction(statement, how).await;
        }
        let mut connection = self.acquire().await?;
        let mut outcome = self.state.answer(ask(&mut connection, statement, how)).await;
        if let Err(error) = &outcome
            && error.concern() == Concern::StaleStatement
        {
            // The server refused the cached statement before it ran, so that a second attempt is
            // safe.
            outcome = match connection.clear_cached_statements().await {
                Ok(()) => self.state.answer(ask(&mut connection, statement, how)).await,
                Err(error) => Err(error.into()),
            };
        }
        if let Err(error) = &outcome
            && self.state.note(error)
        {
            drop(connection.detach());
        }
        outcome
    }

    /// Runs a statement in a transaction of its own. Preparing and running it are two messages,
    /// between which a pooler may give the session to another client, unless both are in one
    /// transaction.
    async fn ask_in_transaction(&self, statement: &Statement, how: Ask) -> Result<Outcome, Error> {
        let mut open = self.begin().await?;
        match open.ask(statement, how).await {
            Ok(outcome) => open.commit().await.map(|()| outcome),
            Err(error) => {
                if let Err(undo) = open.rollback().await {
                    warn!(error = %undo, "Could not roll a statement back at once");
                }
                Err(error)
            }
        }
    }

    pub async fn begin(&self) -> Result<Open, Error> {
        // A connection that turns out to be broken has done nothing yet: the next one may be whole.
        for _ in 0..self.pool.size() {
            let connection = self.acquire().await?;
            match Open::begin(connection, self.state.clone()).await {
                Err(error) if error.is_of_connection() => self.state.doubt.notify_one(),
                begun => return begun,
            }
        }
        let connection = self.acquire().await?;
        let begun = Open::begin(connection, self.state.clone()).await;
        begun.map_err(|error| self.noticing(error))
    }

    /// Passes an error on, and wakes the watch if it concerns the server.
    pub fn noticing(&self, error: Error) -> Error {
        self.state.note(&error);
        error
    }

    /// Returns the health of the server. A load that leaves no connection free is no fault.
    pub async fn health(&self) -> Health {
        let trouble = self.state.trouble.borrow().clone();
        match trouble {
            Some(Trouble::Refused(why)) if self.pool.size() > 0 => {
                return Health::Degraded(format!("no further connection: {why}"));
            }
            Some(Trouble::Full(why)) => {
                return Health::Degraded(format!("no further connection: {why}"));
            }
            Some(Trouble::Away(why) | Trouble::Refused(why) | Trouble::ReadOnly(why)) => {
                return Health::Down(why);
            }
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

    /// Returns true if every connection that the pool may have is in use.
    fn is_busy(&self) -> bool {
        let idle = u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX);
        self.pool.size().saturating_sub(idle) >= self.pool.options().get_max_connections()
    }

    /// Asks the server. `Ok(false)` if no connection is free, which is load and not a fault.
    async fn check(&self) -> Result<bool, Error> {
        let at_work = self.pool.size() > 0;
        let had_idle = self.pool.num_idle() > 0;
        let before = self.state.answers();
        let mut connection = match tokio::time::timeout(HEALTH_TIMEOUT, self.acquire()).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) if error.is_of_connection() || !at_work => return Err(error),
            Ok(Err(_)) | Err(_) => return self.check_load(at_work, had_idle, before),
        };
        // A connection used just now was not tried out, and a frozen server never answers.
        let checked =
            match tokio::time::timeout(ANSWER_TIMEOUT, self.check_session(&mut connection)).await {
                Ok(checked) => checked,
                Err(_) => Err(Error::gone(format!("no answer from postgres at {}", self.place()))),
            };
        if let Err(error) = &checked
            && self.state.note(error)
        {
            drop(connection.detach());
        }
        checked.map(|()| true)
    }

    /// Tells load from a server that does not answer, when no connection was free in time.
    fn check_load(&self, at_work: bool, had_idle: bool, answers: u64) -> Result<bool, Error> {
        if at_work && self.state.answers() != answers {
            return Ok(false);
        }
        // A balancer that obeys the health sends no requests, which would notice it otherwise.
        self.state.doubt.notify_one();
        // An idle connection was there to be had, and has not answered its trial.
        if !at_work || (had_idle && !self.is_busy()) {
            return Err(Error::gone(format!("no answer from postgres at {}", self.place())));
        }
        Ok(false)
    }

    async fn check_session(&self, connection: &mut PgConnection) -> Result<(), Error> {
        if !self.state.asks_for_role() {
            return Ok(connection.ping().await?);
        }
        let role = state::probe(connection).await?.role;
        if role.read_only && self.state.expects_writes {
            return Err(
                Error::new(Kind::Unavailable, self.read_only(role)).with_concern(Concern::ReadOnly)
            );
        }
        Ok(())
    }

    pub fn snapshot(&self) -> serde_json::Value {
        serde_json::json!({
            "engine": "postgres",
            "at": self.place(),
            "hosts": self.server.endpoints.len(),
            "connections": self.pool.size(),
            "idle": self.pool.num_idle(),
            "max_connections": self.pool.options().get_max_connections(),
            "migrations": self.migrations.len(),
        })
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Waits until the server is unavailable, and returns the reason.
async fn away(trouble: &mut tokio::sync::watch::Receiver<Option<Trouble>>) -> String {
    let gone = trouble.wait_for(|trouble| matches!(trouble, Some(Trouble::Away(_)))).await;
    match gone.as_deref() {
        Ok(Some(Trouble::Away(why))) => why.clone(),
        _ => String::new(),
    }
}

fn text(statement: &Statement) -> SqlStr {
    match &statement.text {
        Cow::Borrowed(text) => (*text).into_sql_str(),
        Cow::Owned(text) => AssertSqlSafe(text.clone()).into_sql_str(),
    }
}

/// The statement as the server has read it (once a connection: it is kept), and its values.
async fn prepared(
    connection: &mut PgConnection,
    statement: &Statement,
) -> Result<(PgStatement, PgArguments), Error> {
    let prepared = connection.prepare(text(statement)).await;
    let prepared = prepared.map_err(|error| of_statement(error, statement))?;
    let places = match prepared.parameters() {
        Some(Either::Left(places)) => places,
        _ => &[],
    };
    let arguments = types::arguments(&statement.values, places)?;
    Ok((prepared, arguments))
}

async fn ask(
    connection: &mut PgConnection,
    statement: &Statement,
    how: Ask,
) -> Result<Outcome, Error> {
    let (prepared, arguments) = prepared(connection, statement).await?;
    let query = prepared.query_with(arguments);
    let outcome = match how {
        Ask::Run(verb) => execute(connection, query, verb).await.map(Outcome::Changed),
        Ask::Rows(limit) => {
            let answers = connection.fetch_many(query);
            row::take(answers, limit, Row::postgres).await.map(Outcome::Rows)
        }
    };
    outcome.map_err(|error| of_statement(error, statement))
}

async fn execute(
    connection: &mut PgConnection,
    query: sqlx::query::Query<'_, Postgres, PgArguments>,
    verb: Verb,
) -> Result<u64, sqlx::Error> {
    let done = connection.execute(query).await?;
    if verb == Verb::Other {
        // It may have changed the schema, and with it the types that statements were read with.
        connection.clear_cached_statements().await?;
    }
    // PostgreSQL counts the rows of a SELECT, too.
    Ok(if verb == Verb::Change { done.rows_affected() } else { 0 })
}

/// Returns the error of a statement, without any value that was bound to it.
fn of_statement(error: sqlx::Error, statement: &Statement) -> Error {
    if let sqlx::Error::Database(database) = &error
        && let Some(database) = database.try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
    {
        return error::of(database, statement.values.is_empty());
    }
    error.into()
}

/// Returns the size of a value in bytes. `index` must be that of a column.
pub(super) fn size(row: &sqlx::postgres::PgRow, index: usize) -> usize {
    let raw = sqlx::Row::try_get_raw(row, index).expect("the caller checked the index");
    raw.as_bytes().map_or(0, <[u8]>::len)
}
