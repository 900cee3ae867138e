//! The broker's calls: each takes one statement, or a transaction of a few.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::RwLock;

use super::claim::{self, Claim, ClaimParameters};
use super::enqueue::{self, NewTasks};
use super::ledger::{Ledger, UnreceivedBatch};
use super::lowest_keys::LowestKeys;
use super::settle::{self, AppliedSettlements};
use super::sql::Statements;
use super::wakeups::Wakeups;
use super::{leases, partitions, schema};
use crate::db::{Db, PostgresEngine, Tx};
use crate::tasks::brokers::database::groups::{
    FinishedMembers, count_finished, fail_abandoned, open_group, open_new_groups,
};
use crate::tasks::brokers::database::revoked::finish_revoked;
use crate::tasks::brokers::records::{NewGroup, NewTask, Settled, Settlement, WorkerId};
use crate::tasks::clock::Clock;
use crate::tasks::error::BrokerError;

/// Maximum number of times that one claim makes due tasks ready, 1000 each.
const MAX_PROMOTIONS: usize = 10;

/// Claims look for tasks that became due up to this long ago: a transaction may have committed one late. Older ones are
/// found when all keys are read.
const MAX_LATE_COMMIT_MS: i64 = 60_000;

/// Stores, claims and settles tasks.
pub(super) struct TaskStore {
    pub db: Db,
    pub engine: PostgresEngine,
    pub clock: Clock,
    ledger: Arc<Ledger>,
    /// Read by claims until they are in the ledger. Written while tasks that are not in it are released.
    claims: RwLock<()>,
    pub lowest_keys: LowestKeys,
    pub wakeups: Arc<Wakeups>,
    /// The statements that claim, by their number of queues.
    claim_sql: Mutex<HashMap<usize, Arc<str>>>,
}

impl TaskStore {
    pub fn new(db: &Db, engine: PostgresEngine, clock: Clock, wakeups: Arc<Wakeups>) -> Self {
        Self {
            db: db.clone(),
            engine,
            clock,
            ledger: Arc::default(),
            claims: RwLock::default(),
            lowest_keys: LowestKeys::default(),
            wakeups,
            claim_sql: Mutex::default(),
        }
    }

    pub fn offset_ms(&self) -> i64 {
        self.clock.offset_ms()
    }

    async fn begin(&self) -> Result<Tx, BrokerError> {
        Ok(self.db.begin_on_engine(&self.engine).await?)
    }

    pub async fn prepare(&self) -> Result<(), BrokerError> {
        schema::create_tables(&self.db, &self.engine).await?;
        self.create_partitions().await;
        Ok(())
    }

    /// Creates missing partitions. A failure is logged only, because the default partition takes the results.
    async fn create_partitions(&self) {
        let created = partitions::create_partitions(&self.db, &self.engine, self.offset_ms()).await;
        if let Err(error) = created {
            tracing::debug!(%error, "Partitions for the results of tasks are created later");
        }
    }

    pub async fn store(
        &self,
        tx: &mut Tx,
        tasks: &[NewTask],
        group: Option<&NewGroup>,
    ) -> Result<(), BrokerError> {
        let insert = NewTasks::new(tasks, self.offset_ms());
        enqueue::store_tasks(Statements::Within(tx), insert).await?;
        match group {
            Some(group) => open_group(tx, group).await,
            None => Ok(()),
        }
    }

    pub async fn enqueue(&self, insert: NewTasks) -> Result<(), BrokerError> {
        enqueue::store_tasks(Statements::Single(&self.engine), insert).await?;
        self.wakeups.wake();
        Ok(())
    }

    pub async fn enqueue_group(
        &self,
        tasks: &[NewTask],
        group: &NewGroup,
    ) -> Result<(), BrokerError> {
        let mut tx = self.begin().await?;
        let stored = self.store(&mut tx, tasks, Some(group)).await;
        end(tx, stored).await?;
        self.wakeups.wake();
        Ok(())
    }

    pub async fn renew(
        &self,
        worker: WorkerId,
        lease: Duration,
    ) -> Result<Option<Vec<i64>>, BrokerError> {
        let renewed = leases::renew(&self.engine, worker, lease, self.offset_ms()).await?;
        match renewed {
            Some(_) => self.reconcile(worker).await?,
            None => self.ledger.remove(worker),
        }
        Ok(renewed)
    }

    /// Releases tasks that are claimed on the server and not known to the worker.
    async fn reconcile(&self, worker: WorkerId) -> Result<(), BrokerError> {
        if !self.ledger.is_uncertain(worker) {
            return Ok(());
        }
        let _no_claims = self.claims.write().await;
        let began = Instant::now();
        let known = self.ledger.keys(worker);
        let release =
            async |tx: &mut Tx| leases::release_unknown(tx, worker, known, &self.lowest_keys).await;
        self.release(release).await?;
        self.ledger.reconciled(worker, began);
        Ok(())
    }

    pub async fn unregister(&self, worker: WorkerId) -> Result<(), BrokerError> {
        let release = async |tx: &mut Tx| leases::unregister(tx, worker, &self.lowest_keys).await;
        self.release(release).await?;
        self.ledger.remove(worker);
        Ok(())
    }

    pub async fn release_lost(&self) -> Result<u64, BrokerError> {
        let offset_ms = self.offset_ms();
        let release =
            async |tx: &mut Tx| leases::release_lost(tx, &self.lowest_keys, offset_ms).await;
        self.release(release).await
    }

    /// Releases tasks in a transaction. Those that were revoked end instead.
    async fn release(
        &self,
        release: impl AsyncFnOnce(&mut Tx) -> Result<u64, BrokerError>,
    ) -> Result<u64, BrokerError> {
        let mut tx = self.begin().await?;
        let released = match release(&mut tx).await {
            Ok(0) => Ok(0),
            Ok(released) => finish_revoked(&mut tx, self.clock.now_ms()).await.map(|_| released),
            Err(error) => Err(error),
        };
        let released = end(tx, released).await?;
        if released > 0 {
            self.wakeups.wake();
        }
        Ok(released)
    }

    pub async fn expire_results(
        &self,
        successes: Duration,
        failures: Duration,
    ) -> Result<u64, BrokerError> {
        self.create_partitions().await;
        partitions::drop_partitions(&self.db, &self.engine, successes, failures, self.offset_ms())
            .await
    }

    pub async fn claim(
        &self,
        worker: WorkerId,
        queues: &[String],
        max: usize,
    ) -> Result<UnreceivedBatch, BrokerError> {
        self.reconcile(worker).await?;
        self.wakeups.begin_claim(queues);
        let mut unreceived = self.ledger.batch(worker);
        let batch = &mut unreceived.batch;
        for promotions in 0..MAX_PROMOTIONS {
            let began_ms = self.clock.now_ms();
            let left = max - batch.tasks.len();
            let claim = self.claim_ready(worker, queues, left, promotions > 0).await?;
            batch.tasks.extend(claim.tasks);
            // Not before the server's clock has reached it, which may be behind this one.
            batch.next_due_at_ms =
                claim.next_due.map(|next| next.at_ms.max(began_ms + next.wait_ms));
            match claim.next_due {
                Some(next) if next.wait_ms <= 0 && batch.tasks.len() < max => {
                    self.promote(next.at_ms).await?;
                }
                _ => break,
            }
        }
        Ok(unreceived)
    }

    async fn promote(&self, from_ms: i64) -> Result<(), BrokerError> {
        claim::promote(&self.engine, &self.lowest_keys, from_ms, self.offset_ms()).await
    }

    async fn claim_ready(
        &self,
        worker: WorkerId,
        queues: &[String],
        max: usize,
        passes_due: bool,
    ) -> Result<Claim, BrokerError> {
        let range = self.lowest_keys.range(queues);
        let due_from_ms = if range.is_full { 0 } else { self.clock.now_ms() - MAX_LATE_COMMIT_MS };
        let request = ClaimParameters {
            worker,
            queues,
            max: i64::try_from(max).unwrap_or(i64::MAX),
            lowest_keys: &range.lowest_keys,
            due_from_ms,
            passes_due,
            offset_ms: self.offset_ms(),
        };
        let _claims = self.claims.read().await;
        let guard = self.ledger.begin(worker);
        let claim =
            claim::claim_ready(&self.engine, self.claim_sql(queues.len()), &request).await?;
        guard.claimed(&claim.tasks, &claim.grouped);
        self.lowest_keys.record(&range, &claim.tasks, max);
        Ok(claim)
    }

    fn claim_sql(&self, queues: usize) -> Arc<str> {
        self.claim_sql.lock().entry(queues).or_insert_with(|| claim::claim_sql(queues)).clone()
    }

    pub async fn settle(
        &self,
        worker: WorkerId,
        settlements: Vec<Settlement>,
    ) -> Result<Settled, BrokerError> {
        let keys = || settlements.iter().map(|settlement| settlement.key);
        let gives_back = settle::gives_back(&settlements);
        let has_follow_ups = settle::has_follow_ups(&settlements);
        let mut applied =
            if gives_back || has_follow_ups || self.ledger.may_be_grouped(worker, keys()) {
                self.settle_in_transaction(worker, &settlements).await?
            } else {
                self.apply(Statements::Single(&self.engine), worker, &settlements).await?
            };
        self.ledger.settled(worker, keys());
        if gives_back || has_follow_ups || !applied.groups.is_empty() {
            self.wakeups.wake();
        }
        // Removed, so that of two settlements of a task the second is fenced.
        let fenced = keys().filter(|key| !applied.keys.remove(key)).collect();
        Ok(Settled { fenced })
    }

    async fn apply(
        &self,
        statements: Statements<'_>,
        worker: WorkerId,
        settlements: &[Settlement],
    ) -> Result<AppliedSettlements, BrokerError> {
        settle::apply(statements, worker, settlements, &self.lowest_keys, self.offset_ms()).await
    }

    async fn settle_in_transaction(
        &self,
        worker: WorkerId,
        settlements: &[Settlement],
    ) -> Result<AppliedSettlements, BrokerError> {
        let mut tx = self.begin().await?;
        let applied = self.apply_in(&mut tx, worker, settlements).await;
        end(tx, applied).await
    }

    async fn apply_in(
        &self,
        tx: &mut Tx,
        worker: WorkerId,
        settlements: &[Settlement],
    ) -> Result<AppliedSettlements, BrokerError> {
        let applied = self.apply(Statements::Within(tx), worker, settlements).await?;
        let follow_ups = settle::follow_ups(settlements, &applied);
        if !follow_ups.is_empty() {
            enqueue::store_new_tasks(tx, &follow_ups, self.offset_ms()).await?;
        }
        let ended = || settlements.iter().filter(|it| applied.keys.contains(&it.key));
        for settlement in ended() {
            open_new_groups(tx, &settlement.groups).await?;
        }
        let now_ms = self.clock.now_ms();
        fail_abandoned(tx, ended().flat_map(Settlement::failures), now_ms).await?;
        if settle::gives_back(settlements) {
            finish_revoked(tx, self.clock.now_ms()).await?;
        }
        let finished = applied.groups.iter().map(|(group_id, members)| FinishedMembers {
            group_id: group_id.clone(),
            members: *members,
        });
        count_finished(tx, finished.collect(), self.clock.now_ms()).await?;
        Ok(applied)
    }
}

/// Commits after success, and rolls back after an error.
async fn end<T>(tx: Tx, outcome: Result<T, BrokerError>) -> Result<T, BrokerError> {
    match outcome {
        Ok(value) => {
            tx.commit().await?;
            Ok(value)
        }
        Err(error) => {
            if let Err(rollback) = tx.rollback().await {
                tracing::debug!(error = %rollback, "Could not roll back at once");
            }
            Err(error)
        }
    }
}
