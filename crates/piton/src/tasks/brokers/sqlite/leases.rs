//! Workers and their leases.

use std::time::Duration;

use sqlx::Row;

use super::statements::{Cell, arguments, connection, execute, fetch};
use crate::db::{SqliteInternal, Tx};
use crate::tasks::brokers::database::revoked::finish_revoked;
use crate::tasks::brokers::records::{WorkerId, WorkerInfo};
use crate::tasks::clock::{Clock, millis};
use crate::tasks::error::BrokerError;

const REGISTER: &str = "INSERT INTO piton_task_workers (name, queues, concurrency, started_at_ms, lease_until_ms) \
    VALUES (?, ?, ?, ?, ?)";

const RENEW: &str = "UPDATE piton_task_workers SET lease_until_ms = ?2 WHERE id = ?1";

/// Finds the tasks of a worker that are revoked: by the few that are, and not by the many that it has claimed.
const REVOKED: &str = "SELECT key FROM piton_tasks WHERE revoked = 1 \
    AND (SELECT worker FROM piton_task_claims c WHERE c.key = piton_tasks.key) = ?";

/// Finds workers whose lease has expired, and those that are not registered any more, such as in a file that was put
/// together from two.
const EXPIRED: &str = "SELECT id FROM piton_task_workers WHERE lease_until_ms < ? \
    UNION SELECT worker FROM piton_task_claims WHERE worker NOT IN (SELECT id FROM piton_task_workers)";

const COUNT_LOSSES: &str = "UPDATE piton_tasks SET losses = losses + ?2 \
    WHERE key IN (SELECT key FROM piton_task_claims WHERE worker = ?1)";

const MAKE_READY: &str = "INSERT INTO piton_task_ready (queue, priority, key) \
    SELECT queue, priority, key FROM piton_tasks \
    WHERE key IN (SELECT key FROM piton_task_claims WHERE worker = ?1)";

const END_CLAIMS: &str = "DELETE FROM piton_task_claims WHERE worker = ?1";

const FORGET: &str = "DELETE FROM piton_task_workers WHERE id = ?";

const REPORT: &str = "UPDATE piton_tasks SET progress = new.value ->> 1 FROM json_each(?1) new \
    WHERE piton_tasks.key = new.value ->> 0 \
    AND (SELECT worker FROM piton_task_claims c WHERE c.key = piton_tasks.key) = ?2";

/// Statements on leases, each call in a transaction of its own. The clock is read within it, because the wait for
/// other writers may be longer than a lease.
pub(super) struct Leases<'a> {
    pub internal: &'a SqliteInternal,
    pub clock: &'a Clock,
}

impl Leases<'_> {
    pub async fn register(
        &self,
        worker: &WorkerInfo,
        lease: Duration,
    ) -> Result<WorkerId, BrokerError> {
        let queues = serde_json::to_string(&worker.queues).expect("texts always serialize");
        let mut tx = self.internal.begin().await?;
        let values = [
            Cell::from(worker.name.as_str()),
            Cell::from(queues.as_str()),
            i64::from(worker.concurrency).into(),
            worker.started_at_ms.into(),
            self.until(lease),
        ];
        let done = self.execute(&mut tx, REGISTER, values).await?;
        tx.commit().await?;
        Ok(WorkerId(done.last_insert_rowid()))
    }

    fn until(&self, lease: Duration) -> Cell {
        self.clock.now_ms().saturating_add(millis(lease)).into()
    }

    pub async fn renew(
        &self,
        worker: WorkerId,
        lease: Duration,
    ) -> Result<Option<Vec<i64>>, BrokerError> {
        let mut tx = self.internal.begin().await?;
        let values = [worker.0.into(), self.until(lease)];
        if self.execute(&mut tx, RENEW, values).await?.rows_affected() == 0 {
            return Ok(None);
        }
        let revoked = fetch(connection(&mut tx)?, REVOKED, arguments([worker.0.into()])).await;
        let revoked = revoked.map_err(|error| self.internal.error(error))?;
        tx.commit().await?;
        Ok(Some(revoked.iter().map(|row| row.get_unchecked(0)).collect()))
    }

    pub async fn unregister(&self, worker: WorkerId) -> Result<u64, BrokerError> {
        let mut tx = self.internal.begin().await?;
        let released = self.end(&mut tx, worker.0, 0).await?;
        finish_revoked(&mut tx, self.clock.now_ms()).await?;
        tx.commit().await?;
        Ok(released)
    }

    /// Releases the tasks of workers whose lease has expired. Only reads if there is none.
    pub async fn release_lost(&self) -> Result<u64, BrokerError> {
        let mut reader = self.internal.connection().await?;
        let expired = fetch(&mut reader, EXPIRED, arguments([self.clock.now_ms().into()])).await;
        drop(reader);
        if expired.map_err(|error| self.internal.error(error))?.is_empty() {
            return Ok(0);
        }
        let mut tx = self.internal.begin().await?;
        // Asked again, because a worker may have renewed its lease in the meantime.
        let expired = fetch(connection(&mut tx)?, EXPIRED, arguments([self.clock.now_ms().into()]));
        let expired = expired.await.map_err(|error| self.internal.error(error))?;
        let mut released = 0;
        for worker in expired {
            released += self.end(&mut tx, worker.get_unchecked(0), 1).await?;
        }
        finish_revoked(&mut tx, self.clock.now_ms()).await?;
        tx.commit().await?;
        Ok(released)
    }

    /// Ends a worker, and releases its tasks with so many losses.
    async fn end(&self, tx: &mut Tx, worker: i64, losses: i64) -> Result<u64, BrokerError> {
        if losses > 0 {
            self.execute(tx, COUNT_LOSSES, [worker.into(), losses.into()]).await?;
        }
        self.execute(tx, MAKE_READY, [worker.into()]).await?;
        let released = self.execute(tx, END_CLAIMS, [worker.into()]).await?;
        self.execute(tx, FORGET, [worker.into()]).await?;
        Ok(released.rows_affected())
    }

    pub async fn report_progress(
        &self,
        worker: WorkerId,
        progress: &[(i64, String)],
    ) -> Result<(), BrokerError> {
        let rows = serde_json::to_string(progress).expect("numbers and texts always serialize");
        let mut tx = self.internal.begin().await?;
        self.execute(&mut tx, REPORT, [Cell::from(rows.as_str()), worker.0.into()]).await?;
        Ok(tx.commit().await?)
    }

    async fn execute(
        &self,
        tx: &mut Tx,
        sql: &str,
        values: impl IntoIterator<Item = Cell>,
    ) -> Result<sqlx::sqlite::SqliteQueryResult, BrokerError> {
        let done = execute(connection(tx)?, sql, arguments(values)).await;
        Ok(done.map_err(|error| self.internal.error(error))?)
    }
}
