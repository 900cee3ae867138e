//! The database on a server, beside as many replicas of the service as there are.
//!
//! The server may be away when the service starts, and may go away while it runs. Both are weather,
//! not an end: what is asked meanwhile is answered "not now" within moments, since a watch in the
//! background knows that nobody is there, and when the server is back all goes on. A statement that
//! may have reached the server is never sent a second time.

pub(super) mod error;
mod migrate;
pub(super) mod types;

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{
    PgArguments, PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgSslMode, PgStatement,
};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Either, Executor, Postgres, SqlSafeStr, SqlStr,
    Statement as _, Transaction,
};
use tokio::sync::{Notify, watch};
use tracing::{debug, info, warn};

use super::migrations::{self, Applied, File, Migrations};
use crate::db::error::{Error, Kind};
use crate::db::row::{self, Row};
use crate::db::settings::{DbSettings, Tls};
use crate::db::sql::Statement;
use crate::db::verb::{Verb, verb};
use crate::stop::Stop;

/// How long a connection may have been idle before it is tried out first. Below it a server that went
/// away is noticed by the statement itself.
const FRESH: Duration = Duration::from_secs(1);

/// How often an absent server is looked for.
const LOOK: Duration = Duration::from_millis(250);

/// How long the health answer waits for a connection.
const MOMENT: Duration = Duration::from_millis(500);

/// One database on a server.
pub(super) struct Store {
    pool: PgPool,
    options: PgConnectOptions,
    /// `host:port/database`, for messages.
    place: String,
    connect_timeout: Duration,
    migrate_at_start: bool,
    migrations: Vec<File>,
    lists: Vec<Migrations>,
    /// Why nobody can be reached, while nobody can.
    away: watch::Sender<Option<String>>,
    /// Somebody could not reach the server: time to look.
    doubt: Notify,
}

/// An open transaction.
pub(super) struct Open(Transaction<'static, Postgres>);

impl Store {
    /// Makes the pool; connects to nobody.
    ///
    /// # Errors
    /// [`Kind::Migration`] if the files' names are wrong; [`Kind::Other`] if the address is none.
    pub fn new(settings: &DbSettings, app: &str, lists: Vec<Migrations>) -> Result<Self, Error> {
        let options = options(settings, app)?;
        let place = format!(
            "{}:{}/{}",
            options.get_host(),
            options.get_port(),
            options.get_database().unwrap_or(options.get_username())
        );
        let pool = PgPoolOptions::new()
            .max_connections(settings.max_connections)
            .acquire_timeout(settings.acquire_timeout)
            .idle_timeout(settings.idle_timeout)
            .max_lifetime(settings.max_lifetime)
            // Asking the server before each use would double the way of every statement.
            .test_before_acquire(false)
            .before_acquire(|connection, about| {
                Box::pin(async move {
                    if about.idle_for < FRESH {
                        return Ok(true);
                    }
                    Ok(connection.ping().await.is_ok())
                })
            })
            .connect_lazy_with(options.clone());
        Ok(Self {
            pool,
            options,
            place,
            connect_timeout: settings.connect_timeout,
            migrate_at_start: settings.migrate,
            migrations: migrations::collect(&lists, migrations::Backend::Postgres)?,
            lists,
            away: watch::Sender::new(None),
            doubt: Notify::new(),
        })
    }

    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Reaches the server and brings the schema up to date. Safe to call again, and from several
    /// replicas at once.
    pub async fn connect(&self) -> Result<(), Error> {
        let mut connection = self.open().await?;
        let outcome = self.prepare(&mut connection).await;
        let _ = connection.close().await;
        outcome?;
        self.away.send_replace(None);
        info!("Database connected at {}@{}", self.place, self.options.get_username());
        Ok(())
    }

    async fn prepare(&self, connection: &mut PgConnection) -> Result<(), Error> {
        migrations::warn_of_forgotten_files(&self.lists).await;
        if self.migrate_at_start {
            return self.migrate(connection).await.map(drop);
        }
        let done = migrate::applied(connection).await?;
        migrations::require_none(migrations::pending(&self.migrations, &done)?)
    }

    /// A connection outside of the pool.
    async fn open(&self) -> Result<PgConnection, Error> {
        let connected = tokio::time::timeout(self.connect_timeout, self.options.connect()).await;
        let error = match connected {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => cannot_connect(error),
            Err(_) => {
                let limit = humantime::format_duration(self.connect_timeout);
                Error::gone(format!("no answer within {limit}"))
            }
        };
        Err(error.while_doing(format_args!("connect to postgres at {}", self.place)))
    }

    /// Runs what has not run; for the verb `migrate up`.
    pub async fn migrate_now(&self) -> Result<Vec<&'static str>, Error> {
        let mut connection = self.open().await?;
        let outcome = self.migrate(&mut connection).await;
        let _ = connection.close().await;
        outcome
    }

    /// What has run; for the verb `migrate status`.
    pub async fn applied(&self) -> Result<Vec<Applied>, Error> {
        let mut connection = self.open().await?;
        let outcome = migrate::applied(&mut connection).await;
        let _ = connection.close().await;
        outcome
    }

    pub fn files(&self) -> &[File] {
        &self.migrations
    }

    /// While nobody can be reached, looks whether somebody can again.
    pub async fn watch(&self, stop: Stop) {
        loop {
            tokio::select! {
                () = self.doubt.notified() => {}
                () = stop.stopped() => return,
            }
            tokio::select! {
                () = self.look_until_there() => {}
                () = stop.stopped() => return,
            }
        }
    }

    async fn look_until_there(&self) {
        let mut told = false;
        loop {
            match self.open().await {
                // Somebody answers, if only that there is no room for one more: the connections that we
                // have are good.
                Err(error) if !error.is_of_connection() => {
                    debug!(%error, "The database is there, but takes no new connection");
                    self.is_there();
                    return;
                }
                Ok(connection) => {
                    let _ = connection.close().await;
                    self.is_there();
                    return;
                }
                Err(error) => {
                    if !told {
                        warn!(%error, "The database has gone away: requests that need it get 503 until it is back");
                        told = true;
                    }
                    self.away.send_replace(Some(error.to_string()));
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn is_there(&self) {
        if self.away.send_replace(None).is_some() {
            info!("The database at {} is back", self.place);
        }
    }

    /// A connection, or at once the reason why there is none.
    async fn acquire(&self) -> Result<PoolConnection<Postgres>, Error> {
        if let Some(why) = &*self.away.borrow() {
            return Err(Error::gone(why.clone()));
        }
        let mut away = self.away.subscribe();
        let acquired = tokio::select! {
            biased;
            acquired = self.pool.acquire() => acquired,
            gone = away.wait_for(Option::is_some) => {
                let why = gone.ok().and_then(|why| why.clone()).unwrap_or_default();
                return Err(Error::gone(why));
            }
        };
        acquired.map_err(|error| match error {
            sqlx::Error::PoolClosed => error.into(),
            // Busy or gone? Whoever waits for a connection to a server that is gone waits as long.
            sqlx::Error::PoolTimedOut => {
                self.doubt.notify_one();
                error.into()
            }
            error => {
                self.doubt.notify_one();
                cannot_connect(error)
            }
        })
    }

    pub async fn run(&self, statement: Statement) -> Result<u64, Error> {
        let verb = verb(&statement.text)?;
        let mut connection = self.acquire().await?;
        self.doubting(execute(&mut connection, &statement, verb).await, &mut connection)
    }

    pub async fn rows(&self, statement: Statement, limit: row::Limit) -> Result<Vec<Row>, Error> {
        verb(&statement.text)?;
        let mut connection = self.acquire().await?;
        self.doubting(fetch(&mut connection, &statement, limit).await, &mut connection)
    }

    pub async fn begin(&self) -> Result<Open, Error> {
        // A connection that turns out to be broken has done nothing yet: the next one may be whole.
        loop {
            let connection = self.acquire().await?;
            match Transaction::begin(connection, None).await {
                Ok(transaction) => return Ok(Open(transaction)),
                Err(sqlx::Error::Io(_)) if self.pool.size() > 0 => self.doubt.notify_one(),
                Err(error) => return Err(self.noticing(error.into())),
            }
        }
    }

    /// A connection on which something went wrong below SQL is given up.
    fn doubting<T>(
        &self,
        outcome: Result<T, Error>,
        connection: &mut PoolConnection<Postgres>,
    ) -> Result<T, Error> {
        outcome.map_err(|error| {
            if error.is_of_connection() {
                connection.close_on_drop();
            }
            self.noticing(error)
        })
    }

    /// An error that says the server is gone makes us look.
    pub fn noticing(&self, error: Error) -> Error {
        if error.is_of_connection() {
            self.doubt.notify_one();
        }
        error
    }

    /// Asks the server. `Ok(false)` if every connection is busy, which is load and not a fault.
    pub async fn check(&self) -> Result<bool, Error> {
        // Whether there is room for one more connection is not the question: with some of them at work it
        // is load that keeps us from getting one, unless somebody knows better.
        let at_work = self.pool.size() > 0;
        let mut connection = match tokio::time::timeout(MOMENT, self.acquire()).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) if error.is_of_connection() || !at_work => return Err(error),
            Err(_) if !at_work => {
                return Err(Error::gone(format!("no connection to postgres at {}", self.place)));
            }
            Ok(Err(_)) | Err(_) => return Ok(false),
        };
        match connection.ping().await {
            Ok(()) => Ok(true),
            Err(error) => {
                connection.close_on_drop();
                Err(self.noticing(error.into()))
            }
        }
    }

    pub fn snapshot(&self) -> serde_json::Value {
        serde_json::json!({
            "engine": "postgres",
            "at": self.place,
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

impl Open {
    pub async fn run(&mut self, statement: Statement) -> Result<u64, Error> {
        let verb = verb(&statement.text)?;
        execute(&mut self.0, &statement, verb).await
    }

    pub async fn rows(
        &mut self,
        statement: Statement,
        limit: row::Limit,
    ) -> Result<Vec<Row>, Error> {
        verb(&statement.text)?;
        fetch(&mut self.0, &statement, limit).await
    }

    pub async fn commit(self) -> Result<(), Error> {
        self.0.commit().await.map_err(|error| {
            let error = Error::from(error);
            if error.is_of_connection() {
                return error.while_doing("commit: whether it still happened is not known");
            }
            error
        })
    }

    pub async fn rollback(self) -> Result<(), Error> {
        Ok(self.0.rollback().await?)
    }
}

/// How to connect, from the settings.
fn options(settings: &DbSettings, app: &str) -> Result<PgConnectOptions, Error> {
    use secrecy::ExposeSecret;
    let mut options = match settings.url.as_ref() {
        Some(url) => url.expose().parse::<PgConnectOptions>().map_err(|_| {
            Error::new(Kind::Other, "db.url is not the address of a PostgreSQL database")
        })?,
        // Not libpq's variables and files: every setting has one place to look for it.
        None => PgConnectOptions::new_without_pgpass().host("localhost").port(5432),
    };
    if let Some((host, port)) = settings.host() {
        options = if host.starts_with('/') {
            options.socket(Path::new(&host))
        } else {
            options.host(&host)
        };
        options = options.port(settings.port.or(port).unwrap_or(5432));
    } else if let Some(port) = settings.port {
        options = options.port(port);
    }
    if let Some(user) = &settings.user {
        options = options.username(user);
    }
    if let Some(password) = &settings.password {
        options = options.password(password.expose_secret());
    }
    if let Some(database) = &settings.database {
        options = options.database(database);
    }
    if let Some(tls) = settings.tls {
        options = options.ssl_mode(ssl_mode(tls));
    }
    if let Some(authority) = &settings.tls_ca {
        options = options.ssl_root_cert(authority);
    }
    if !settings.statement_timeout.is_zero() {
        let limit_ms = settings.statement_timeout.as_millis().max(1).to_string();
        options = options.options([("statement_timeout", limit_ms)]);
    }
    let name = settings.application_name.as_deref().unwrap_or(app);
    // Its statements are logged by this room, which leaves parameters out.
    Ok(options.application_name(name).statement_cache_capacity(256).disable_statement_logging())
}

fn ssl_mode(tls: Tls) -> PgSslMode {
    match tls {
        Tls::Disable => PgSslMode::Disable,
        Tls::Prefer => PgSslMode::Prefer,
        Tls::Require => PgSslMode::Require,
        Tls::VerifyCa => PgSslMode::VerifyCa,
        Tls::VerifyFull => PgSslMode::VerifyFull,
    }
}

/// Whatever keeps us from connecting may pass, be it a network, a password or a database that
/// somebody has still to create.
fn cannot_connect(error: sqlx::Error) -> Error {
    match &error {
        sqlx::Error::Io(io) => Error::gone(io.to_string()),
        sqlx::Error::Tls(tls) => Error::gone(format!("TLS: {tls}")),
        _ => Error::from(error).with_kind(Kind::Unavailable),
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
    let prepared = connection.prepare(text(statement)).await?;
    let places = match prepared.parameters() {
        Some(Either::Left(places)) => places,
        _ => &[],
    };
    let arguments = types::arguments(&statement.values, places)?;
    Ok((prepared, arguments))
}

async fn execute(
    connection: &mut PgConnection,
    statement: &Statement,
    verb: Verb,
) -> Result<u64, Error> {
    let (prepared, arguments) = prepared(connection, statement).await?;
    let done = connection.execute(prepared.query_with(arguments)).await?;
    if verb == Verb::Other {
        // It may have changed the schema, and with it the types that statements were read with.
        connection.clear_cached_statements().await?;
    }
    // PostgreSQL counts the rows of a SELECT, too.
    Ok(if verb == Verb::Change { done.rows_affected() } else { 0 })
}

/// The bytes of a value; the index must be that of one.
pub(super) fn size(row: &sqlx::postgres::PgRow, index: usize) -> usize {
    let raw = sqlx::Row::try_get_raw(row, index).expect("the caller checked the index");
    raw.as_bytes().map_or(0, <[u8]>::len)
}

async fn fetch(
    connection: &mut PgConnection,
    statement: &Statement,
    limit: row::Limit,
) -> Result<Vec<Row>, Error> {
    let (prepared, arguments) = prepared(connection, statement).await?;
    let answers = connection.fetch_many(prepared.query_with(arguments));
    Ok(row::take(answers, limit, Row::postgres).await?)
}
