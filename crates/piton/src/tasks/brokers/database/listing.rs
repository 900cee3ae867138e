//! Reads tasks for clients and operators: one statement over the tasks and their history.

use super::super::records::{TaskFilter, TaskRecord, TaskState};
use super::filter::{common, final_states, limit, unfinished};
use super::groups::waiting_summary;
use super::state_sql::StateSql;
use crate::db::{Db, FromRow, Sql};
use crate::tasks::error::BrokerError;

const FROM_TASKS: &str = " FROM piton_tasks";

const FINISHED: &str = "SELECT id, name, queue, state, priority, retries, losses, created_at_ms, due_at_ms, \
    started_at_ms, finished_at_ms, parent_id, group_id, worker, progress, result, traceback, \
    finished_at_ms AS since_ms, 0 AS position";

const FROM_RESULTS: &str = " FROM piton_task_results";

/// The column that only a single task is read with: a list would read megabytes for nothing.
const MESSAGE: &str = ", message";

/// Adds the columns of an unfinished task, as those of a result. The worker's name is that of its registration.
fn push_unfinished(sql: Sql, state: &StateSql) -> Sql {
    sql.push("SELECT id, name, queue, ")
        .push(state.state)
        .push(
            " AS state, priority, retries, losses, created_at_ms, due_at_ms, CAST(NULL AS BIGINT) AS started_at_ms, \
             CAST(NULL AS BIGINT) AS finished_at_ms, parent_id, group_id, \
             (SELECT w.name FROM piton_task_workers w WHERE w.id = ",
        )
        .push(state.worker)
        .push(
            ") AS worker, progress, error AS result, CAST(NULL AS TEXT) AS traceback, created_at_ms AS since_ms, \
             key AS position",
        )
}

/// A row of either table.
#[derive(FromRow)]
struct RecordRow {
    id: String,
    name: String,
    queue: String,
    state: i64,
    priority: i64,
    retries: i64,
    losses: i64,
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
            // One row with a number that no task has must not make the others unreadable.
            priority: u8::try_from(row.priority).unwrap_or_default(),
            retries: u32::try_from(row.retries).unwrap_or_default(),
            losses: u32::try_from(row.losses).unwrap_or_default(),
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
    let both = push_unfinished(Sql::new(""), StateSql::of(db.is_postgres()))
        .push(MESSAGE)
        .push(FROM_TASKS)
        .filter(&common(&filter))
        .push(" UNION ALL ")
        .push(FINISHED)
        .push(MESSAGE)
        .push(FROM_RESULTS)
        .filter(&common(&filter));
    let rows: Vec<RecordRow> = db.all(both, ()).await?;
    if let Some(row) = rows.into_iter().next() {
        return Ok(Some(row.into()));
    }
    Ok(waiting_summary(db, id).await?.map(TaskRecord::of_waiting_summary))
}

/// Returns tasks without their messages: the newest first, of those that have ended by the time when they did.
pub(in crate::tasks::brokers) async fn list(
    db: &Db,
    filter: &TaskFilter,
) -> Result<Vec<TaskRecord>, BrokerError> {
    let Some(parts) = parts(filter, StateSql::of(db.is_postgres())) else { return Ok(Vec::new()) };
    let sql =
        parts.push(" ORDER BY since_ms DESC, position DESC, id DESC LIMIT ").bind(limit(filter));
    let rows: Vec<RecordRow> = db.all(sql, ()).await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Returns the statement of all parts that the filter wants. Each has its own order and limit, which an index serves.
fn parts(filter: &TaskFilter, state: &StateSql) -> Option<Sql> {
    let mut parts = Vec::new();
    let tasks = unfinished(filter, state);
    if tasks.is_some() {
        parts.push(None);
    }
    parts.extend(final_states(filter).into_iter().map(Some));
    let mut sql = Sql::new("SELECT * FROM (");
    for (at, part) in parts.iter().enumerate() {
        sql = sql.push(if at == 0 { "SELECT * FROM (" } else { " UNION ALL SELECT * FROM (" });
        sql = match part {
            None => push_unfinished(sql, state)
                .push(FROM_TASKS)
                .filter(tasks.as_ref()?)
                .push(" ORDER BY key DESC LIMIT "),
            Some(ended) => sql
                .push(FINISHED)
                .push(FROM_RESULTS)
                .filter(&common(filter).equal("state", Some(*ended)))
                .push(" ORDER BY finished_at_ms DESC LIMIT "),
        };
        sql = sql.bind(limit(filter)).push(PART_NAMES[at]);
    }
    (!parts.is_empty()).then(|| sql.push(") AS found"))
}

/// Names of the parts, which PostgreSQL requires.
const PART_NAMES: [&str; 4] = [") AS a", ") AS b", ") AS c", ") AS d"];
