//! Brings a PostgreSQL database's schema up to date; of several replicas that start at once, one does.

use std::time::Duration;

use sqlx::migrate::Migrate;
use sqlx::{Connection, PgConnection, Row as _};
use tracing::info;

use super::Store;
use crate::db::error::Error;
use crate::db::migrations::{self, Applied, File, TABLE, failed};

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
        for file in pending {
            info!(migration = file.name, "Ran migration {}", file.name);
        }
        Ok(pending.iter().map(|file| file.name).collect())
    }
}

/// Asked again and again, as one who waits inside of a statement keeps `CREATE INDEX CONCURRENTLY`
/// from ending, which waits for all statements that began before it.
async fn try_lock(connection: &mut PgConnection) -> Result<bool, Error> {
    let query = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LOCK);
    Ok(query.fetch_one(connection).await?)
}

async fn run(connection: &mut PgConnection, files: &[File]) -> Result<(), Error> {
    if let [file] = files
        && file.migration.no_tx
    {
        connection.ensure_migrations_table(TABLE).await.map_err(|error| failed(TABLE, error))?;
        let applied = connection.apply(TABLE, &file.migration).await;
        applied.map_err(|error| failed(file.name, error))?;
        return Ok(());
    }
    let mut transaction = connection.begin().await?;
    transaction.ensure_migrations_table(TABLE).await.map_err(|error| failed(TABLE, error))?;
    for file in files {
        let applied = transaction.apply(TABLE, &file.migration).await;
        applied.map_err(|error| failed(file.name, error))?;
    }
    Ok(transaction.commit().await?)
}

pub(super) async fn applied(connection: &mut PgConnection) -> Result<Vec<Applied>, Error> {
    let exists: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !exists {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(
        "SELECT version, description, checksum, installed_on::text FROM _sqlx_migrations ORDER BY version",
    )
    .fetch_all(&mut *connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Applied {
                version: row.try_get(0)?,
                description: row.try_get(1)?,
                checksum: row.try_get(2)?,
                at: row.try_get(3)?,
            })
        })
        .collect()
}
