//! Finds tasks that are ready, and claims them.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::statements::{Cell, arguments, execute, fetch, json_list};
use crate::tasks::brokers::records::{ClaimedBatch, ClaimedTask, WorkerId};

/// Maximum number of due tasks of a queue that one claim makes ready, unless the claim asks for more. More would keep
/// other writers waiting.
const MAX_PROMOTED: usize = 1000;

/// The queues that are not paused: whether something is ready, and when the next task is due.
const LOOK: &str = "SELECT q.value, \
        EXISTS (SELECT 1 FROM piton_task_ready WHERE queue = q.value), \
        (SELECT min(due_at_ms) FROM piton_tasks WHERE state = 1 AND queue = q.value) \
    FROM json_each(?) q \
    WHERE NOT EXISTS (SELECT 1 FROM piton_task_queues WHERE name = q.value AND paused_at_ms IS NOT NULL)";

const PROMOTE: &str = "UPDATE piton_tasks SET state = 0 WHERE key IN \
    (SELECT key FROM piton_tasks WHERE state = 1 AND queue = ?1 AND due_at_ms <= ?2 ORDER BY due_at_ms LIMIT ?3)";

/// Two statements in one call, because the way to SQLite's thread and back takes longer than they do. What is taken is
/// the head of a queue, which is a range. `OR FAIL`, because SQLite then needs no copy of the pages that it changes.
const TAKE: &str = "INSERT OR FAIL INTO piton_task_claims (key, worker) SELECT value, ?2 FROM json_each(?1); \
    DELETE FROM piton_task_ready WHERE queue = ?3 AND (priority, key) <= (?4, ?5)";

/// A request for tasks.
pub(super) struct ClaimRequest {
    pub worker: WorkerId,
    pub queues: Vec<String>,
    pub max: usize,
}

/// The state of a queue at the time of a claim.
struct QueueState {
    queue: String,
    has_ready: bool,
    next_due_at_ms: Option<i64>,
}

impl QueueState {
    fn is_due(&self, now_ms: i64) -> bool {
        self.next_due_at_ms.is_some_and(|due| due <= now_ms)
    }
}

/// Returns an empty batch if nothing is ready or due. Only reads.
pub(super) async fn nothing_ready(
    connection: &mut SqliteConnection,
    request: &ClaimRequest,
    now_ms: i64,
) -> Result<Option<ClaimedBatch>, sqlx::Error> {
    let queues = look(connection, &request.queues).await?;
    if queues.iter().any(|queue| queue.has_ready || queue.is_due(now_ms)) {
        return Ok(None);
    }
    Ok(Some(ClaimedBatch { tasks: Vec::new(), next_due_at_ms: next_due(&queues) }))
}

/// Claims tasks. Those that are due become ready first.
pub(super) async fn claim(
    connection: &mut SqliteConnection,
    request: &ClaimRequest,
    now_ms: i64,
) -> Result<ClaimedBatch, sqlx::Error> {
    let mut queues = look(connection, &request.queues).await?;
    if queues.iter().any(|queue| queue.is_due(now_ms)) {
        for due in queues.iter().filter(|queue| queue.is_due(now_ms)) {
            promote(connection, &due.queue, now_ms, request.max.max(MAX_PROMOTED)).await?;
        }
        queues = look(connection, &request.queues).await?;
    }
    let next_due_at_ms = next_due(&queues);
    let ready: Vec<_> = queues.into_iter().filter(|queue| queue.has_ready).collect();
    let tasks = match ready.as_slice() {
        [] => Vec::new(),
        ready => take(connection, request, ready).await?,
    };
    Ok(ClaimedBatch { tasks, next_due_at_ms })
}

fn next_due(queues: &[QueueState]) -> Option<i64> {
    queues.iter().filter_map(|queue| queue.next_due_at_ms).min()
}

async fn look(
    connection: &mut SqliteConnection,
    queues: &[String],
) -> Result<Vec<QueueState>, sqlx::Error> {
    let names = serde_json::to_string(queues).expect("texts always serialize");
    let rows = fetch(connection, LOOK, arguments([Cell::from(names.as_str())])).await?;
    let state = |row: &SqliteRow| QueueState {
        queue: row.get_unchecked(0),
        has_ready: row.get_unchecked(1),
        next_due_at_ms: row.get_unchecked(2),
    };
    Ok(rows.iter().map(state).collect())
}

async fn promote(
    connection: &mut SqliteConnection,
    queue: &str,
    now_ms: i64,
    max: usize,
) -> Result<(), sqlx::Error> {
    let values = [queue.into(), now_ms.into(), limit(max)];
    execute(connection, PROMOTE, arguments(values)).await?;
    Ok(())
}

fn limit(max: usize) -> Cell {
    Cell::Integer(i64::try_from(max).unwrap_or(i64::MAX))
}

async fn take(
    connection: &mut SqliteConnection,
    request: &ClaimRequest,
    ready: &[QueueState],
) -> Result<Vec<ClaimedTask>, sqlx::Error> {
    let queues = ready.iter().map(|queue| Cell::from(queue.queue.as_str()));
    let values = [request.worker.0.into(), limit(request.max)].into_iter().chain(queues);
    let rows = fetch(connection, &heads_sql(ready.len()), arguments(values)).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    for (queue, taken) in by_queue(&rows) {
        let keys = json_list(taken.iter().map(|(_, key)| *key));
        let Some((priority, key)) = taken.into_iter().max() else { continue };
        let worker = request.worker.0.into();
        let values = [keys, worker, queue.into(), priority.into(), key.into()];
        execute(connection, TAKE, arguments(values)).await?;
    }
    let mut tasks: Vec<_> = rows.iter().map(claimed).collect();
    // The heads of several queues are read one after the other.
    tasks.sort_unstable_by_key(|task| (task.priority, task.key));
    Ok(tasks)
}

/// Returns the priorities and the keys of the rows by their queue.
fn by_queue(rows: &[SqliteRow]) -> BTreeMap<&str, Vec<(i64, i64)>> {
    let mut queues = BTreeMap::<_, Vec<_>>::new();
    for row in rows {
        let place = (row.get_unchecked(3), row.get_unchecked(0));
        queues.entry(row.get_unchecked(2)).or_default().push(place);
    }
    queues
}

/// Returns the statement that reads the ready tasks of so many queues. The heads of several are merged, so that a long
/// queue that this worker does not serve costs nothing.
fn heads_sql(queues: usize) -> String {
    let head = |number: usize| {
        format!(
            "SELECT priority, key FROM piton_task_ready WHERE queue = ?{number} ORDER BY priority, key LIMIT ?2"
        )
    };
    let heads = match queues {
        1 => head(3),
        _ => {
            let heads = (0..queues).map(|queue| format!("SELECT * FROM ({})", head(queue + 3)));
            let heads = heads.collect::<Vec<_>>().join(" UNION ALL ");
            format!("SELECT priority, key FROM ({heads}) ORDER BY priority, key LIMIT ?2")
        }
    };
    format!(
        "SELECT t.key, id, queue, t.priority, created_at_ms, due_at_ms, expires_at_ms, retries, losses, message \
         FROM ({heads}) head CROSS JOIN piton_tasks t ON t.key = head.key \
         WHERE EXISTS (SELECT 1 FROM piton_task_workers WHERE id = ?1)"
    )
}

fn claimed(row: &SqliteRow) -> ClaimedTask {
    ClaimedTask {
        key: row.get_unchecked(0),
        id: row.get_unchecked(1),
        queue: row.get_unchecked(2),
        priority: number(row, 3),
        created_at_ms: row.get_unchecked(4),
        due_at_ms: row.get_unchecked(5),
        expires_at_ms: row.get_unchecked(6),
        retries: number(row, 7),
        losses: number(row, 8),
        // A text that is not UTF-8 is no message: the task fails for it, and the others are run.
        message: row.try_get_unchecked(9).unwrap_or_default(),
    }
}

/// Returns a number; 0 for one that no task has, so that its row does not keep the others from being claimed.
fn number<T: TryFrom<i64> + Default>(row: &SqliteRow, column: usize) -> T {
    T::try_from(row.get_unchecked(column)).unwrap_or_default()
}

/// Returns the statements of a claim, with the numbers of their parameters.
#[cfg(test)]
pub(super) fn statements() -> [(String, usize); 5] {
    let take = TAKE.split_once("; ").map_or("", |(_, delete)| delete);
    [(LOOK.into(), 1), (PROMOTE.into(), 3), (take.into(), 5), (heads_sql(1), 3), (heads_sql(3), 5)]
}
