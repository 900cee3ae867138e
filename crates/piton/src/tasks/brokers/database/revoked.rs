//! Ends tasks that were revoked and do not run.

use super::groups::{FinishedMembers, count_finished};
use super::state_sql::StateSql;
use crate::db::{Sql, Tx};
use crate::tasks::error::BrokerError;
use crate::tasks::group;

/// Stores the end of every task that is marked as revoked and does not run: those that wait, and those that were
/// given back by their worker. Returns the number.
pub(in crate::tasks::brokers) async fn finish_revoked(
    tx: &mut Tx,
    now_ms: i64,
) -> Result<u64, BrokerError> {
    let is_waiting = StateSql::of(tx.is_postgres()).is_waiting;
    let and_waiting = |sql| Sql::new(sql).push(" WHERE revoked = 1 AND ").push(is_waiting);
    let any: Option<i64> =
        tx.one(and_waiting("SELECT 1 FROM piton_tasks").push(" LIMIT 1"), ()).await?;
    if any.is_none() {
        return Ok(0);
    }
    let members: Vec<FinishedMembers> = tx
        .all(
            and_waiting("SELECT group_id, count(*) AS members FROM piton_tasks")
                .push(" AND group_id IS NOT NULL GROUP BY group_id"),
            (),
        )
        .await?;
    let store = and_waiting(
        "INSERT INTO piton_task_results (id, name, queue, state, priority, retries, losses, created_at_ms, due_at_ms, \
             finished_at_ms, result, progress, parent_id, group_id, group_index, message) \
         SELECT id, name, queue, 5, priority, retries, losses, created_at_ms, due_at_ms, \
             CAST($1 AS BIGINT), CAST($2 AS TEXT), progress, parent_id, group_id, group_index, message \
         FROM piton_tasks",
    );
    tx.run(store, (now_ms, group::revoked())).await?;
    let ended = tx.run(and_waiting("DELETE FROM piton_tasks"), ()).await?;
    count_finished(tx, members, now_ms).await?;
    Ok(ended)
}
