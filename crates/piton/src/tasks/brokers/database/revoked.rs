//! Ends tasks that were revoked and do not run.

use super::groups::{FinishedMembers, count_finished, fail_abandoned};
use super::state_sql::StateSql;
use crate::db::{Sql, Tx};
use crate::tasks::brokers::records::NewTask;
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
    let abandoned = abandoned(tx, is_waiting, now_ms).await?;
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
    let exception = group::revoked();
    fail_abandoned(tx, abandoned.iter().map(|task| (task, exception.as_str())), now_ms).await?;
    Ok(ended)
}

/// Returns the rest of the chains of revoked tasks.
async fn abandoned(
    tx: &mut Tx,
    is_waiting: &'static str,
    now_ms: i64,
) -> Result<Vec<NewTask>, BrokerError> {
    let (mut all, mut after) = (Vec::new(), i64::MIN);
    loop {
        let sql = Sql::new("SELECT key, message FROM piton_tasks WHERE revoked = 1 AND ")
            .push(is_waiting)
            // A chain that is not empty, in JSON within JSON: only such messages are read.
            .push(" AND message LIKE '%chain_\":[{%' AND key > ")
            .bind(after)
            .push(" ORDER BY key LIMIT 100");
        let rows: Vec<(i64, String)> = tx.all(sql, ()).await?;
        let Some((last, _)) = rows.last() else { return Ok(all) };
        after = *last;
        all.extend(rows.iter().flat_map(|(_, message)| group::abandoned_by(message, now_ms)));
    }
}
