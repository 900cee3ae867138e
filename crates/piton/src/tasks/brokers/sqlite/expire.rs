//! Removes old results.

use super::statements::{arguments, connection, execute, fetch};
use crate::db::SqliteInternal;
use crate::tasks::brokers::database::groups::state;
use crate::tasks::error::BrokerError;

/// Number of results that one transaction removes: few, so that other writers do not wait.
const MAX_REMOVED: i64 = 1000;

/// Finds one old result of a state. The results of a group that is not complete are kept for its summary.
const FIND: &str = "SELECT 1 FROM piton_task_results WHERE state = ?1 AND finished_at_ms < ?2 \
    AND (group_id IS NULL OR group_id NOT IN (SELECT id FROM piton_task_groups)) LIMIT 1";

const REMOVE: &str = "DELETE FROM piton_task_results WHERE id IN \
    (SELECT id FROM piton_task_results WHERE state = ?1 AND finished_at_ms < ?2 \
     AND (group_id IS NULL OR group_id NOT IN (SELECT id FROM piton_task_groups)) LIMIT ?3)";

/// Removes results that finished before these times. Returns their number.
pub(super) async fn expire(
    internal: &SqliteInternal,
    successes_before_ms: i64,
    failures_before_ms: i64,
) -> Result<u64, BrokerError> {
    let mut removed = 0;
    for (state, before_ms) in [
        (state::SUCCESS, successes_before_ms),
        (state::REVOKED, successes_before_ms),
        (state::FAILURE, failures_before_ms),
    ] {
        while exists(internal, state, before_ms).await? {
            removed += remove_some(internal, state, before_ms).await?;
        }
    }
    Ok(removed)
}

async fn exists(
    internal: &SqliteInternal,
    state: i64,
    before_ms: i64,
) -> Result<bool, BrokerError> {
    let mut reader = internal.connection().await?;
    let found = fetch(&mut reader, FIND, arguments([state.into(), before_ms.into()])).await;
    Ok(!found.map_err(|error| internal.error(error))?.is_empty())
}

async fn remove_some(
    internal: &SqliteInternal,
    state: i64,
    before_ms: i64,
) -> Result<u64, BrokerError> {
    let mut tx = internal.begin().await?;
    let values = arguments([state.into(), before_ms.into(), MAX_REMOVED.into()]);
    let done = execute(connection(&mut tx)?, REMOVE, values).await;
    let done = done.map_err(|error| internal.error(error))?;
    tx.commit().await?;
    Ok(done.rows_affected())
}
