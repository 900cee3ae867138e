//! Stores new tasks in batches.

use sqlx::sqlite::SqliteConnection;

use super::statements::{BatchStatement, Cell, arguments, fetch};
use crate::tasks::brokers::records::NewTask;

/// Number of columns of a new task.
const COLUMNS: usize = 13;

/// `OR FAIL` leaves the rows before a duplicate, because the transaction is rolled back anyway: SQLite then needs no copy
/// of the pages that it changes.
static INSERT: BatchStatement = BatchStatement::new(
    "INSERT OR FAIL INTO piton_tasks (id, name, queue, priority, state, due_at_ms, expires_at_ms, created_at_ms, retries, \
     parent_id, group_id, group_index, message) VALUES ",
    COLUMNS,
    "",
);

/// Does nothing for tasks that are stored already or have a result.
static INSERT_IF_NEW: BatchStatement = BatchStatement::new(
    "INSERT INTO piton_tasks (id, name, queue, priority, state, due_at_ms, expires_at_ms, created_at_ms, retries, \
     parent_id, group_id, group_index, message) SELECT * FROM (VALUES ",
    COLUMNS,
    ") AS new WHERE NOT EXISTS (SELECT 1 FROM piton_task_results WHERE id = new.column1) ON CONFLICT (id) DO NOTHING",
);

/// Finds a new task that has a result. It compares by key what was just inserted, so that no id is sent twice.
const HAS_RESULT: &str = "SELECT 1 FROM piton_tasks t CROSS JOIN piton_task_results r ON r.id = t.id \
    WHERE t.key > ? LIMIT 1";

/// Returns the cells of new tasks.
pub(super) fn cells(tasks: &[NewTask]) -> Vec<Cell> {
    let mut cells = Vec::with_capacity(tasks.len() * COLUMNS);
    // Queues and names repeat, and are then one text.
    let (mut name, mut queue) = (Cell::Null, Cell::Null);
    for task in tasks {
        let group = task.group.as_ref();
        cells.extend([
            Cell::from(task.id.as_str()),
            repeated(&mut name, &task.name),
            repeated(&mut queue, &task.queue),
            Cell::Integer(task.priority.into()),
            Cell::Integer(task.due_at_ms.is_some().into()),
            task.due_at_ms.into(),
            task.expires_at_ms.into(),
            Cell::Integer(task.created_at_ms),
            Cell::Integer(task.retries.into()),
            task.parent_id.as_deref().into(),
            group.map(|group| group.id.as_str()).into(),
            group.map(|group| i64::from(group.index)).into(),
            Cell::from(task.message.as_str()),
        ]);
    }
    cells
}

fn repeated(last: &mut Cell, text: &str) -> Cell {
    if !matches!(last, Cell::Text(last) if **last == *text) {
        *last = text.into();
    }
    last.clone()
}

/// The outcome of storing new tasks.
pub(super) enum Inserted {
    All,
    /// A task has a result already. The transaction must be rolled back.
    Duplicate,
}

/// Stores new tasks.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    cells: Vec<Cell>,
) -> Result<Inserted, sqlx::Error> {
    let (count, last) = INSERT.run(connection, &[], cells).await?;
    let before = last - i64::try_from(count).unwrap_or_default();
    let found = fetch(connection, HAS_RESULT, arguments([before.into()])).await?;
    Ok(if found.is_empty() { Inserted::All } else { Inserted::Duplicate })
}

/// Stores tasks that follow a task, unless they are stored: an earlier run may have sent them.
pub(super) async fn insert_if_new(
    connection: &mut SqliteConnection,
    tasks: &[NewTask],
) -> Result<(), sqlx::Error> {
    INSERT_IF_NEW.run(connection, &[], cells(tasks)).await?;
    Ok(())
}
