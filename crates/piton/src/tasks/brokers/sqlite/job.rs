//! The calls that share transactions.

use tokio::sync::oneshot;

use super::claim::{ClaimRequest, claim};
use super::engine::Engine;
use super::enqueue::{Inserted, insert};
use super::settle::{Applied, settle};
use super::statements::{Cell, connection};
use crate::db::{SqliteInternal, Tx};
use crate::tasks::brokers::database::error::duplicate;
use crate::tasks::brokers::database::groups::{
    count_finished, fail_abandoned, open_group, open_new_groups,
};
use crate::tasks::brokers::database::revoked::finish_revoked;
use crate::tasks::brokers::records::{ClaimedBatch, NewGroup, Settled, Settlement, WorkerId};
use crate::tasks::error::BrokerError;

pub(super) type Reply<T> = oneshot::Sender<Result<T, BrokerError>>;

/// A call that waits for a transaction.
pub(super) enum Job {
    Enqueue { cells: Vec<Cell>, tasks: usize, group: Option<Box<NewGroup>>, reply: Reply<()> },
    Claim { request: ClaimRequest, reply: Reply<UnreceivedClaim> },
    Settle { worker: WorkerId, settlements: Vec<Settlement>, reply: Reply<Settled> },
}

/// The outcome of a job that was committed.
pub(super) enum JobOutcome {
    Enqueued,
    Claimed(ClaimedBatch),
    Settled(Applied),
}

impl JobOutcome {
    /// Returns whether tasks may have become ready.
    pub fn makes_ready(&self) -> bool {
        match self {
            Self::Enqueued => true,
            Self::Claimed(_) => false,
            Self::Settled(applied) => {
                applied.has_returned || applied.has_follow_ups || !applied.members.is_empty()
            }
        }
    }
}

impl Job {
    /// Returns the number of tasks that it writes, at most.
    pub fn tasks(&self) -> usize {
        match self {
            Self::Enqueue { tasks, .. } => *tasks,
            Self::Claim { request, .. } => request.max,
            Self::Settle { settlements, .. } => settlements.len(),
        }
    }

    /// Answers the caller.
    pub fn finish(self, outcome: Result<JobOutcome, BrokerError>, engine: &Engine) {
        // A caller that is gone does not wait for an answer, hence the errors that are dropped.
        match (self, outcome) {
            (Self::Enqueue { reply, .. }, outcome) => drop(reply.send(outcome.map(drop))),
            (Self::Claim { request, reply }, outcome) => {
                let batch = outcome.map(|outcome| match outcome {
                    JobOutcome::Claimed(batch) => batch,
                    _ => ClaimedBatch::default(),
                });
                let (worker, engine) = (request.worker, engine.clone());
                drop(reply.send(batch.map(|batch| UnreceivedClaim { batch, worker, engine })));
            }
            (Self::Settle { reply, .. }, outcome) => {
                let fenced = outcome.map(|outcome| match outcome {
                    JobOutcome::Settled(applied) => applied.fenced,
                    _ => Vec::new(),
                });
                drop(reply.send(fenced.map(|fenced| Settled { fenced })));
            }
        }
    }
}

/// Claimed tasks on their way to the caller. They are given back if the caller is cancelled before it has them:
/// otherwise they would be nobody's until the worker ends.
pub(super) struct UnreceivedClaim {
    batch: ClaimedBatch,
    worker: WorkerId,
    engine: Engine,
}

impl UnreceivedClaim {
    pub fn receive(mut self) -> ClaimedBatch {
        std::mem::take(&mut self.batch)
    }
}

impl Drop for UnreceivedClaim {
    fn drop(&mut self) {
        if !self.batch.tasks.is_empty() {
            let tasks = std::mem::take(&mut self.batch.tasks).into_iter();
            self.engine.release(self.worker, tasks.map(|task| (task.key, task.id)));
        }
    }
}

/// Does jobs in a transaction. After an error it must be rolled back.
pub(super) async fn apply_all(
    tx: &mut Tx,
    jobs: &[Job],
    internal: &SqliteInternal,
    now_ms: i64,
) -> Result<Vec<JobOutcome>, BrokerError> {
    enqueue_all(tx, jobs, internal).await?;
    let mut outcomes = Vec::with_capacity(jobs.len());
    for job in jobs {
        outcomes.push(match job {
            Job::Enqueue { .. } => JobOutcome::Enqueued,
            Job::Claim { request, .. } => {
                let batch = claim(connection(tx)?, request, now_ms).await;
                JobOutcome::Claimed(batch.map_err(|error| internal.error(error))?)
            }
            Job::Settle { worker, settlements, .. } => {
                let applied = settle(connection(tx)?, *worker, settlements).await;
                let applied = applied.map_err(|error| internal.error(error))?;
                let is_applied = |it: &&Settlement| !applied.fenced.contains(&it.key);
                let ended = || settlements.iter().filter(is_applied);
                for settlement in ended() {
                    open_new_groups(tx, &settlement.groups).await?;
                }
                fail_abandoned(tx, ended().flat_map(Settlement::failures), now_ms).await?;
                JobOutcome::Settled(after_settling(tx, applied, now_ms).await?)
            }
        });
    }
    Ok(outcomes)
}

/// Stores the tasks of all jobs, as one list.
async fn enqueue_all(
    tx: &mut Tx,
    jobs: &[Job],
    internal: &SqliteInternal,
) -> Result<(), BrokerError> {
    let mut all = Vec::new();
    for job in jobs {
        if let Job::Enqueue { cells, group, .. } = job {
            all.extend_from_slice(cells);
            if let Some(group) = group {
                open_group(tx, group).await?;
            }
        }
    }
    if all.is_empty() {
        return Ok(());
    }
    let inserted = insert(connection(tx)?, all).await.map_err(|error| internal.error(error))?;
    match inserted {
        Inserted::All => Ok(()),
        Inserted::Duplicate => Err(duplicate()),
    }
}

/// Does what follows from settlements that were applied: counts members of groups, and ends revoked tasks that were
/// given back.
async fn after_settling(
    tx: &mut Tx,
    mut applied: Applied,
    now_ms: i64,
) -> Result<Applied, BrokerError> {
    if applied.has_returned {
        finish_revoked(tx, now_ms).await?;
    }
    let members = std::mem::take(&mut applied.members);
    if !members.is_empty() {
        count_finished(tx, members, now_ms).await?;
        // The summary may have become ready.
        applied.has_follow_ups = true;
    }
    Ok(applied)
}
