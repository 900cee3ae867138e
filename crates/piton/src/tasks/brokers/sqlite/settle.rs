//! Applies settlements in batches.

use std::collections::{BTreeSet, HashSet};

use serde_json::json;
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::enqueue::insert_if_new;
use super::statements::{BatchStatement, Cell, arguments, execute, fetch, json_list, no_arguments};
use crate::tasks::brokers::database::groups::{FinishedMembers, state};
use crate::tasks::brokers::records::{
    FinalState, FinishedTask, NewTask, Outcome, Settlement, WorkerId,
};

/// A key counts once for each time that it is given.
const COUNT_HELD: &str = "SELECT count(*) \
    FROM json_each(?1) given CROSS JOIN piton_task_claims c ON c.key = given.value WHERE c.worker = ?2";

const HELD: &str = "SELECT c.key \
    FROM json_each(?1) given CROSS JOIN piton_task_claims c ON c.key = given.value WHERE c.worker = ?2";

/// The columns of a result that the settlement has follow the key; the task has the rest.
static STORE_RESULTS: BatchStatement = BatchStatement::new(
    "INSERT OR REPLACE INTO piton_task_results (id, name, queue, state, priority, retries, losses, created_at_ms, \
         due_at_ms, started_at_ms, finished_at_ms, result, traceback, progress, parent_id, group_id, group_index, \
         worker, message) \
     SELECT t.id, t.name, t.queue, new.column2, t.priority, t.retries, t.losses, t.created_at_ms, t.due_at_ms, \
         new.column3, new.column4, new.column5, new.column6, t.progress, t.parent_id, t.group_id, t.group_index, \
         (SELECT name FROM piton_task_workers WHERE id = ?), CASE WHEN new.column7 THEN t.message END \
     FROM (VALUES ",
    7,
    ") AS new CROSS JOIN piton_tasks t ON t.key = new.column1",
);

/// A trigger deletes their claims.
const REMOVE: &str = "DELETE FROM piton_tasks WHERE key IN (SELECT value FROM json_each(?))";

const MAKE_READY: &str = "INSERT INTO piton_task_ready (queue, priority, key) \
    SELECT queue, priority, key FROM piton_tasks WHERE key IN (SELECT value FROM json_each(?))";

const END_CLAIMS: &str =
    "DELETE FROM piton_task_claims WHERE key IN (SELECT value FROM json_each(?))";

/// The error stays where there is no new one: a task that snoozes after a failure still waits for its retry.
const RESCHEDULE: &str = "UPDATE piton_tasks SET state = 1, due_at_ms = new.value ->> 1, \
        retries = new.value ->> 2, error = coalesce(new.value ->> 3, error) \
    FROM json_each(?) new WHERE piton_tasks.key = new.value ->> 0";

const MEMBERS: &str = "SELECT group_id, count(*) FROM piton_tasks \
    WHERE key IN (SELECT value FROM json_each(?)) AND group_id IS NOT NULL GROUP BY group_id";

/// The settlements that were applied, and their consequences.
#[derive(Default)]
pub(super) struct Applied {
    pub fenced: Vec<i64>,
    /// Members of groups among the finished tasks.
    pub members: Vec<FinishedMembers>,
    /// Set if tasks were given back, which may have been revoked in the meantime.
    pub has_returned: bool,
    pub has_follow_ups: bool,
}

/// Settlements by what they do.
#[derive(Default)]
struct Sorted<'a> {
    finished: Vec<i64>,
    results: Vec<(i64, &'a FinishedTask)>,
    rescheduled: Vec<serde_json::Value>,
    released: Vec<i64>,
    follow_ups: Vec<NewTask>,
}

/// Applies the settlements of tasks that the worker holds.
pub(super) async fn settle(
    connection: &mut SqliteConnection,
    worker: WorkerId,
    settlements: &[Settlement],
) -> Result<Applied, sqlx::Error> {
    let fenced = fenced(connection, worker, settlements).await?;
    let held = settlements.iter().enumerate().filter(|(at, _)| !fenced.contains(at));
    let sorted = Sorted::of(held.map(|(_, settlement)| settlement));
    let applied = Applied {
        fenced: fenced.iter().map(|at| settlements[*at].key).collect(),
        members: members(connection, &sorted.finished).await?,
        has_returned: !sorted.rescheduled.is_empty() || !sorted.released.is_empty(),
        has_follow_ups: !sorted.follow_ups.is_empty(),
    };
    sorted.apply(connection, worker).await?;
    Ok(applied)
}

/// Returns the positions of settlements whose claim the worker has lost.
async fn fenced(
    connection: &mut SqliteConnection,
    worker: WorkerId,
    settlements: &[Settlement],
) -> Result<BTreeSet<usize>, sqlx::Error> {
    let keys = json_list(settlements.iter().map(|settlement| settlement.key));
    let different: HashSet<i64> = settlements.iter().map(|settlement| settlement.key).collect();
    let values = || arguments([keys.clone(), worker.0.into()]);
    let count: i64 = fetch(connection, COUNT_HELD, values()).await?[0].get_unchecked(0);
    if usize::try_from(count) == Ok(settlements.len()) && different.len() == settlements.len() {
        return Ok(BTreeSet::new());
    }
    let rows = fetch(connection, HELD, values()).await?;
    let mut held: HashSet<i64> = rows.iter().map(|row| row.get_unchecked(0)).collect();
    // Removed, so that of two settlements of a task the second is fenced.
    let is_fenced = |settlement: &Settlement| !held.remove(&settlement.key);
    let fenced: Vec<bool> = settlements.iter().map(is_fenced).collect();
    Ok((0..settlements.len()).filter(|at| fenced[*at]).collect())
}

/// Returns the numbers of finished members by their group. Nearly free while no group waits for members.
async fn members(
    connection: &mut SqliteConnection,
    finished: &[i64],
) -> Result<Vec<FinishedMembers>, sqlx::Error> {
    let any = "SELECT 1 FROM piton_task_groups LIMIT 1";
    if finished.is_empty() || fetch(connection, any, no_arguments()).await?.is_empty() {
        return Ok(Vec::new());
    }
    let rows = fetch(connection, MEMBERS, arguments([json_list(finished.iter().copied())])).await?;
    Ok(rows
        .iter()
        .map(|row| FinishedMembers {
            group_id: row.get_unchecked(0),
            members: row.get_unchecked(1),
        })
        .collect())
}

impl<'a> Sorted<'a> {
    fn of(settlements: impl Iterator<Item = &'a Settlement>) -> Self {
        let mut sorted = Self::default();
        for Settlement { key, outcome, follow_ups, .. } in settlements {
            match outcome {
                Outcome::Finished(result) => {
                    sorted.finished.push(*key);
                    sorted.results.extend(result.iter().map(|result| (*key, result)));
                }
                Outcome::Rescheduled { due_at_ms, retries, error } => {
                    sorted.rescheduled.push(json!([key, due_at_ms, retries, error]));
                }
                Outcome::Released => sorted.released.push(*key),
            }
            sorted.follow_ups.extend_from_slice(follow_ups);
        }
        sorted
    }

    async fn apply(
        self,
        connection: &mut SqliteConnection,
        worker: WorkerId,
    ) -> Result<(), sqlx::Error> {
        if !self.results.is_empty() {
            let cells = self.results.iter().flat_map(|(key, result)| result_cells(*key, result));
            STORE_RESULTS.run(connection, &[worker.0.into()], cells.collect()).await?;
        }
        if !self.finished.is_empty() {
            let keys = json_list(self.finished.into_iter());
            execute(connection, REMOVE, arguments([keys])).await?;
        }
        if !self.released.is_empty() {
            let keys = json_list(self.released.into_iter());
            execute(connection, MAKE_READY, arguments([keys.clone()])).await?;
            execute(connection, END_CLAIMS, arguments([keys])).await?;
        }
        if !self.rescheduled.is_empty() {
            let keys = json_list(self.rescheduled.iter().filter_map(|row| row[0].as_i64()));
            let rows = serde_json::Value::from(self.rescheduled).to_string();
            execute(connection, RESCHEDULE, arguments([Cell::from(rows.as_str())])).await?;
            execute(connection, END_CLAIMS, arguments([keys])).await?;
        }
        if self.follow_ups.is_empty() {
            return Ok(());
        }
        insert_if_new(connection, &self.follow_ups).await
    }
}

fn result_cells(key: i64, result: &FinishedTask) -> [Cell; 7] {
    let state = match result.state {
        FinalState::Success => state::SUCCESS,
        FinalState::Failure => state::FAILURE,
        FinalState::Revoked => state::REVOKED,
    };
    [
        key.into(),
        state.into(),
        result.started_at_ms.into(),
        result.finished_at_ms.into(),
        Cell::from(result.result.as_str()),
        result.traceback.as_deref().into(),
        i64::from(result.keep_message).into(),
    ]
}
