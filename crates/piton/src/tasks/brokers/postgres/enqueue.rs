//! Stores tasks, with one statement for any number of them.

use sqlx::Row as _;
use uuid::Uuid;

use super::sql::{PgQuery, Statements, now_ms, statement, unreadable};
use crate::db::Tx;
use crate::tasks::brokers::database::error::duplicate;
use crate::tasks::brokers::records::NewTask;
use crate::tasks::error::BrokerError;

/// Tolerated difference of the clocks of senders and workers.
const MAX_CLOCK_SKEW_MS: i64 = 24 * 60 * 60 * 1000;

/// The statement that inserts new tasks. Results are looked for in those days' partitions only in which the tasks can
/// have finished (`$14`).
macro_rules! insert {
    ($before:literal, $unless_known:literal, $after:literal) => {
        concat!(
            $before,
            "INSERT INTO piton_tasks (id, name, queue, priority, state, due_at_ms, expires_at_ms, created_at_ms,
                retries, parent_id, group_id, group_index, message)
            SELECT id, name, queue, priority, CASE WHEN due_at_ms > ",
            now_ms!("$13"),
            " THEN 1 ELSE 0 END, due_at_ms, expires_at_ms, created_at_ms, retries, parent_id, group_id, group_index,
                message
            FROM unnest($1::text[], $2::text[], $3::text[], $4::smallint[], $5::bigint[], $6::bigint[], $7::bigint[],
                $8::int[], $9::text[], $10::text[], $11::int[], $12::text[])
                AS new (id, name, queue, priority, due_at_ms, expires_at_ms, created_at_ms, retries, parent_id,
                    group_id, group_index, message)
            WHERE NOT EXISTS (",
            $unless_known,
            ")",
            $after
        )
    };
}

/// Inserts nothing if one of the tasks has a result, and returns that.
const INSERT_ALL: &str = insert!(
    "WITH known AS MATERIALIZED (
        SELECT FROM piton_task_results WHERE id = ANY($1) AND finished_at_ms >= $14 LIMIT 1
    ), stored AS (",
    "SELECT FROM known",
    ") SELECT EXISTS (SELECT FROM known)"
);

/// Inserts those tasks that are not stored and have no result.
const INSERT_NEW: &str = insert!(
    "",
    "SELECT FROM piton_task_results AS known WHERE known.id = new.id AND finished_at_ms >= $14",
    " ON CONFLICT (id) DO NOTHING"
);

fn insert<'q>(sql: &'static str, tasks: &[NewTask], offset_ms: i64) -> PgQuery<'q> {
    let texts = |of: fn(&NewTask) -> &str| tasks.iter().map(of).collect::<Vec<_>>();
    let times = |of: fn(&NewTask) -> Option<i64>| tasks.iter().map(of).collect::<Vec<_>>();
    let group =
        |task: &NewTask| task.group.clone().map(|group| (group.id, integer(group.index))).unzip();
    let (group_ids, indices): (Vec<Option<String>>, Vec<Option<i32>>) =
        tasks.iter().map(group).unzip();
    let parents: Vec<Option<&str>> = tasks.iter().map(|task| task.parent_id.as_deref()).collect();
    statement(sql)
        .bind(texts(|task| &task.id))
        .bind(texts(|task| &task.name))
        .bind(texts(|task| &task.queue))
        .bind(tasks.iter().map(|task| i16::from(task.priority)).collect::<Vec<_>>())
        .bind(times(|task| task.due_at_ms))
        .bind(times(|task| task.expires_at_ms))
        .bind(times(|task| Some(task.created_at_ms)))
        .bind(tasks.iter().map(|task| integer(task.retries)).collect::<Vec<_>>())
        .bind(parents)
        .bind(group_ids)
        .bind(indices)
        .bind(texts(|task| &task.message))
        .bind(offset_ms)
        .bind(earliest_finish_ms(tasks))
}

/// Returns a number as PostgreSQL's INTEGER, which has no unsigned form.
pub(super) fn integer(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// Returns a time before which none of the tasks can have finished: ids made here contain the time of their making
/// (UUIDv7). For other ids it is 0.
fn earliest_finish_ms(tasks: &[NewTask]) -> i64 {
    let made_at_ms = tasks.iter().map(|task| made_at_ms(&task.id)).min();
    made_at_ms.unwrap_or(0).saturating_sub(MAX_CLOCK_SKEW_MS).max(0)
}

fn made_at_ms(id: &str) -> i64 {
    let timestamp = Uuid::try_parse(id).ok().filter(|id| id.get_version_num() == 7);
    let seconds = timestamp.and_then(|id| id.get_timestamp()).map_or(0, |at| at.to_unix().0);
    i64::try_from(seconds).unwrap_or(0).saturating_mul(1000)
}

/// New tasks, encoded for the server.
pub(super) struct NewTasks(PgQuery<'static>);

impl NewTasks {
    pub fn new(tasks: &[NewTask], offset_ms: i64) -> Self {
        Self(insert(INSERT_ALL, tasks, offset_ms))
    }
}

/// Stores tasks, all or none.
///
/// # Errors
/// [`Kind::Duplicate`](crate::tasks::Kind::Duplicate) if an id is stored already.
pub(super) async fn store_tasks(
    mut statements: Statements<'_>,
    tasks: NewTasks,
) -> Result<(), BrokerError> {
    let rows = statements.rows(tasks.0).await?;
    let is_known = rows.first().map_or(Ok(false), |row| row.try_get(0)).map_err(unreadable)?;
    if is_known { Err(duplicate()) } else { Ok(()) }
}

/// Stores those tasks that are not known, in a transaction: a task that has run twice sends the same ones again.
pub(super) async fn store_new_tasks(
    tx: &mut Tx,
    tasks: &[NewTask],
    offset_ms: i64,
) -> Result<(), BrokerError> {
    tx.postgres_rows(insert(INSERT_NEW, tasks, offset_ms)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_that_contain_a_time_limit_where_results_are_looked_for() {
        assert_eq!(
            made_at_ms("0190a5d6-7b00-7000-8000-000000000000") / 1000,
            0x0190_a5d6_7b00 / 1000
        );
        assert_eq!(made_at_ms("67e55044-10b1-426f-9247-bb680e5fe0c8"), 0);
        assert_eq!(made_at_ms("mine"), 0);
    }
}
