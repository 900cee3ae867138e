//! Ends claims: in one transaction for any number of them.

use std::collections::{BTreeMap, HashSet};

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::claim::lower_to;
use super::enqueue::integer;
use super::lowest_keys::LowestKeys;
use super::sql::{PgQuery, Statements, now_ms, statement, unreadable};
use crate::tasks::brokers::records::{FinalState, NewTask, Outcome, Settlement, WorkerId};
use crate::tasks::error::BrokerError;

// Only running tasks have a worker. The condition `state = 2` is not repeated, because the index of running tasks would
// serve it then, and each of a batch would read past the entries of all tasks that the worker has had.

/// Deletes finished tasks and stores their results, unless the state is NULL. Returns the tasks that were the worker's.
///
/// They are found and locked one by one, by a subquery with a limit: of a join, PostgreSQL may read the whole table, which
/// its statistics take for empty, once for each key.
const FINISH: &str = "WITH ended AS MATERIALIZED (
        SELECT task.*, new.state AS final_state, result, traceback, started_at_ms, finished_at_ms, keep_message
        FROM unnest($2::bigint[], $3::smallint[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bool[])
            AS new (key, state, result, traceback, started_at_ms, finished_at_ms, keep_message)
        CROSS JOIN LATERAL (
            SELECT key, id, name, queue, priority, retries, losses, created_at_ms, due_at_ms, progress, parent_id,
                group_id, group_index, CASE WHEN new.keep_message THEN message END AS message
            FROM piton_tasks WHERE piton_tasks.key = new.key AND worker = $1 LIMIT 1 FOR UPDATE
        ) AS task
    ), deleted AS (
        DELETE FROM piton_tasks WHERE key = ANY(ARRAY(SELECT key FROM ended))
    ), stored AS (
        INSERT INTO piton_task_results (id, name, queue, state, priority, retries, losses, created_at_ms, due_at_ms,
            started_at_ms, finished_at_ms, result, traceback, progress, parent_id, group_id, group_index, worker,
            message)
        SELECT id, name, queue, final_state, priority, retries, losses, created_at_ms, due_at_ms, started_at_ms,
            finished_at_ms, result, traceback, progress, parent_id, group_id, group_index,
            (SELECT name FROM piton_task_workers WHERE piton_task_workers.id = $1), message
        FROM ended WHERE final_state IS NOT NULL
    )
    SELECT key, group_id FROM ended";

/// Gives tasks back: those with a time are rescheduled. Returns the tasks that were the worker's.
const GIVE_BACK: &str = concat!(
    "UPDATE piton_tasks AS task SET worker = NULL,
        state = CASE WHEN new.due_at_ms > ",
    now_ms!("$6"),
    " THEN 1 ELSE 0 END,
        due_at_ms = coalesce(new.due_at_ms, task.due_at_ms),
        retries = coalesce(new.retries, task.retries),
        error = coalesce(new.error, task.error)
    FROM unnest($2::bigint[], $3::bigint[], $4::int[], $5::text[]) AS new (key, due_at_ms, retries, error)
    WHERE task.key = new.key AND task.key = ANY($2) AND task.worker = $1
    RETURNING task.key, queue, priority"
);

/// The settlements that were applied, and their consequences.
#[derive(Default)]
pub(super) struct AppliedSettlements {
    pub keys: HashSet<i64>,
    /// The number of members of each group that have ended.
    pub groups: BTreeMap<String, i64>,
}

/// Applies the settlements of claims that the worker still holds.
pub(super) async fn apply(
    mut statements: Statements<'_>,
    worker: WorkerId,
    settlements: &[Settlement],
    lowest_keys: &LowestKeys,
    offset_ms: i64,
) -> Result<AppliedSettlements, BrokerError> {
    let mut applied = AppliedSettlements::default();
    if let Some(query) = finish_query(worker, settlements) {
        let rows = statements.rows(query).await?;
        rows.iter().try_for_each(|row| applied.add(row, true)).map_err(unreadable)?;
    }
    if let Some(query) = give_back_query(worker, settlements, offset_ms) {
        let rows = statements.rows(query).await?;
        rows.iter().try_for_each(|row| applied.add(row, false)).map_err(unreadable)?;
        lower_to(lowest_keys, &rows).map_err(unreadable)?;
    }
    Ok(applied)
}

impl AppliedSettlements {
    fn add(&mut self, row: &PgRow, has_ended: bool) -> Result<(), sqlx::Error> {
        self.keys.insert(row.try_get(0)?);
        if has_ended && let Some(group) = row.try_get(1)? {
            *self.groups.entry(group).or_default() += 1;
        }
        Ok(())
    }
}

/// Returns whether tasks are given back.
pub(super) fn gives_back(settlements: &[Settlement]) -> bool {
    let finished = |settlement: &Settlement| matches!(settlement.outcome, Outcome::Finished(_));
    !settlements.iter().all(finished)
}

/// Returns whether tasks follow.
pub(super) fn has_follow_ups(settlements: &[Settlement]) -> bool {
    settlements
        .iter()
        .any(|settlement| !settlement.follow_ups.is_empty() || !settlement.abandoned.is_empty())
}

/// Returns the tasks that follow those settlements that have been applied.
pub(super) fn follow_ups(settlements: &[Settlement], applied: &AppliedSettlements) -> Vec<NewTask> {
    let applied = settlements.iter().filter(|settlement| applied.keys.contains(&settlement.key));
    applied.flat_map(|settlement| settlement.follow_ups.iter().cloned()).collect()
}

#[derive(Default)]
struct FinishedColumns<'a> {
    keys: Vec<i64>,
    states: Vec<Option<i16>>,
    results: Vec<Option<&'a str>>,
    tracebacks: Vec<Option<&'a str>>,
    started_at_ms: Vec<Option<i64>>,
    finished_at_ms: Vec<Option<i64>>,
    keep_message: Vec<bool>,
}

fn finish_query<'q>(worker: WorkerId, settlements: &[Settlement]) -> Option<PgQuery<'q>> {
    let mut columns = FinishedColumns::default();
    let mut keys = HashSet::new();
    for settlement in settlements {
        let Outcome::Finished(finished) = &settlement.outcome else { continue };
        if !keys.insert(settlement.key) {
            continue;
        }
        let finished = finished.as_ref();
        columns.keys.push(settlement.key);
        columns.states.push(finished.map(|finished| stored_state(finished.state)));
        columns.results.push(finished.map(|finished| finished.result.as_str()));
        columns.tracebacks.push(finished.and_then(|finished| finished.traceback.as_deref()));
        columns.started_at_ms.push(finished.and_then(|finished| finished.started_at_ms));
        columns.finished_at_ms.push(finished.map(|finished| finished.finished_at_ms));
        columns.keep_message.push(finished.is_some_and(|finished| finished.keep_message));
    }
    let bound = || {
        statement(FINISH)
            .bind(worker.0)
            .bind(&columns.keys)
            .bind(&columns.states)
            .bind(&columns.results)
            .bind(&columns.tracebacks)
            .bind(&columns.started_at_ms)
            .bind(&columns.finished_at_ms)
            .bind(&columns.keep_message)
    };
    (!columns.keys.is_empty()).then(bound)
}

fn give_back_query<'q>(
    worker: WorkerId,
    settlements: &[Settlement],
    offset_ms: i64,
) -> Option<PgQuery<'q>> {
    let (mut keys, mut times, mut retried, mut errors) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for settlement in settlements {
        let (due_at_ms, retries, error) = match &settlement.outcome {
            Outcome::Rescheduled { due_at_ms, retries, error } => {
                (Some(*due_at_ms), Some(integer(*retries)), error.as_deref())
            }
            Outcome::Released => (None, None, None),
            Outcome::Finished(_) => continue,
        };
        keys.push(settlement.key);
        times.push(due_at_ms);
        retried.push(retries);
        errors.push(error);
    }
    let bound = || {
        statement(GIVE_BACK)
            .bind(worker.0)
            .bind(&keys)
            .bind(&times)
            .bind(&retried)
            .bind(&errors)
            .bind(offset_ms)
    };
    (!keys.is_empty()).then(bound)
}

/// Returns the number of a final state in the tables.
fn stored_state(state: FinalState) -> i16 {
    match state {
        FinalState::Success => 3,
        FinalState::Failure => 4,
        FinalState::Revoked => 5,
    }
}
