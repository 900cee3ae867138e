//! Counts the tasks of queues, by indices alone: also where a million wait.

use std::collections::BTreeMap;

use super::super::records::QueueStats;
use super::state_sql::StateSql;
use crate::db::{Db, FromRow, Sql};
use crate::tasks::error::BrokerError;

/// Returns the statement that counts the tasks of each queue by their state. In one statement, so that a task that
/// changes its state meanwhile is counted.
///
/// Of ready tasks the first of each priority counts for the age: the order in which they were enqueued is that in
/// which they run. Scheduled tasks whose time has come count as ready, because they would be if a worker asked for
/// them.
fn counts(state: &StateSql) -> Sql {
    Sql::new(
        "SELECT heads.queue AS queue, 0 AS state, heads.tasks AS tasks, heads.tasks AS ready, \
             CASE WHEN t.due_at_ms > t.created_at_ms THEN t.due_at_ms ELSE t.created_at_ms END AS since_ms FROM (",
    )
    .push(state.ready_heads)
    .push(
        ") heads JOIN piton_tasks t ON t.key = heads.head \
         UNION ALL SELECT queue, 1, count(*), count(CASE WHEN due_at_ms <= $1 THEN 1 END), min(due_at_ms) \
         FROM piton_tasks WHERE state = 1 GROUP BY queue \
         UNION ALL SELECT queue, 2, tasks, 0, CAST(NULL AS BIGINT) FROM (",
    )
    .push(state.running_counts)
    .push(
        ") running \
         UNION ALL SELECT name, 3, 0, 0, CAST(NULL AS BIGINT) FROM piton_task_queues WHERE paused_at_ms IS NOT NULL",
    )
}

/// A row of [`counts`]. The state of a queue that is paused is 3.
#[derive(FromRow)]
struct Count {
    queue: String,
    state: i64,
    tasks: i64,
    ready: i64,
    since_ms: Option<i64>,
}

/// Returns the numbers of all queues that have tasks or are paused, by name.
pub(in crate::tasks::brokers) async fn queues(
    db: &Db,
    now_ms: i64,
) -> Result<Vec<QueueStats>, BrokerError> {
    let mut queues = BTreeMap::<String, QueueStats>::new();
    for row in db.all::<Count>(counts(StateSql::of(db.is_postgres())), (now_ms,)).await? {
        let stats = queues.entry(row.queue).or_default();
        stats.queued += count(row.ready);
        match row.state {
            1 => stats.scheduled = count(row.tasks - row.ready),
            2 => stats.running = count(row.tasks),
            3 => stats.is_paused = true,
            _ => {}
        }
        if row.ready > 0 {
            let age_ms = row.since_ms.map(|since| now_ms.saturating_sub(since).max(0));
            stats.oldest_ms = stats.oldest_ms.max(age_ms);
        }
    }
    Ok(queues.into_iter().map(|(queue, stats)| QueueStats { queue, ..stats }).collect())
}

fn count(rows: i64) -> u64 {
    u64::try_from(rows).unwrap_or_default()
}
