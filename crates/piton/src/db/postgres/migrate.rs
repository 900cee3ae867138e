//! Brings a PostgreSQL database's schema up to date; of several replicas that start at once, one does.

use std::time::Duration;

use sqlx::{Connection, PgConnection};

use super::Store;
use crate::db::error::Error;
use crate::db::migrations::{self, Applied, AppliedRow, File};

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
        if migrations::pending(&self.migrations, &applied(connection).await?)?.is_empty() {
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

    async fn migrate_alone(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Vec<&'static str>, Error> {
        // Another replica may have been faster.
        let done = applied(connection).await?;
        let pending = migrations::pending(&self.migrations, &done)?;
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
    if files.iter().any(|file| file.migration.no_tx) {
        return migrations::apply(connection, files).await;
    }
    let mut transaction = connection.begin().await?;
    migrations::apply(&mut *transaction, files).await?;
    Ok(transaction.commit().await?)
}

pub(super) async fn applied(connection: &mut PgConnection) -> Result<Vec<Applied>, Error> {
    let exists: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !exists {
        return Ok(Vec::new());
    }
    let rows: Vec<AppliedRow> = sqlx::query_as(
        "SELECT version, description, checksum, installed_on::text FROM _sqlx_migrations ORDER BY version",
    )
    .fetch_all(&mut *connection)
    .await?;
    Ok(rows.into_iter().map(Applied::from).collect())
}
