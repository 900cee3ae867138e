//! Brings a PostgreSQL database's schema up to date; of several replicas that start at once, one does.

use std::time::Duration;

use sqlx::{Connection, Executor, PgConnection};

use super::Store;
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
        // The lock belongs to the session: it ends with the connection, also should we die.
        while !try_lock(connection).await? {
            tokio::time::sleep(PAUSE).await;
        }
        let outcome = self.migrate_alone(connection).await;
        sqlx::query("SELECT pg_advisory_unlock($1)").bind(LOCK).execute(connection).await?;
        outcome
    }

    /// Compares the program with the database, and notes what is newer there.
    pub(super) async fn compare(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Comparison<'_>, Error> {
        let done = applied(connection).await?;
        let comparison = migrations::compare(&self.migrations, &done, self.accept_newer)?;
        self.newer.note(comparison.newer.clone());
        Ok(comparison)
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

async fn run(connection: &mut PgConnection, files: &[File]) -> Result<(), Error> {
    let marked = migrations::marked(files);
    if files.iter().any(|file| file.migration.no_tx) {
        // The mark comes first: should we die between the two, the migration runs again.
        record(connection, marked).await?;
        return migrations::apply(connection, files).await;
    }
    let mut transaction = connection.begin().await?;
    migrations::apply(&mut *transaction, files).await?;
    record(&mut transaction, marked).await?;
    Ok(transaction.commit().await?)
}

/// Records the marks of the migrations `versions`.
async fn record(connection: &mut PgConnection, versions: Vec<i64>) -> Result<(), Error> {
    if versions.is_empty() {
        return Ok(());
    }
    connection.execute(migrations::CREATE_MARKS).await?;
    for version in versions {
        sqlx::query(migrations::RECORD_MARK).bind(version).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Returns the migrations that have run, in order.
pub(super) async fn applied(connection: &mut PgConnection) -> Result<Vec<Applied>, Error> {
    let (exists, marks): (bool, bool) = sqlx::query_as(
        "SELECT to_regclass('_sqlx_migrations') IS NOT NULL, to_regclass('_piton_migrations') IS NOT NULL",
    )
    .fetch_one(&mut *connection)
    .await?;
    if !exists {
        return Ok(Vec::new());
    }
    let sql = if marks {
        "SELECT version, description, checksum, installed_on::text, coalesce(backward_compatible, FALSE)
         FROM _sqlx_migrations LEFT JOIN _piton_migrations USING (version) ORDER BY version"
    } else {
        "SELECT version, description, checksum, installed_on::text, FALSE FROM _sqlx_migrations ORDER BY version"
    };
    let rows: Vec<AppliedRow> = sqlx::query_as(sql).fetch_all(&mut *connection).await?;
    Ok(rows.into_iter().map(Applied::from).collect())
}
