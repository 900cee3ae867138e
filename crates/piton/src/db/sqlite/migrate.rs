//! Brings a SQLite file's schema up to date, whoever else is trying to.

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Executor};

use super::Store;
use crate::db::error::Error;
use crate::db::migrations::{self, Applied, AppliedRow, Comparison};

impl Store {
    /// Runs what has not run. Returns the names of what was run.
    pub(super) async fn migrate(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<Vec<&'static str>, Error> {
        // Most starts find nothing to do, and need not wait for anybody's write.
        if self.compare(connection).await?.is_complete() {
            return Ok(Vec::new());
        }
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        // Another process may have been faster.
        let Comparison { pending, unrecorded, .. } = self.compare(&mut transaction).await?;
        let before = dangling(&mut transaction).await.unwrap_or_default();
        if !pending.is_empty() {
            migrations::apply(&mut *transaction, pending).await?;
        }
        record(&mut transaction, migrations::marked(unrecorded.into_iter().chain(pending))).await?;
        if dangling(&mut transaction).await? > before {
            return Err(dangling_error(&mut transaction).await);
        }
        transaction.commit().await?;
        Ok(migrations::tell(pending))
    }

    /// Compares the program with the database, and records which migrations are newer there.
    pub(super) async fn compare(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<Comparison<'_>, Error> {
        let done = applied(connection).await?;
        let comparison = migrations::compare(&self.migrations, &done, self.accept_newer)?;
        self.newer.note(comparison.newer.clone());
        Ok(comparison)
    }
}

/// Records the marks of the migrations `versions`.
async fn record(connection: &mut SqliteConnection, versions: Vec<i64>) -> Result<(), Error> {
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
pub(super) async fn applied(connection: &mut SqliteConnection) -> Result<Vec<Applied>, Error> {
    let (exists, marks): (bool, bool) = sqlx::query_as(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations'),
                EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '_piton_migrations')",
    )
    .fetch_one(&mut *connection)
    .await?;
    if !exists {
        return Ok(Vec::new());
    }
    let sql = if marks {
        "SELECT version, description, checksum, CAST(installed_on AS TEXT), coalesce(backward_compatible, FALSE)
         FROM _sqlx_migrations LEFT JOIN _piton_migrations USING (version) ORDER BY version"
    } else {
        "SELECT version, description, checksum, CAST(installed_on AS TEXT), FALSE FROM _sqlx_migrations ORDER BY version"
    };
    let rows: Vec<AppliedRow> = sqlx::query_as(sql).fetch_all(&mut *connection).await?;
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
