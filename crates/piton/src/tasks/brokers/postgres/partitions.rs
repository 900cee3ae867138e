//! The history's partitions: one for each day and retention, created ahead of time and dropped as a whole.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{AssertSqlSafe, Row as _};

use super::schema::{LOCK, table_exists};
use super::sql::{made_statement, now_ms, statement, unreadable};
use crate::db::{Db, PostgresEngine, Tx};
use crate::tasks::clock::millis;
use crate::tasks::error::BrokerError;

/// Days for which partitions are created ahead of time, with today.
const DAYS_AHEAD: i64 = 4;

const MS_PER_DAY: i64 = 24 * 60 * 60 * 1000;

/// The number of rows up to which they are counted before a partition is dropped; of larger ones it is estimated.
const MAX_COUNTED_ROWS: i64 = 1_000_000;

/// The tables that are partitioned by day.
const SUCCESSES: &str = "piton_task_results_success";
const FAILURES: &str = "piton_task_results_failure";

/// Changing partitions locks a table for a moment. Whoever holds it for longer is not waited for, because everybody
/// else would wait, too: it is tried again later.
const LIMIT_LOCKS: &str = "SET LOCAL lock_timeout = 500";

const PARTITIONS: &str = "SELECT class.relname::text, class.reltuples::bigint
    FROM pg_inherits JOIN pg_class AS class ON class.oid = inhrelid WHERE inhparent = to_regclass($1)";

const NOW: &str = concat!("SELECT ", now_ms!("$1"));

/// A day, by its number since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Day(i64);

impl Day {
    fn at_ms(time_ms: i64) -> Self {
        Self(time_ms.div_euclid(MS_PER_DAY))
    }

    fn start_ms(self) -> i64 {
        self.0 * MS_PER_DAY
    }

    fn end_ms(self) -> i64 {
        self.start_ms() + MS_PER_DAY
    }

    /// Returns the name of the partition of this day, such as `piton_task_results_success_20261129`.
    fn partition(self, table: &str) -> String {
        let day = DateTime::<Utc>::from_timestamp_millis(self.start_ms()).unwrap_or_default();
        format!("{table}_{}", day.format("%Y%m%d"))
    }

    /// Returns the day of a partition, or `None` for the default partition.
    fn of_partition(name: &str) -> Option<Self> {
        let (_, day) = name.rsplit_once('_')?;
        let day = NaiveDate::parse_from_str(day, "%Y%m%d").ok()?;
        Some(Self::at_ms(day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis()))
    }
}

/// Creates the partitions of today and of the days ahead that are missing.
pub(super) async fn create_partitions(
    db: &Db,
    engine: &PostgresEngine,
    offset_ms: i64,
) -> Result<(), BrokerError> {
    let today = Day::at_ms(now(engine, offset_ms).await?);
    for table in [SUCCESSES, FAILURES] {
        let existing = partitions(engine, table).await?;
        for day in (0..DAYS_AHEAD).map(|ahead| Day(today.0 + ahead)) {
            if !existing.iter().any(|partition| partition.name == day.partition(table)) {
                create_partition(db, engine, table, day).await?;
            }
        }
    }
    Ok(())
}

/// Drops the partitions whose days are over for longer than the retention. Returns the number of their rows.
pub(super) async fn drop_partitions(
    db: &Db,
    engine: &PostgresEngine,
    successes: Duration,
    failures: Duration,
    offset_ms: i64,
) -> Result<u64, BrokerError> {
    let now_ms = now(engine, offset_ms).await?;
    let mut rows = 0;
    for (table, retention) in [(SUCCESSES, successes), (FAILURES, failures)] {
        let before_ms = now_ms.saturating_sub(millis(retention));
        rows += delete_without_partition(engine, table, before_ms).await?;
        for partition in partitions(engine, table).await? {
            if Day::of_partition(&partition.name).is_some_and(|day| day.end_ms() <= before_ms) {
                rows += drop_partition(db, engine, table, &partition).await?;
            }
        }
    }
    Ok(rows)
}

struct Partition {
    name: String,
    /// The number of rows that the server estimates; negative if it has none.
    estimated_rows: i64,
}

async fn now(engine: &PostgresEngine, offset_ms: i64) -> Result<i64, BrokerError> {
    let rows = engine.rows(statement(NOW).bind(offset_ms)).await?;
    rows[0].try_get(0).map_err(unreadable)
}

async fn partitions(engine: &PostgresEngine, table: &str) -> Result<Vec<Partition>, BrokerError> {
    let rows = engine.rows(statement(PARTITIONS).bind(table)).await?;
    let partitions = rows
        .iter()
        .map(|row| Ok(Partition { name: row.try_get(0)?, estimated_rows: row.try_get(1)? }));
    partitions.collect::<Result<_, sqlx::Error>>().map_err(unreadable)
}

async fn begin_change(db: &Db, engine: &PostgresEngine) -> Result<Tx, BrokerError> {
    let mut tx = db.begin_on_engine(engine).await?;
    tx.run_postgres_raw(LIMIT_LOCKS).await?;
    tx.postgres_rows(statement(LOCK)).await?;
    Ok(tx)
}

/// Creates a partition, with the rows of its day that are in the default one. Attached, because creating it as a
/// partition would lock the whole table against settlements.
async fn create_partition(
    db: &Db,
    engine: &PostgresEngine,
    table: &str,
    day: Day,
) -> Result<(), BrokerError> {
    let (name, start_ms, end_ms) = (day.partition(table), day.start_ms(), day.end_ms());
    let mut tx = begin_change(db, engine).await?;
    if table_exists(&mut tx, &name).await? {
        return Ok(tx.commit().await?);
    }
    let sql = format!(
        "CREATE TABLE {name} (LIKE {table} INCLUDING ALL);
        WITH moved AS (
            DELETE FROM {table}_default WHERE finished_at_ms >= {start_ms} AND finished_at_ms < {end_ms} RETURNING *
        ) INSERT INTO {name} SELECT * FROM moved;
        ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({start_ms}) TO ({end_ms})"
    );
    tx.run_postgres_raw(AssertSqlSafe(sql)).await?;
    Ok(tx.commit().await?)
}

/// Drops a partition. Results of members of a group that is not complete stay, in the default partition, because its
/// summary needs them.
async fn drop_partition(
    db: &Db,
    engine: &PostgresEngine,
    table: &str,
    partition: &Partition,
) -> Result<u64, BrokerError> {
    let rows = count(engine, partition).await?;
    let mut tx = begin_change(db, engine).await?;
    let name = &partition.name;
    if !table_exists(&mut tx, name).await? {
        tx.commit().await?;
        return Ok(0);
    }
    let sql = format!(
        "ALTER TABLE {table} DETACH PARTITION {name};
        INSERT INTO {table}_default SELECT * FROM {name}
            WHERE group_id IS NOT NULL AND group_id IN (SELECT id FROM piton_task_groups);
        DROP TABLE {name}"
    );
    tx.run_postgres_raw(AssertSqlSafe(sql)).await?;
    tx.commit().await?;
    Ok(rows)
}

async fn count(engine: &PostgresEngine, partition: &Partition) -> Result<u64, BrokerError> {
    if partition.estimated_rows > MAX_COUNTED_ROWS {
        return Ok(partition.estimated_rows.unsigned_abs());
    }
    let sql = format!("SELECT count(*) FROM {}", partition.name);
    let rows = engine.rows(made_statement(sql.into())).await?;
    let count: i64 = rows[0].try_get(0).map_err(unreadable)?;
    Ok(count.unsigned_abs())
}

/// Deletes old rows that no partition has taken, of which there are none unless partitions could not be created.
async fn delete_without_partition(
    engine: &PostgresEngine,
    table: &str,
    before_ms: i64,
) -> Result<u64, BrokerError> {
    let sql = format!(
        "DELETE FROM {table}_default WHERE finished_at_ms < $1
            AND (group_id IS NULL OR group_id NOT IN (SELECT id FROM piton_task_groups)) RETURNING 1"
    );
    let deleted = engine.rows(made_statement(sql.into()).bind(before_ms)).await?;
    Ok(deleted.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_named_by_its_day() {
        let day = Day::at_ms(1_795_910_400_000 + 5);
        let name = day.partition(SUCCESSES);
        assert_eq!(name, "piton_task_results_success_20261129");
        assert_eq!(Day::of_partition(&name), Some(day));
        assert_eq!(day.end_ms() - day.start_ms(), MS_PER_DAY);
        assert_eq!(Day::of_partition("piton_task_results_success_default"), None);
    }
}
