//! Creates the tables.

use sqlx::Row as _;

use super::sql::{statement, unreadable};
use crate::db::{Db, PostgresEngine, Tx};
use crate::tasks::brokers::database::error::other_version;
use crate::tasks::error::BrokerError;

/// The version of the tables in `schema.sql`.
const VERSION: i32 = 1;

const CREATE: &str = include_str!("schema.sql");

/// Takes the lock under which tables and partitions are changed: the text `piton_tasks` as a number.
pub(super) const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtext('piton_tasks'))";

/// Asks the catalog itself, because a name that was looked up in vain is remembered by the session for a while.
const EXISTS: &str = "SELECT EXISTS (
    SELECT FROM pg_catalog.pg_class WHERE relname = $1 AND pg_catalog.pg_table_is_visible(oid))";

/// Creates the tables unless they exist, for which no right to create tables is needed.
pub(super) async fn create_tables(db: &Db, engine: &PostgresEngine) -> Result<(), BrokerError> {
    let mut tx = db.begin_on_engine(engine).await?;
    if !is_current(&mut tx).await? {
        tx.postgres_rows(statement(LOCK)).await?;
        // Asked again, because another process may have created them meanwhile.
        if !is_current(&mut tx).await? {
            tx.run_postgres_raw(CREATE).await?;
        }
    }
    Ok(tx.commit().await?)
}

/// Returns whether a table exists.
pub(super) async fn table_exists(tx: &mut Tx, name: &str) -> Result<bool, BrokerError> {
    let rows = tx.postgres_rows(statement(EXISTS).bind(name)).await?;
    rows.first().map_or(Ok(false), |row| row.try_get(0)).map_err(unreadable)
}

/// Returns whether the tables are those of this program.
///
/// # Errors
/// They are those of another version.
async fn is_current(tx: &mut Tx) -> Result<bool, BrokerError> {
    if !table_exists(tx, "piton_task_schema").await? {
        return Ok(false);
    }
    let rows = tx.postgres_rows(statement("SELECT version FROM piton_task_schema")).await?;
    let version: i32 = rows.first().map_or(Ok(0), |row| row.try_get(0)).map_err(unreadable)?;
    if version == VERSION {
        return Ok(true);
    }
    Err(other_version(version.into(), VERSION.into()))
}
