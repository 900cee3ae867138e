//! Leases: one row for each worker.

use std::time::Duration;

use sqlx::Row as _;

use super::claim::lower_to;
use super::lowest_keys::LowestKeys;
use super::sql::{Statements, now_ms, statement, unreadable};
use crate::db::{PostgresEngine, Tx};
use crate::tasks::brokers::records::{WorkerId, WorkerInfo};
use crate::tasks::clock::millis;
use crate::tasks::error::{BrokerError, Kind};

const REGISTER: &str = concat!(
    "INSERT INTO piton_task_workers (name, queues, concurrency, started_at_ms, lease_until_ms)
    VALUES ($1, $2, $3, $4, ",
    now_ms!("$5"),
    " + $6) RETURNING id"
);

/// Also returns the tasks that are revoked while they run: a row for each, or one of NULL.
const RENEW: &str = concat!(
    "WITH renewed AS (
        UPDATE piton_task_workers SET lease_until_ms = ",
    now_ms!("$2"),
    " + $3 WHERE id = $1 RETURNING id
    )
    SELECT task.key FROM renewed
    LEFT JOIN piton_tasks AS task ON task.worker = $1 AND task.revoked = 1"
);

const EXPIRED: &str = concat!(
    "SELECT id FROM piton_task_workers WHERE lease_until_ms <= ",
    now_ms!("$1"),
    " ORDER BY id FOR UPDATE SKIP LOCKED"
);

/// Locked, so that claims that have begun are seen by the statement that follows, and none begins.
const LOCK: &str = "SELECT id FROM piton_task_workers WHERE id = $1 FOR UPDATE";

const RELEASE_OF_WORKERS: &str =
    "UPDATE piton_tasks SET state = 0, worker = NULL, losses = losses + $2
    WHERE state = 2 AND worker = ANY($1) RETURNING key, queue, priority";

const RELEASE_UNKNOWN: &str = "UPDATE piton_tasks SET state = 0, worker = NULL
    WHERE state = 2 AND worker = $1 AND key <> ALL($2) RETURNING key, queue, priority";

const REMOVE_WORKERS: &str = "DELETE FROM piton_task_workers WHERE id = ANY($1)";

const REPORT_PROGRESS: &str = "UPDATE piton_tasks AS task SET progress = new.progress
    FROM unnest($2::bigint[], $3::text[]) AS new (key, progress)
    WHERE task.key = new.key AND task.key = ANY($2) AND task.worker = $1";

/// Registers a worker.
pub(super) async fn register(
    engine: &PostgresEngine,
    worker: &WorkerInfo,
    lease: Duration,
    offset_ms: i64,
) -> Result<WorkerId, BrokerError> {
    let queues = serde_json::to_string(&worker.queues).map_err(|error| {
        BrokerError::new(Kind::Invalid, "the queues do not serialize").caused_by(error)
    })?;
    let query = statement(REGISTER)
        .bind(worker.name.clone())
        .bind(queues)
        .bind(i32::try_from(worker.concurrency).unwrap_or(i32::MAX))
        .bind(worker.started_at_ms)
        .bind(offset_ms)
        .bind(millis(lease));
    let rows = engine.rows(query).await?;
    let id = rows.first().map_or(Err(sqlx::Error::RowNotFound), |row| row.try_get(0));
    Ok(WorkerId(id.map_err(unreadable)?))
}

/// Renews a lease. Returns the keys of revoked tasks, or `None` if the lease has been taken away.
pub(super) async fn renew(
    engine: &PostgresEngine,
    worker: WorkerId,
    lease: Duration,
    offset_ms: i64,
) -> Result<Option<Vec<i64>>, BrokerError> {
    let query = statement(RENEW).bind(worker.0).bind(offset_ms).bind(millis(lease));
    let rows = engine.rows(query).await?;
    let keys: Result<Vec<Option<i64>>, _> = rows.iter().map(|row| row.try_get(0)).collect();
    let keys = keys.map_err(unreadable)?;
    Ok((!keys.is_empty()).then(|| keys.into_iter().flatten().collect()))
}

/// Ends a registration in a transaction. Returns the number of tasks that are released.
pub(super) async fn unregister(
    tx: &mut Tx,
    worker: WorkerId,
    lowest_keys: &LowestKeys,
) -> Result<u64, BrokerError> {
    tx.postgres_rows(statement(LOCK).bind(worker.0)).await?;
    end_workers(tx, vec![worker.0], 0, lowest_keys).await
}

/// Ends the registrations of workers whose lease has expired, in a transaction. Returns the number of tasks that are
/// released.
pub(super) async fn release_lost(
    tx: &mut Tx,
    lowest_keys: &LowestKeys,
    offset_ms: i64,
) -> Result<u64, BrokerError> {
    let rows = tx.postgres_rows(statement(EXPIRED).bind(offset_ms)).await?;
    let workers: Result<Vec<i64>, _> = rows.iter().map(|row| row.try_get(0)).collect();
    match workers.map_err(unreadable)? {
        workers if workers.is_empty() => Ok(0),
        workers => end_workers(tx, workers, 1, lowest_keys).await,
    }
}

/// Releases the tasks of workers whose rows are locked, and removes the rows.
async fn end_workers(
    tx: &mut Tx,
    workers: Vec<i64>,
    losses: i32,
    lowest_keys: &LowestKeys,
) -> Result<u64, BrokerError> {
    let release = statement(RELEASE_OF_WORKERS).bind(workers.clone()).bind(losses);
    let released = tx.postgres_rows(release).await?;
    tx.postgres_rows(statement(REMOVE_WORKERS).bind(workers)).await?;
    lower_to(lowest_keys, &released).map_err(unreadable)?;
    Ok(released.len() as u64)
}

/// Releases the tasks of a worker that it does not know of, in a transaction. Returns their number.
pub(super) async fn release_unknown(
    tx: &mut Tx,
    worker: WorkerId,
    known: Vec<i64>,
    lowest_keys: &LowestKeys,
) -> Result<u64, BrokerError> {
    let released = tx.postgres_rows(statement(RELEASE_UNKNOWN).bind(worker.0).bind(known)).await?;
    lower_to(lowest_keys, &released).map_err(unreadable)?;
    Ok(released.len() as u64)
}

/// Stores the progress of running tasks.
pub(super) async fn report_progress(
    mut statements: Statements<'_>,
    worker: WorkerId,
    progress: &[(i64, String)],
) -> Result<(), BrokerError> {
    let (keys, texts): (Vec<i64>, Vec<&str>) =
        progress.iter().map(|(key, text)| (*key, text.as_str())).unzip();
    statements.rows(statement(REPORT_PROGRESS).bind(worker.0).bind(keys).bind(texts)).await?;
    Ok(())
}
