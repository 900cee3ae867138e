//! Brings a PostgreSQL database's schema up to date; of several replicas that start at once, one does.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row as _};

use super::Store;
use super::state::Pooling;
use crate::db::error::Error;
use crate::db::migrations::{self, Applied, AppliedRow, Comparison, File};

/// "piton", and that it is about migrations. Advisory locks are a database's own.
const LOCK: i64 = 0x70_69_74_6f_6e_01;

/// Between two attempts to get the lock.
const PAUSE: Duration = Duration::from_millis(50);

impl Store {
    /// Runs what has not run. Returns the names of what was run.
    pub(super) async fn migrate(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Vec<&'static str>, Error> {
        // Most starts find nothing to do, and need not wait for anybody.
        if self.compare(connection).await?.is_complete() {
            return Ok(Vec::new());
        }
        if self.state.pooling() == Pooling::Transaction {
            return self.migrate_by_transactions(connection).await;
        }
        // The lock belongs to the session: it ends with the connection, also should we die.
        while !try_lock(connection).await? {
            tokio::time::sleep(PAUSE).await;
        }
        let outcome = self.migrate_alone(connection).await;
        sqlx::query("SELECT pg_advisory_unlock($1)").bind(LOCK).execute(connection).await?;
        outcome
    }

    /// Compares the program with the database, and records which migrations are newer there.
    pub(super) async fn compare(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Comparison<'_>, Error> {
        let done = applied(connection).await?;
        let comparison = migrations::compare(&self.migrations, &done, self.accept_newer)?;
        self.newer.note(comparison.newer.clone());
        Ok(comparison)
    }

    /// Migrates behind a pooler, where a lock of the session would stay with the next client that
    /// gets this session: each transaction takes its own lock instead.
    async fn migrate_by_transactions(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Vec<&'static str>, Error> {
        let mut names = Vec::new();
        loop {
            let mut transaction = connection.begin().await?;
            if !try_lock_for_transaction(&mut transaction).await? {
                transaction.rollback().await?;
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            // Compares again under the lock, since another replica may have been faster.
            let Comparison { pending, unrecorded, .. } = self.compare(&mut transaction).await?;
            let end = pending.iter().position(|file| file.migration.no_tx);
            let group = &pending[..end.unwrap_or(pending.len())];
            record(&mut transaction, migrations::marked(unrecorded)).await?;
            if let (true, Some(file)) = (group.is_empty(), pending.first()) {
                return Err(migrations::wrong(format!(
                    "{} runs outside of a transaction, which a pooler in transaction mode does not offer: run `migrate up` \
                     with db.host naming the server itself",
                    file.name
                )));
            }
            let outcome = migrations::apply(&mut *transaction, group).await;
            // Clears them even after a failure, because the session goes to another client next.
            transaction.clear_cached_statements().await?;
            outcome?;
            record(&mut transaction, migrations::marked(group)).await?;
            transaction.commit().await?;
            names.extend(migrations::tell(group));
            if end.is_none() {
                return Ok(names);
            }
        }
    }

    async fn migrate_alone(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Vec<&'static str>, Error> {
        // Another replica may have been faster.
        let Comparison { pending, unrecorded, .. } = self.compare(connection).await?;
        record(connection, migrations::marked(unrecorded)).await?;
        // All that can stand in one transaction does.
        for group in pending.chunk_by(|one, other| !one.migration.no_tx && !other.migration.no_tx) {
            run(connection, group).await?;
        }
        Ok(migrations::tell(pending))
    }
}

/// Asked again and again, as one who waits inside of a statement keeps `CREATE INDEX CONCURRENTLY`
/// from ending, which waits for all statements that began before it.
async fn try_lock(connection: &mut PgConnection) -> Result<bool, Error> {
    let query = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LOCK);
    Ok(query.fetch_one(connection).await?)
}

async fn try_lock_for_transaction(connection: &mut PgConnection) -> Result<bool, Error> {
    let sql = format!("SELECT pg_try_advisory_xact_lock({LOCK})");
    Ok(sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(connection).await?.try_get(0)?)
}

async fn run(connection: &mut PgConnection, files: &[File]) -> Result<(), Error> {
    let marked = migrations::marked(files);
    if files.iter().any(|file| file.migration.no_tx) {
        // The mark is written first: if the process dies between the two, the migration runs again.
        record(connection, marked).await?;
        return migrations::apply(connection, files).await;
    }
    let mut transaction = connection.begin().await?;
    migrations::apply(&mut *transaction, files).await?;
    record(&mut transaction, marked).await?;
    Ok(transaction.commit().await?)
}

/// Records the marks of the migrations `versions`, by the simple protocol.
async fn record(connection: &mut PgConnection, versions: Vec<i64>) -> Result<(), Error> {
    if versions.is_empty() {
        return Ok(());
    }
    connection.execute(migrations::CREATE_MARKS).await?;
    for version in versions {
        let sql = migrations::RECORD_MARK.replace("$1", &version.to_string());
        connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
    }
    Ok(())
}

/// Returns the migrations that have run, in order. Uses the simple protocol, which prepares no
/// statement that another client behind a pooler could come across.
pub(super) async fn applied(connection: &mut PgConnection) -> Result<Vec<Applied>, Error> {
    let exist = sqlx::raw_sql(
        "SELECT to_regclass('_sqlx_migrations') IS NOT NULL, to_regclass('_piton_migrations') IS NOT NULL",
    );
    let exist = exist.fetch_one(&mut *connection).await?;
    if !exist.try_get(0)? {
        return Ok(Vec::new());
    }
    let sql = if exist.try_get(1)? {
        "SELECT version, description, checksum, installed_on::text, coalesce(backward_compatible, FALSE)
         FROM _sqlx_migrations LEFT JOIN _piton_migrations USING (version) ORDER BY version"
    } else {
        "SELECT version, description, checksum, installed_on::text, FALSE FROM _sqlx_migrations ORDER BY version"
    };
    let rows = sqlx::raw_sql(sql).fetch_all(&mut *connection).await?;
    let read = |row: &sqlx::postgres::PgRow| -> Result<AppliedRow, sqlx::Error> {
        Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?))
    };
    rows.iter().map(|row| Ok(read(row)?.into())).collect()
}
