//! Reads tasks for clients and operators: one statement over the tasks and their history.

use super::super::records::{TaskFilter, TaskRecord, TaskState};
use super::filter::{common, final_states, limit, unfinished};
use crate::db::{Db, FromRow, Sql};
use crate::tasks::error::BrokerError;

/// The columns of an unfinished task, as those of a result. The worker's name is that of its registration.
const UNFINISHED: &str = "SELECT id, name, queue, state, priority, retries, losses, created_at_ms, due_at_ms, \
    CAST(NULL AS BIGINT) AS started_at_ms, CAST(NULL AS BIGINT) AS finished_at_ms, parent_id, group_id, \
    (SELECT w.name FROM piton_task_workers w WHERE w.id = piton_tasks.worker) AS worker, progress, \
    error AS result, CAST(NULL AS TEXT) AS traceback, message, created_at_ms AS since_ms, key AS position \
    FROM piton_tasks";

const FINISHED: &str = "SELECT id, name, queue, state, priority, retries, losses, created_at_ms, due_at_ms, \
    started_at_ms, finished_at_ms, parent_id, group_id, worker, progress, result, traceback, message, \
    finished_at_ms AS since_ms, 0 AS position FROM piton_task_results";

/// A row of either table.
#[derive(FromRow)]
struct RecordRow {
    id: String,
    name: String,
    queue: String,
    state: i64,
    priority: u8,
    retries: u32,
    losses: u32,
    created_at_ms: i64,
    due_at_ms: Option<i64>,
    started_at_ms: Option<i64>,
    finished_at_ms: Option<i64>,
    parent_id: Option<String>,
    group_id: Option<String>,
    worker: Option<String>,
    progress: Option<String>,
    result: Option<String>,
    traceback: Option<String>,
    #[row(default)]
    message: Option<String>,
}

impl RecordRow {
    fn state(&self) -> TaskState {
        match self.state {
            0 => TaskState::Queued,
            1 if self.retries > 0 && self.result.is_some() => TaskState::Retrying,
            1 => TaskState::Scheduled,
            2 => TaskState::Running,
            3 => TaskState::Succeeded,
            5 => TaskState::Revoked,
            _ => TaskState::Failed,
        }
    }
}

impl From<RecordRow> for TaskRecord {
    fn from(row: RecordRow) -> Self {
        Self {
            state: row.state(),
            id: row.id,
            name: row.name,
            queue: row.queue,
            priority: row.priority,
            retries: row.retries,
            losses: row.losses,
            created_at_ms: row.created_at_ms,
            due_at_ms: row.due_at_ms,
            started_at_ms: row.started_at_ms,
            finished_at_ms: row.finished_at_ms,
            parent_id: row.parent_id,
            group_id: row.group_id,
            worker: row.worker,
            progress: row.progress,
            result: row.result,
            traceback: row.traceback,
            message: row.message,
        }
    }
}

/// Returns a task in any state.
pub(in crate::tasks::brokers) async fn task(
    db: &Db,
    id: &str,
) -> Result<Option<TaskRecord>, BrokerError> {
    let filter = TaskFilter { ids: vec![id.to_owned()], ..TaskFilter::default() };
    let both = Sql::new(UNFINISHED)
        .filter(&common(&filter))
        .push(" UNION ALL ")
        .push(FINISHED)
        .filter(&common(&filter));
    let rows: Vec<RecordRow> = db.all(both, ()).await?;
    Ok(rows.into_iter().next().map(Into::into))
}

/// Returns tasks without their messages: the newest first, of those that have ended by the time when they did.
pub(in crate::tasks::brokers) async fn list(
    db: &Db,
    filter: &TaskFilter,
) -> Result<Vec<TaskRecord>, BrokerError> {
    let Some(parts) = parts(filter) else { return Ok(Vec::new()) };
    let sql =
        parts.push(" ORDER BY since_ms DESC, position DESC, id DESC LIMIT ").bind(limit(filter));
    let rows: Vec<RecordRow> = db.all(sql, ()).await?;
    let without_message = |row| TaskRecord { message: None, ..TaskRecord::from(row) };
    Ok(rows.into_iter().map(without_message).collect())
}

/// Returns the statement of all parts that the filter wants. Each has its own order and limit, which an index serves.
fn parts(filter: &TaskFilter) -> Option<Sql> {
    let mut parts = Vec::new();
    if unfinished(filter).is_some() {
        parts.push(None);
    }
    parts.extend(final_states(filter).into_iter().map(Some));
    let mut sql = Sql::new("SELECT * FROM (");
    for (at, part) in parts.iter().enumerate() {
        sql = sql.push(if at == 0 { "SELECT * FROM (" } else { " UNION ALL SELECT * FROM (" });
        sql = match part {
            None => {
                sql.push(UNFINISHED).filter(&unfinished(filter)?).push(" ORDER BY key DESC LIMIT ")
            }
            Some(state) => sql
                .push(FINISHED)
                .filter(&common(filter).equal("state", Some(*state)))
                .push(" ORDER BY finished_at_ms DESC LIMIT "),
        };
        sql = sql.bind(limit(filter)).push(PART_NAMES[at]);
    }
    (!parts.is_empty()).then(|| sql.push(") AS found"))
}

/// Names of the parts, which PostgreSQL requires.
const PART_NAMES: [&str; 4] = [") AS a", ") AS b", ") AS c", ") AS d"];
