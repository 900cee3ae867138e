//! Counts the members of groups that have finished, and sends the summary after the last.

use std::collections::VecDeque;

use tracing::error;

use super::super::records::{Batch, FinalState, NewGroup, NewTask, TaskFilter, TaskState};
use super::tasks::enqueue_new_in;
use crate::db::{Db, FromRow, Tx};
use crate::tasks::error::{BrokerError, Kind};
use crate::tasks::group::{self, GroupEnd, GroupFailure, MemberResult, WaitingGroup};

/// States as the tables store them.
pub(in crate::tasks::brokers) mod state {
    pub(in crate::tasks::brokers) const SUCCESS: i64 = 3;
    pub(in crate::tasks::brokers) const FAILURE: i64 = 4;
    pub(in crate::tasks::brokers) const REVOKED: i64 = 5;
}

/// The number of members of a group that have finished.
#[derive(Debug, FromRow)]
pub(in crate::tasks::brokers) struct FinishedMembers {
    pub group_id: String,
    pub members: i64,
}

const FIND: &str = "SELECT size, done, summary FROM piton_task_groups WHERE id = $1";

/// A group whose members are counted.
#[derive(FromRow)]
struct OpenGroup {
    size: i64,
    done: i64,
    summary: String,
}

impl OpenGroup {
    /// Returns what waits. `None` if another version of the program has stored it in a way that this one cannot read:
    /// no error, because the results of its members are stored in the same transaction as those of other tasks.
    fn waiting(&self, id: &str) -> Option<WaitingGroup> {
        match serde_json::from_str(&self.summary) {
            Ok(waiting) => Some(waiting),
            Err(error) => {
                error!("The summary of the group {id} cannot be read, and will not run: {error}");
                None
            }
        }
    }
}

/// Stores a group whose members are enqueued in the same transaction.
pub(in crate::tasks::brokers) async fn open_group(
    tx: &mut Tx,
    group: &NewGroup,
) -> Result<(), BrokerError> {
    let summary = serde_json::to_string(&WaitingGroup::from(group.clone())).map_err(|error| {
        BrokerError::new(Kind::Invalid, "the summary does not serialize").caused_by(error)
    })?;
    tx.run(
        "INSERT INTO piton_task_groups (id, size, done, summary, created_at_ms) VALUES ($1, $2, 0, $3, $4)",
        (&group.id, group.size, summary, group.summary.created_at_ms),
    )
    .await?;
    if group.size > 0 {
        return Ok(());
    }
    // A group without members has finished.
    let members = FinishedMembers { group_id: group.id.clone(), members: 0 };
    Box::pin(count_finished(tx, vec![members], group.summary.created_at_ms)).await
}

/// Opens groups whose members follow a task, in a transaction in which they are enqueued. One that is stored or has ended is
/// the same, because its id was fixed by its sender.
pub(in crate::tasks::brokers) async fn open_new_groups(
    tx: &mut Tx,
    groups: &[NewGroup],
) -> Result<(), BrokerError> {
    for group in groups {
        let summary = (&group.summary.id,);
        let is_known = tx.one::<i64>("SELECT 1 FROM piton_task_groups WHERE id = $1", (&group.id,));
        if is_known.await?.is_some()
            || tx.one::<i64>("SELECT 1 FROM piton_tasks WHERE id = $1", summary).await?.is_some()
            || tx
                .one::<i64>("SELECT 1 FROM piton_task_results WHERE id = $1 LIMIT 1", summary)
                .await?
                .is_some()
        {
            continue;
        }
        open_group(tx, group).await?;
    }
    Ok(())
}

/// Enqueues what follows a group.
async fn follow(tx: &mut Tx, batch: &Batch) -> Result<(), BrokerError> {
    open_new_groups(tx, &batch.groups).await?;
    enqueue_new_in(tx, &batch.tasks).await
}

/// Counts finished members, whose results are stored already. Enqueues the summary of a group that is complete, or
/// stores its failure.
pub(in crate::tasks::brokers) async fn count_finished(
    tx: &mut Tx,
    finished: Vec<FinishedMembers>,
    now_ms: i64,
) -> Result<(), BrokerError> {
    // A queue, because the failure of a summary may complete the group that the summary is a member of.
    let mut finished = VecDeque::from(finished);
    while let Some(FinishedMembers { group_id, members }) = finished.pop_front() {
        let group: Option<OpenGroup> = tx
            .one(
                "UPDATE piton_task_groups SET done = done + $2 WHERE id = $1 RETURNING size, done, summary",
                (&group_id, members),
            )
            .await?;
        if let Some(group) = group
            && group.done >= group.size
        {
            finished.extend(finish(tx, &group_id, group, now_ms).await?);
        }
    }
    Ok(())
}

/// Ends groups that cannot become complete, because a member was removed.
pub(in crate::tasks::brokers) async fn fail_groups(
    tx: &mut Tx,
    groups: Vec<String>,
    now_ms: i64,
) -> Result<(), BrokerError> {
    for id in groups {
        let group: Option<OpenGroup> = tx.one(FIND, (&id,)).await?;
        if let Some(group) = group {
            close_group(tx, &id).await?;
            let Some(waiting) = group.waiting(&id) else { continue };
            let failure = waiting.fail(group::removed_member(&id), now_ms);
            let outer = fail_group(tx, failure, state::FAILURE, now_ms).await?;
            count_finished(tx, outer, now_ms).await?;
        }
    }
    Ok(())
}

/// Stores the failures of tasks that will never be sent, each with its exception.
pub(in crate::tasks::brokers) async fn fail_abandoned(
    tx: &mut Tx,
    failures: impl Iterator<Item = (&NewTask, &str)>,
    now_ms: i64,
) -> Result<(), BrokerError> {
    for (task, exception) in failures {
        // The task that it follows may have failed before, and was run again.
        tx.run("DELETE FROM piton_task_results WHERE id = $1", (&task.id,)).await?;
        let end = (state::FAILURE, exception.to_owned());
        let group = end_summary(tx, task, end, now_ms).await?;
        count_finished(tx, group, now_ms).await?;
    }
    Ok(())
}

/// Returns the summary of a group whose members have not all ended, by the id of the summary, which is the group's too.
pub(in crate::tasks::brokers) async fn waiting_summary(
    db: &Db,
    id: &str,
) -> Result<Option<NewTask>, BrokerError> {
    let group: Option<OpenGroup> = db.one(FIND, (id,)).await?;
    let summary = group.and_then(|group| group.waiting(id)).map(|waiting| waiting.summary);
    Ok(summary.filter(|summary| summary.id == id))
}

/// Revokes the summaries with the ids of the filter that wait for their members. Returns their number.
pub(in crate::tasks::brokers) async fn revoke_summaries(
    tx: &mut Tx,
    filter: &TaskFilter,
    now_ms: i64,
) -> Result<u64, BrokerError> {
    let mut revoked = 0;
    for id in filter.ids.iter().filter(|_| filter.wants(TaskState::Scheduled)) {
        let group: Option<OpenGroup> = tx.one(FIND, (id,)).await?;
        let Some(waiting) = group.and_then(|group| group.waiting(id)) else { continue };
        if waiting.summary.id == *id && filter.wants_task(&waiting.summary) {
            close_group(tx, id).await?;
            let failure = waiting.fail(group::revoked(), now_ms);
            let outer = fail_group(tx, failure, state::REVOKED, now_ms).await?;
            count_finished(tx, outer, now_ms).await?;
            revoked += 1;
        }
    }
    Ok(revoked)
}

/// Returns the groups whose members have ended with it, if it has failed.
async fn finish(
    tx: &mut Tx,
    id: &str,
    group: OpenGroup,
    now_ms: i64,
) -> Result<Vec<FinishedMembers>, BrokerError> {
    close_group(tx, id).await?;
    let members = members(tx, id).await?;
    let Some(waiting) = group.waiting(id) else { return Ok(Vec::new()) };
    let size = u32::try_from(group.size).unwrap_or(u32::MAX);
    match waiting.end(size, &members, now_ms) {
        GroupEnd::Enqueue(batch) => {
            follow(tx, &batch).await?;
            Ok(Vec::new())
        }
        GroupEnd::Fail(failure) => fail_group(tx, failure, state::FAILURE, now_ms).await,
    }
}

/// Ends the summary of a group in `state`, and what would have followed it as failed. Returns the groups whose members
/// have ended with them.
async fn fail_group(
    tx: &mut Tx,
    failure: GroupFailure,
    mut state: i64,
    now_ms: i64,
) -> Result<Vec<FinishedMembers>, BrokerError> {
    let GroupFailure { tasks, exception, errbacks } = failure;
    let mut outer = Vec::new();
    for task in &tasks {
        let state = std::mem::replace(&mut state, state::FAILURE);
        // A task of a chain that was run again may have failed before.
        tx.run("DELETE FROM piton_task_results WHERE id = $1", (&task.id,)).await?;
        outer.extend(end_summary(tx, task, (state, exception.clone()), now_ms).await?);
    }
    follow(tx, &errbacks).await?;
    Ok(outer)
}

async fn close_group(tx: &mut Tx, id: &str) -> Result<(), BrokerError> {
    tx.run("DELETE FROM piton_task_groups WHERE id = $1", (id,)).await?;
    Ok(())
}

async fn members(tx: &mut Tx, group: &str) -> Result<Vec<MemberResult>, BrokerError> {
    let rows: Vec<(String, u32, i64, String)> = tx
        .all(
            "SELECT id, group_index, state, result FROM piton_task_results \
             WHERE group_id = $1 AND group_index IS NOT NULL AND result IS NOT NULL ORDER BY group_index",
            (group,),
        )
        .await?;
    Ok(rows
        .into_iter()
        .map(|(id, index, state, result)| MemberResult {
            id,
            index,
            state: final_state(state),
            result,
        })
        .collect())
}

fn final_state(state: i64) -> FinalState {
    match state {
        state::SUCCESS => FinalState::Success,
        state::REVOKED => FinalState::Revoked,
        _ => FinalState::Failure,
    }
}

/// Stores the end of a summary that was never enqueued: its state and its exception.
async fn end_summary(
    tx: &mut Tx,
    summary: &NewTask,
    (state, exception): (i64, String),
    now_ms: i64,
) -> Result<Vec<FinishedMembers>, BrokerError> {
    let group = summary.group.as_ref();
    tx.run(
        "INSERT INTO piton_task_results (id, name, queue, state, priority, retries, losses, created_at_ms, \
             finished_at_ms, result, parent_id, group_id, group_index) \
         VALUES ($1, $2, $3, $12, $4, $5, 0, $6, $7, $8, $9, $10, $11)",
        (
            &summary.id,
            &summary.name,
            &summary.queue,
            summary.priority,
            summary.retries,
            summary.created_at_ms,
            now_ms,
            exception,
            &summary.parent_id,
            group.map(|group| group.id.as_str()),
            group.map(|group| group.index),
            state,
        ),
    )
    .await?;
    let outer = group.map(|group| FinishedMembers { group_id: group.id.clone(), members: 1 });
    Ok(outer.into_iter().collect())
}
