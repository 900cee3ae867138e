//! Tasks in the service's SQLite file: nothing to configure, and enqueued in the service's own transactions.

mod claim;
mod engine;
mod enqueue;
mod expire;
mod job;
mod leases;
#[cfg(target_os = "linux")]
mod log_notifications;
#[cfg(not(target_os = "linux"))]
#[path = "log_notifications_absent.rs"]
mod log_notifications;
mod log_watch;
mod schema;
mod settle;
mod statements;
#[cfg(test)]
mod tests;
mod wake;
mod write_back;

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::timeout;

use super::database::admin::{DatabaseAdmin, delegate_to_admin};
use super::database::{self, EnqueueInTransaction};
use super::records::{ClaimedBatch, NewGroup, NewTask, Settled, Settlement, WorkerId, WorkerInfo};
use super::{Broker, Call, OpenBroker};
use crate::db::{Db, Tx};
use crate::tasks::clock::{Clock, millis};
use crate::tasks::error::BrokerError;
use claim::ClaimRequest;
use engine::{Engine, timed_out};
use job::{Job, UnreceivedClaim};
use leases::Leases;
use wake::WakeSignal;

/// The time for a call that is not part of a batch, in addition to the wait for other writers.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Stores tasks in the SQLite file of a service.
pub(in crate::tasks) struct SqliteBroker {
    engine: Engine,
    wake: Arc<WakeSignal>,
    clock: Clock,
    admin: DatabaseAdmin,
}

impl SqliteBroker {
    /// Returns the broker of a database, unless that is not SQLite.
    pub fn new(db: &Db, clock: Clock) -> Option<Self> {
        let internal = db.sqlite_internal()?;
        let wake = Arc::new(WakeSignal::new(internal.file().to_owned()));
        let woken = Arc::clone(&wake);
        let admin = DatabaseAdmin::new(db.clone(), clock.clone(), move || woken.notify());
        let engine = Engine::new(internal, clock.clone(), Arc::clone(&wake));
        Some(Self { engine, wake, clock, admin })
    }

    fn leases(&self) -> Leases<'_> {
        Leases { internal: self.engine.internal(), clock: &self.clock }
    }

    /// Limits the time of a call.
    fn limited<'a, T>(
        &self,
        call: impl Future<Output = Result<T, BrokerError>> + Send + 'a,
    ) -> Call<'a, T> {
        let limit = self.engine.internal().busy_timeout() + CALL_TIMEOUT;
        async move { timeout(limit, call).await.unwrap_or_else(|_| Err(timed_out())) }.boxed()
    }
}

delegate_to_admin!(SqliteBroker);

/// Returns the broker of a database, if that is SQLite.
pub(super) fn open(db: &Db, clock: &Clock) -> Option<OpenBroker> {
    SqliteBroker::new(db, clock.clone()).map(database::both)
}

impl EnqueueInTransaction for SqliteBroker {
    fn enqueue_in<'a>(
        &'a self,
        tx: &'a mut Tx,
        tasks: &'a [NewTask],
        group: Option<&'a NewGroup>,
    ) -> Call<'a, ()> {
        async move {
            database::tasks::enqueue_in(tx, tasks, group).await?;
            let wake = Arc::clone(&self.wake);
            tx.after_commit(move || wake.notify());
            Ok(())
        }
        .boxed()
    }
}

impl Broker for SqliteBroker {
    fn prepare(&self) -> Call<'_, ()> {
        self.limited(schema::prepare(self.engine.internal()))
    }

    fn enqueue<'a>(&'a self, tasks: &'a [NewTask], group: Option<&'a NewGroup>) -> Call<'a, ()> {
        if tasks.is_empty() && group.is_none() {
            return ready(Ok(())).boxed();
        }
        let cells = enqueue::cells(tasks);
        let (tasks, group) = (tasks.len(), group.cloned().map(Box::new));
        self.engine.run(move |reply| Job::Enqueue { cells, tasks, group, reply }).boxed()
    }

    fn register<'a>(&'a self, worker: &'a WorkerInfo, lease: Duration) -> Call<'a, WorkerId> {
        self.limited(async move { self.leases().register(worker, lease).await })
    }

    fn renew(&self, worker: WorkerId, lease: Duration) -> Call<'_, Option<Vec<i64>>> {
        self.limited(async move { self.leases().renew(worker, lease).await })
    }

    fn unregister(&self, worker: WorkerId) -> Call<'_, ()> {
        self.limited(async move {
            if self.leases().unregister(worker).await? > 0 {
                self.wake.notify();
            }
            Ok(())
        })
    }

    fn claim<'a>(
        &'a self,
        worker: WorkerId,
        queues: &'a [String],
        max: usize,
    ) -> Call<'a, ClaimedBatch> {
        async move {
            let wakes = self.wake.begin_look();
            let request = ClaimRequest { worker, queues: queues.to_vec(), max };
            let claim = self.engine.run(move |reply| Job::Claim { request, reply }).await;
            let batch = claim.map(UnreceivedClaim::receive)?;
            if batch.tasks.len() < max {
                self.wake.record_look(queues, wakes);
            }
            Ok(batch)
        }
        .boxed()
    }

    fn settle(&self, worker: WorkerId, settlements: Vec<Settlement>) -> Call<'_, Settled> {
        if settlements.is_empty() {
            return ready(Ok(Settled::default())).boxed();
        }
        self.engine.run(move |reply| Job::Settle { worker, settlements, reply }).boxed()
    }

    fn report_progress<'a>(
        &'a self,
        worker: WorkerId,
        progress: &'a [(i64, String)],
    ) -> Call<'a, ()> {
        if progress.is_empty() {
            return ready(Ok(())).boxed();
        }
        self.limited(async move { self.leases().report_progress(worker, progress).await })
    }

    fn release_lost(&self) -> Call<'_, u64> {
        self.limited(async move {
            let released = self.leases().release_lost().await?;
            if released > 0 {
                self.wake.notify();
            }
            Ok(released)
        })
    }

    fn expire_results(&self, successes: Duration, failures: Duration) -> Call<'_, u64> {
        let [successes, failures] =
            [successes, failures].map(|age| self.clock.now_ms().saturating_sub(millis(age)));
        expire::expire(self.engine.internal(), successes, failures).boxed()
    }

    fn woken<'a>(&'a self, queues: &'a [String]) -> BoxFuture<'a, ()> {
        self.wake.woken(queues).boxed()
    }
}
