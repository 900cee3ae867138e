//! Brings a SQLite file's schema up to date, whoever else is trying to.

use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

use super::Store;
use crate::db::error::Error;
use crate::db::migrations::{self, Applied, AppliedRow};

impl Store {
    /// Runs what has not run. Returns the names of what was run.
    pub(super) async fn migrate(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<Vec<&'static str>, Error> {
        // Most starts find nothing to do, and need not wait for anybody's write.
        if migrations::pending(&self.migrations, &applied(connection).await?)?.is_empty() {
            return Ok(Vec::new());
        }
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        // Another process may have been faster.
        let done = applied(&mut transaction).await?;
        let pending = migrations::pending(&self.migrations, &done)?;
        if pending.is_empty() {
            return Ok(Vec::new());
        }
        let before = dangling(&mut transaction).await.unwrap_or_default();
        migrations::apply(&mut *transaction, pending).await?;
        if dangling(&mut transaction).await? > before {
            return Err(dangling_error(&mut transaction).await);
        }
        transaction.commit().await?;
        Ok(migrations::tell(pending))
    }
}

pub(super) async fn applied(connection: &mut SqliteConnection) -> Result<Vec<Applied>, Error> {
    let exists: bool = sqlx::query_scalar(
        "SELECT count(*) > 0 FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations'",
    )
    .fetch_one(&mut *connection)
    .await?;
    if !exists {
        return Ok(Vec::new());
    }
    let rows: Vec<AppliedRow> = sqlx::query_as(
        "SELECT version, description, checksum, CAST(installed_on AS TEXT) FROM _sqlx_migrations ORDER BY version",
    )
    .fetch_all(&mut *connection)
    .await?;
    Ok(rows.into_iter().map(Applied::from).collect())
}

/// How many rows point to rows that do not exist.
async fn dangling(connection: &mut SqliteConnection) -> Result<i64, Error> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM pragma_foreign_key_check")
        .fetch_one(connection)
        .await?)
}

async fn dangling_error(connection: &mut SqliteConnection) -> Error {
    let found: Result<(String, String), _> =
        sqlx::query_as("SELECT \"table\", parent FROM pragma_foreign_key_check LIMIT 1")
            .fetch_one(connection)
            .await;
    match found {
        Ok((table, parent)) => migrations::wrong(format!(
            "they would leave rows in `{table}` that point to rows of `{parent}` that do not exist"
        )),
        Err(error) => error.into(),
    }
}
