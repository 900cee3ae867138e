//! Stores the last tick of each schedule.

use super::super::records::{CronRecord, NewTask};
use super::tasks::enqueue_in;
use crate::db::{Db, FromRow};
use crate::tasks::error::BrokerError;

/// A row of `piton_task_crons`.
#[derive(FromRow)]
struct CronRow {
    name: String,
    last_tick_ms: i64,
    paused_at_ms: Option<i64>,
}

impl From<CronRow> for CronRecord {
    fn from(row: CronRow) -> Self {
        Self {
            name: row.name,
            last_tick_ms: row.last_tick_ms,
            is_paused: row.paused_at_ms.is_some(),
        }
    }
}

/// Returns the record of a schedule, which is created if there is none.
pub(in crate::tasks::brokers) async fn cron(
    db: &Db,
    name: &str,
    first_tick_ms: i64,
) -> Result<CronRecord, BrokerError> {
    if let Some(known) = find(db, name).await? {
        return Ok(known);
    }
    // Another process may have been first in the meantime.
    db.run(
        "INSERT INTO piton_task_crons (name, last_tick_ms) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
        (name, first_tick_ms),
    )
    .await?;
    let is_paused = false;
    let created = CronRecord { name: name.to_owned(), last_tick_ms: first_tick_ms, is_paused };
    Ok(find(db, name).await?.unwrap_or(created))
}

async fn find(db: &Db, name: &str) -> Result<Option<CronRecord>, BrokerError> {
    let sql = "SELECT name, last_tick_ms, paused_at_ms FROM piton_task_crons WHERE name = $1";
    Ok(db.one::<CronRow>(sql, (name,)).await?.map(Into::into))
}

/// Records a tick, and enqueues its task in the same transaction. Returns whether it was later than the last.
pub(in crate::tasks::brokers) async fn fire(
    db: &Db,
    name: &str,
    tick_ms: i64,
    task: Option<&NewTask>,
    woken: impl FnOnce() + Send + 'static,
) -> Result<bool, BrokerError> {
    let mut tx = db.begin().await?;
    let advanced = tx
        .run(
            "INSERT INTO piton_task_crons (name, last_tick_ms) VALUES ($1, $2) \
             ON CONFLICT (name) DO UPDATE SET last_tick_ms = excluded.last_tick_ms \
             WHERE piton_task_crons.last_tick_ms < excluded.last_tick_ms",
            (name, tick_ms),
        )
        .await?;
    if advanced == 0 {
        tx.rollback().await?;
        return Ok(false);
    }
    if let Some(task) = task {
        enqueue_in(&mut tx, std::slice::from_ref(task), None).await?;
        tx.after_commit(woken);
    }
    tx.commit().await?;
    Ok(true)
}

/// Pauses or resumes a schedule. Returns whether it is known.
pub(in crate::tasks::brokers) async fn pause(
    db: &Db,
    name: &str,
    now_ms: Option<i64>,
) -> Result<bool, BrokerError> {
    let sql = "UPDATE piton_task_crons SET paused_at_ms = $2 WHERE name = $1";
    Ok(db.run(sql, (name, now_ms)).await? > 0)
}

/// Sets the last tick of a schedule, also to an earlier time. Returns whether it is known.
pub(in crate::tasks::brokers) async fn reset(
    db: &Db,
    name: &str,
    last_tick_ms: i64,
) -> Result<bool, BrokerError> {
    let sql = "UPDATE piton_task_crons SET last_tick_ms = $2 WHERE name = $1";
    Ok(db.run(sql, (name, last_tick_ms)).await? > 0)
}

/// Returns all schedules, by name.
pub(in crate::tasks::brokers) async fn all(db: &Db) -> Result<Vec<CronRecord>, BrokerError> {
    let sql = "SELECT name, last_tick_ms, paused_at_ms FROM piton_task_crons ORDER BY name";
    Ok(db.all::<CronRow>(sql, ()).await?.into_iter().map(Into::into).collect())
}
