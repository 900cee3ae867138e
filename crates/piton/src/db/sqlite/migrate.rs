//! Brings a SQLite file's schema up to date, also if several processes start at once.

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Executor};

use super::store::Store;
use crate::db::error::Error;
use crate::db::migrations::apply::{CREATE_MARKS, RECORD_MARK, apply, log_applied, marked};
use crate::db::migrations::compare::{AppliedMigration, AppliedRow, MigrationComparison};
use crate::db::migrations::error::mismatch;

impl Store {
    /// Runs pending migrations, and returns their names.
    pub(super) async fn migrate(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<Vec<&'static str>, Error> {
        // Compared without a lock first, because most starts find nothing to do and must not wait for
        // a writer.
        if self.compare(connection).await?.is_complete() {
            return Ok(Vec::new());
        }
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        // Compared again, because another process may have been faster.
        let MigrationComparison { pending, unrecorded, .. } =
            self.compare(&mut transaction).await?;
        let before = count_dangling(&mut transaction).await.unwrap_or_default();
        if !pending.is_empty() {
            apply(&mut *transaction, pending).await?;
        }
        record(&mut transaction, marked(unrecorded.into_iter().chain(pending))).await?;
        if count_dangling(&mut transaction).await? > before {
            return Err(dangling_error(&mut transaction).await);
        }
        transaction.commit().await?;
        Ok(log_applied(pending))
    }

    /// Compares the program with the database, and records which migrations are newer there.
    pub(super) async fn compare(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<MigrationComparison<'_>, Error> {
        let applied = applied(connection).await?;
        self.migrations.compare_and_record(&applied)
    }
}

/// Records the marks of the migrations `versions`.
async fn record(connection: &mut SqliteConnection, versions: Vec<i64>) -> Result<(), Error> {
    if versions.is_empty() {
        return Ok(());
    }
    connection.execute(CREATE_MARKS).await?;
    for version in versions {
        sqlx::query(RECORD_MARK).bind(version).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Returns the migrations that have run, in order.
pub(super) async fn applied(
    connection: &mut SqliteConnection,
) -> Result<Vec<AppliedMigration>, Error> {
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
    Ok(rows.into_iter().map(AppliedMigration::from).collect())
}

/// Returns the number of rows that reference rows that do not exist.
async fn count_dangling(connection: &mut SqliteConnection) -> Result<i64, Error> {
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
        Ok((table, parent)) => mismatch(format!(
            "they would leave rows in `{table}` that reference rows of `{parent}` that do not exist"
        )),
        Err(error) => error.into(),
    }
}
