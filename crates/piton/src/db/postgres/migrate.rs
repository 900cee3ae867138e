//! Brings a PostgreSQL database's schema up to date. Of several replicas that start at once, one
//! runs the migrations.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row as _};

use super::session_probe::Pooling;
use super::store::Store;
use crate::db::error::Error;
use crate::db::migrations::apply::{CREATE_MARKS, RECORD_MARK, apply, log_applied, marked};
use crate::db::migrations::compare::{AppliedMigration, AppliedRow, MigrationComparison};
use crate::db::migrations::embedded::MigrationFile;
use crate::db::migrations::error::mismatch;

/// The key of the advisory lock: "piton" and 1 for migrations. Advisory locks are per database.
const LOCK_KEY: i64 = 0x70_69_74_6f_6e_01;

/// Interval of attempts to get the lock.
const LOCK_INTERVAL: Duration = Duration::from_millis(50);

impl Store {
    /// Runs pending migrations, and returns their names.
    pub(super) async fn migrate(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Vec<&'static str>, Error> {
        // Compared without a lock first, because most starts find nothing to do and must not wait.
        if self.compare(connection).await?.is_complete() {
            return Ok(Vec::new());
        }
        if self.state.pooling() == Pooling::Transaction {
            return self.migrate_by_transactions(connection).await;
        }
        // The lock belongs to the session, so that it ends with the connection also if this process
        // dies.
        while !try_lock(connection).await? {
            tokio::time::sleep(LOCK_INTERVAL).await;
        }
        let outcome = self.migrate_alone(connection).await;
        sqlx::query("SELECT pg_advisory_unlock($1)").bind(LOCK_KEY).execute(connection).await?;
        outcome
    }

    /// Compares the program with the database, and records which migrations are newer there.
    pub(super) async fn compare(
        &self,
        connection: &mut PgConnection,
    ) -> Result<MigrationComparison<'_>, Error> {
        let applied = applied(connection).await?;
        self.migrations.compare_and_record(&applied)
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
                tokio::time::sleep(LOCK_INTERVAL).await;
                continue;
            }
            // Compares again under the lock, since another replica may have been faster.
            let MigrationComparison { pending, unrecorded, .. } =
                self.compare(&mut transaction).await?;
            let end = pending.iter().position(|file| file.migration.no_tx);
            let group = &pending[..end.unwrap_or(pending.len())];
            record(&mut transaction, marked(unrecorded)).await?;
            if let (true, Some(file)) = (group.is_empty(), pending.first()) {
                return Err(mismatch(format!(
                    "{} runs outside of a transaction, which a pooler in transaction mode does not offer: run `migrate up` \
                     with db.host naming the server itself",
                    file.name
                )));
            }
            let outcome = apply(&mut *transaction, group).await;
            // Clears them even after a failure, because the session goes to another client next.
            transaction.clear_cached_statements().await?;
            outcome?;
            record(&mut transaction, marked(group)).await?;
            transaction.commit().await?;
            names.extend(log_applied(group));
            if end.is_none() {
                return Ok(names);
            }
        }
    }

    async fn migrate_alone(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Vec<&'static str>, Error> {
        // Compared again, because another replica may have been faster.
        let MigrationComparison { pending, unrecorded, .. } = self.compare(connection).await?;
        record(connection, marked(unrecorded)).await?;
        // Grouped, so that all migrations that can run in one transaction do.
        for group in pending.chunk_by(|one, other| !one.migration.no_tx && !other.migration.no_tx) {
            run_group(connection, group).await?;
        }
        Ok(log_applied(pending))
    }
}

/// Tries once to get the lock. Callers repeat it instead of waiting in `pg_advisory_lock`, because a
/// waiting statement would keep `CREATE INDEX CONCURRENTLY` from ending, which waits for all statements
/// that started before it.
async fn try_lock(connection: &mut PgConnection) -> Result<bool, Error> {
    let query = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LOCK_KEY);
    Ok(query.fetch_one(connection).await?)
}

async fn try_lock_for_transaction(connection: &mut PgConnection) -> Result<bool, Error> {
    let sql = format!("SELECT pg_try_advisory_xact_lock({LOCK_KEY})");
    Ok(sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(connection).await?.try_get(0)?)
}

/// Runs the files in one transaction, or a single file outside of one.
async fn run_group(connection: &mut PgConnection, files: &[MigrationFile]) -> Result<(), Error> {
    let marked = marked(files);
    if files.iter().any(|file| file.migration.no_tx) {
        // The mark is written first, so that the migration runs again if the process dies between the
        // two.
        record(connection, marked).await?;
        return apply(connection, files).await;
    }
    let mut transaction = connection.begin().await?;
    apply(&mut *transaction, files).await?;
    record(&mut transaction, marked).await?;
    Ok(transaction.commit().await?)
}

/// Records the marks of the migrations `versions`, by the simple protocol.
async fn record(connection: &mut PgConnection, versions: Vec<i64>) -> Result<(), Error> {
    if versions.is_empty() {
        return Ok(());
    }
    connection.execute(CREATE_MARKS).await?;
    for version in versions {
        let sql = RECORD_MARK.replace("$1", &version.to_string());
        connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
    }
    Ok(())
}

/// Returns the migrations that have run, in order. Uses the simple protocol, because it prepares no
/// statement that another client behind a pooler could collide with.
pub(super) async fn applied(connection: &mut PgConnection) -> Result<Vec<AppliedMigration>, Error> {
    // From a table, whose lock makes the server look for changes of its catalog: otherwise a session that has looked before
    // may not see a table that another replica has committed since the transaction began, and would create it again.
    let exist = sqlx::raw_sql(
        "SELECT to_regclass('_sqlx_migrations') IS NOT NULL, to_regclass('_piton_migrations') IS NOT NULL \
         FROM pg_class LIMIT 1",
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
