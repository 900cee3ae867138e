//! Stores tasks in SQL that both databases understand: for what is not sent in large batches.

use std::collections::HashSet;

use super::super::records::{NewGroup, NewTask};
use super::error::duplicate;
use super::groups::open_group;
use crate::db::{Sql, Tx, Value};
use crate::tasks::error::BrokerError;

const INSERT: &str = "INSERT INTO piton_tasks (id, name, queue, priority, state, due_at_ms, expires_at_ms, \
    created_at_ms, retries, parent_id, group_id, group_index, message) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";

/// Number of ids that one statement looks up.
const MAX_IDS: usize = 500;

/// Enqueues tasks in the caller's transaction: they are sent when it is committed, and otherwise never were.
///
/// # Errors
/// [`Kind::Duplicate`](crate::tasks::Kind::Duplicate) if an id is stored already. The transaction should be rolled back.
pub(in crate::tasks::brokers) async fn enqueue_in(
    tx: &mut Tx,
    tasks: &[NewTask],
    group: Option<&NewGroup>,
) -> Result<(), BrokerError> {
    for some in tasks.chunks(MAX_IDS) {
        require_no_results(tx, some).await?;
    }
    for task in tasks {
        tx.run(INSERT, values(task).to_vec()).await?;
    }
    match group {
        Some(group) => open_group(tx, group).await,
        None => Ok(()),
    }
}

/// Enqueues those tasks that are not stored and have no result: what follows a group may have been sent by an earlier run.
///
/// # Errors
/// Those of the database.
pub(in crate::tasks::brokers) async fn enqueue_new_in(
    tx: &mut Tx,
    tasks: &[NewTask],
) -> Result<(), BrokerError> {
    for some in tasks.chunks(MAX_IDS) {
        let ids = || some.iter().map(|task| task.id.as_str());
        let sql = Sql::new("SELECT id FROM piton_task_results WHERE id IN (")
            .bind_all(ids())
            .push(") UNION SELECT id FROM piton_tasks WHERE id IN (")
            .bind_all(ids())
            .push(")");
        let known: Vec<String> = tx.all(sql, ()).await?;
        let known: HashSet<String> = known.into_iter().collect();
        for task in some.iter().filter(|task| !known.contains(&task.id)) {
            tx.run(INSERT, values(task).to_vec()).await?;
        }
    }
    Ok(())
}

/// Refuses ids of tasks that have finished.
async fn require_no_results(tx: &mut Tx, tasks: &[NewTask]) -> Result<(), BrokerError> {
    let sql = Sql::new("SELECT 1 FROM piton_task_results WHERE id IN (")
        .bind_all(tasks.iter().map(|task| task.id.as_str()))
        .push(") LIMIT 1");
    let finished: Option<i64> = tx.one(sql, ()).await?;
    if finished.is_some() { Err(duplicate()) } else { Ok(()) }
}

/// Returns the values of a new task.
pub(in crate::tasks::brokers) fn values(task: &NewTask) -> [Value; 13] {
    let text = |text: &Option<String>| text.clone().map_or(Value::Null, Value::Text);
    let time = |time: Option<i64>| time.map_or(Value::Null, Value::Integer);
    let group = task.group.as_ref();
    [
        Value::Text(task.id.clone()),
        Value::Text(task.name.clone()),
        Value::Text(task.queue.clone()),
        Value::Integer(task.priority.into()),
        Value::Integer(task.due_at_ms.is_some().into()),
        time(task.due_at_ms),
        time(task.expires_at_ms),
        Value::Integer(task.created_at_ms),
        Value::Integer(task.retries.into()),
        text(&task.parent_id),
        group.map_or(Value::Null, |group| Value::Text(group.id.clone())),
        time(group.map(|group| group.index.into())),
        Value::Text(task.message.clone()),
    ]
}
