//! Claims tasks: makes those that are due ready, and gives the first of each queue to a worker.
//!
//! The ready ones are read from one range of an index for each priority and queue, in order. Where other
//! transactions keep a snapshot, such as a backup, the entries of tasks that have left stay at the head of each
//! range, and reading past them would make each claim slower than the one before. So each range is read from the
//! lowest key that may be ready ([`LowestKeys`](super::lowest_keys::LowestKeys)).

use std::sync::Arc;

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::lowest_keys::LowestKeys;
use super::sql::{PgQuery, made_statement, now_ms, statement, unreadable};
use crate::db::PostgresEngine;
use crate::tasks::brokers::records::{ClaimedTask, WorkerId};
use crate::tasks::error::BrokerError;
use crate::tasks::task::MAX_PRIORITY;

/// Maximum number of due tasks that one statement makes ready.
const MAX_PROMOTED: i64 = 1000;

/// The number of priorities.
pub(super) const PRIORITIES: usize = MAX_PRIORITY as usize + 1;

// Rows are changed by an array of keys and not by a join. For a join, PostgreSQL may read the whole table, which its
// statistics take for empty, once for each key.

const PROMOTE: &str = concat!(
    "WITH due AS MATERIALIZED (
        SELECT key FROM piton_tasks WHERE state = 1 AND due_at_ms >= $3 AND due_at_ms <= ",
    now_ms!("$1"),
    " ORDER BY due_at_ms LIMIT $2 FOR UPDATE SKIP LOCKED
    )
    UPDATE piton_tasks AS task SET state = 0 WHERE task.key = ANY(ARRAY(SELECT key FROM due))
    RETURNING task.key, queue, priority"
);

/// The time at which the next task becomes due.
#[derive(Clone, Copy)]
pub(super) struct NextDue {
    pub at_ms: i64,
    /// By the server's clock; not positive if it is due already.
    pub wait_ms: i64,
}

/// The outcome of a statement that claims.
pub(super) struct Claim {
    pub tasks: Vec<ClaimedTask>,
    /// Keys of the tasks that are members of a group.
    pub grouped: Vec<i64>,
    pub next_due: Option<NextDue>,
}

/// The parameters of the statement that claims.
pub(super) struct ClaimParameters<'a> {
    pub worker: WorkerId,
    pub queues: &'a [String],
    pub max: i64,
    /// The lowest key to look at, for each queue and in it for each priority.
    pub lowest_keys: &'a [i64],
    /// The time from which due tasks are looked for.
    pub due_from_ms: i64,
    /// Unless set, nothing is claimed while tasks are due that are not ready yet: they may come first.
    pub passes_due: bool,
    pub offset_ms: i64,
}

/// Makes tasks ready that are due, of those that become so from `from_ms`.
pub(super) async fn promote(
    engine: &PostgresEngine,
    lowest_keys: &LowestKeys,
    from_ms: i64,
    offset_ms: i64,
) -> Result<(), BrokerError> {
    let query = statement(PROMOTE).bind(offset_ms).bind(MAX_PROMOTED).bind(from_ms);
    let rows = engine.rows(query).await?;
    lower_to(lowest_keys, &rows).map_err(unreadable)
}

/// Records keys that have become ready: rows of a key, a queue and a priority.
pub(super) fn lower_to(lowest_keys: &LowestKeys, rows: &[PgRow]) -> Result<(), sqlx::Error> {
    for row in rows {
        lowest_keys.lower(row.try_get(1)?, row.try_get(2)?, row.try_get(0)?);
    }
    Ok(())
}

/// Returns the text of the statement that claims tasks of so many queues.
pub(super) fn claim_sql(queues: usize) -> Arc<str> {
    let ready: Vec<String> = (0..PRIORITIES).map(|priority| ready_sql(queues, priority)).collect();
    format!("{CLAIM_BEFORE}{}{CLAIM_AFTER}", ready.join(" UNION ALL ")).into()
}

/// Returns the statement that locks the ready tasks of a priority, in order. The ranges of the queues are merged by
/// key, and a row is locked only when the `LIMIT` outside asks for it.
///
/// The state is asked for again, because it may have changed before the lock: by an expression that the index of ready
/// tasks does not serve, because with few of them PostgreSQL would search that one for each key, past all dead entries.
/// They are locked one by one, by a subquery with a limit: of a join, PostgreSQL reads the whole index of keys, which its
/// statistics take for empty after a vacuum, once for each key.
fn ready_sql(queues: usize, priority: usize) -> String {
    let ranges: Vec<String> = (0..queues).map(|queue| range_sql(queue, priority)).collect();
    format!(
        "SELECT key FROM (SELECT task.key FROM ({}) AS merged CROSS JOIN LATERAL ( \
             SELECT key FROM piton_tasks WHERE piton_tasks.key = merged.key AND state + 0 = 0 LIMIT 1 \
             FOR UPDATE SKIP LOCKED \
         ) AS task ORDER BY merged.key) AS locked",
        ranges.join(" UNION ALL ")
    )
}

fn range_sql(queue: usize, priority: usize) -> String {
    let (name, bound) = (queue + 1, queue * PRIORITIES + priority + 1);
    format!(
        "(SELECT key FROM piton_tasks WHERE state = 0 AND queue = ($2::text[])[{name}] AND priority = {priority} \
         AND key >= ($4::bigint[])[{bound}] AND NOT (SELECT paused[{name}] FROM pauses) ORDER BY key)"
    )
}

/// The worker's row is locked, so that a claim cannot come between reading which tasks of a lost worker are to be
/// released and the end of its lease.
const CLAIM_BEFORE: &str = "WITH me AS MATERIALIZED (
        SELECT id FROM piton_task_workers WHERE id = $1 FOR KEY SHARE
    ), pauses AS MATERIALIZED (
        SELECT array_agg(paused_at_ms IS NOT NULL ORDER BY place) AS paused
        FROM unnest($2::text[]) WITH ORDINALITY AS asked (queue, place)
        LEFT JOIN piton_task_queues ON name = queue
    ), ready AS MATERIALIZED (
        SELECT key FROM (";

const CLAIM_AFTER: &str = concat!(
    ") AS ranges WHERE EXISTS (SELECT FROM me) AND ($7 OR NOT EXISTS (
            SELECT FROM piton_tasks WHERE state = 1 AND due_at_ms >= $5 AND due_at_ms <= ",
    now_ms!("$6"),
    ")) LIMIT $3
    ), claimed AS (
        UPDATE piton_tasks AS task SET state = 2, worker = $1 WHERE task.key = ANY(ARRAY(SELECT key FROM ready))
        RETURNING task.key, id, queue, priority, created_at_ms, due_at_ms, expires_at_ms, retries, losses,
            group_id IS NOT NULL AS is_grouped, message
    )
    SELECT next.due_at_ms, next.due_at_ms - ",
    now_ms!("$6"),
    ", claimed.*
    FROM (SELECT min(due_at_ms) AS due_at_ms FROM piton_tasks WHERE state = 1 AND due_at_ms >= $5) AS next
    LEFT JOIN claimed ON true"
);

/// Claims tasks that are ready.
pub(super) async fn claim_ready(
    engine: &PostgresEngine,
    sql: Arc<str>,
    request: &ClaimParameters<'_>,
) -> Result<Claim, BrokerError> {
    let rows = engine.rows(claim_query(sql, request)).await?;
    read_claim(&rows).map_err(unreadable)
}

fn claim_query<'q>(sql: Arc<str>, request: &ClaimParameters<'_>) -> PgQuery<'q> {
    made_statement(sql)
        .bind(request.worker.0)
        .bind(request.queues)
        .bind(request.max)
        .bind(request.lowest_keys)
        .bind(request.due_from_ms)
        .bind(request.offset_ms)
        .bind(request.passes_due)
}

fn read_claim(rows: &[PgRow]) -> Result<Claim, sqlx::Error> {
    let mut tasks = Vec::with_capacity(rows.len());
    let mut grouped = Vec::new();
    let mut next_due = None;
    for row in rows {
        let (at_ms, wait_ms): (Option<i64>, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
        next_due = at_ms.zip(wait_ms).map(|(at_ms, wait_ms)| NextDue { at_ms, wait_ms });
        let Some(key) = row.try_get::<Option<i64>, _>(2)? else { continue };
        tasks.push(read_task(key, row)?);
        if row.try_get(11)? {
            grouped.push(key);
        }
    }
    // Sorted, because RETURNING has no order.
    tasks.sort_unstable_by_key(|task: &ClaimedTask| (task.priority, task.key));
    Ok(Claim { tasks, grouped, next_due })
}

fn read_task(key: i64, row: &PgRow) -> Result<ClaimedTask, sqlx::Error> {
    Ok(ClaimedTask {
        key,
        id: row.try_get(3)?,
        queue: row.try_get(4)?,
        priority: u8::try_from(row.try_get::<i16, _>(5)?).unwrap_or(MAX_PRIORITY),
        created_at_ms: row.try_get(6)?,
        due_at_ms: row.try_get(7)?,
        expires_at_ms: row.try_get(8)?,
        retries: number(row.try_get(9)?),
        losses: number(row.try_get(10)?),
        message: row.try_get(12)?,
    })
}

fn number(value: i32) -> u32 {
    u32::try_from(value).unwrap_or(0)
}
