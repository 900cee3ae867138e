//! The PostgreSQL broker: tasks in the service's own database, shared by any number of processes.
//!
//! Unfinished tasks are in one small table, and finished ones in a history that is partitioned by day. Workers claim
//! with `FOR UPDATE SKIP LOCKED`, in batches, and settle in batches. Everything runs on connections of the engine,
//! three at most and one that listens, next to those of `db.max_connections`.

mod claim;
mod enqueue;
mod leases;
mod ledger;
mod lowest_keys;
mod notification_receiver;
mod notification_sender;
mod partitions;
mod schema;
mod settle;
mod sql;
mod task_store;
#[cfg(test)]
mod tests;
mod wakeups;

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::database::admin::{DatabaseAdmin, delegate_to_admin};
use super::database::{self, EnqueueInTransaction};
use super::records::{ClaimedBatch, NewGroup, NewTask, Settled, Settlement, WorkerId, WorkerInfo};
use super::{Broker, Call, OpenBroker};
use crate::db::{Db, Tx};
use crate::tasks::clock::Clock;
use crate::tasks::error::{BrokerError, Kind};
use enqueue::NewTasks;
use ledger::UnreceivedBatch;
use sql::Statements;
use task_store::TaskStore;
use wakeups::Wakeups;

/// Stores tasks in the PostgreSQL database of a service. Clones share everything.
#[derive(Clone)]
pub(in crate::tasks) struct PostgresBroker {
    store: Arc<TaskStore>,
    admin: DatabaseAdmin,
}

impl PostgresBroker {
    /// Returns the broker of a database, or `None` if it is not PostgreSQL. Connects to nothing.
    pub fn new(db: &Db, clock: Clock) -> Option<Self> {
        let engine = db.postgres_engine()?;
        let wakeups = Arc::new(Wakeups::new(engine.clone()));
        let woken = Arc::clone(&wakeups);
        let admin = DatabaseAdmin::new(db.clone(), clock.clone(), move || woken.wake());
        let store = Arc::new(TaskStore::new(db, engine, clock, wakeups));
        Some(Self { store, admin })
    }
}

/// Returns the broker of a database, if that is PostgreSQL.
pub(super) fn open(db: &Db, clock: &Clock) -> Option<OpenBroker> {
    PostgresBroker::new(db, clock.clone()).map(database::both)
}

impl EnqueueInTransaction for PostgresBroker {
    fn enqueue_in<'a>(
        &'a self,
        tx: &'a mut Tx,
        tasks: &'a [NewTask],
        group: Option<&'a NewGroup>,
    ) -> Call<'a, ()> {
        Box::pin(async move {
            self.store.store(tx, tasks, group).await?;
            let wakeups = Arc::clone(&self.store.wakeups);
            tx.after_commit(move || wakeups.wake());
            Ok(())
        })
    }
}

/// Runs a call to its end also when its caller does not wait for it: dropping it in the middle would cost the connection,
/// and callers that never wait for long would never get anything done.
async fn to_the_end<T: Send + 'static>(
    call: impl Future<Output = Result<T, BrokerError>> + Send + 'static,
) -> Result<T, BrokerError> {
    tokio::spawn(call).await.unwrap_or_else(|error| {
        let text = "the call was ended by the stop of the runtime";
        Err(BrokerError::new(Kind::Unavailable, text).caused_by(error))
    })
}

delegate_to_admin!(PostgresBroker);

impl Broker for PostgresBroker {
    fn prepare(&self) -> Call<'_, ()> {
        Box::pin(self.store.prepare())
    }

    fn enqueue<'a>(&'a self, tasks: &'a [NewTask], group: Option<&'a NewGroup>) -> Call<'a, ()> {
        let store = Arc::clone(&self.store);
        match group {
            None if tasks.is_empty() => Box::pin(ready(Ok(()))),
            None => {
                let insert = NewTasks::new(tasks, store.offset_ms());
                Box::pin(to_the_end(async move { store.enqueue(insert).await }))
            }
            Some(group) => {
                let (tasks, group) = (tasks.to_vec(), group.clone());
                Box::pin(to_the_end(async move { store.enqueue_group(&tasks, &group).await }))
            }
        }
    }

    fn register<'a>(&'a self, worker: &'a WorkerInfo, lease: Duration) -> Call<'a, WorkerId> {
        Box::pin(leases::register(&self.store.engine, worker, lease, self.store.offset_ms()))
    }

    fn renew(&self, worker: WorkerId, lease: Duration) -> Call<'_, Option<Vec<i64>>> {
        Box::pin(self.store.renew(worker, lease))
    }

    fn unregister(&self, worker: WorkerId) -> Call<'_, ()> {
        Box::pin(self.store.unregister(worker))
    }

    fn claim<'a>(
        &'a self,
        worker: WorkerId,
        queues: &'a [String],
        max: usize,
    ) -> Call<'a, ClaimedBatch> {
        let (store, queues) = (Arc::clone(&self.store), queues.to_vec());
        let claim = to_the_end(async move { store.claim(worker, &queues, max).await });
        Box::pin(async move { claim.await.map(UnreceivedBatch::receive) })
    }

    fn settle(&self, worker: WorkerId, settlements: Vec<Settlement>) -> Call<'_, Settled> {
        let store = Arc::clone(&self.store);
        Box::pin(to_the_end(async move { store.settle(worker, settlements).await }))
    }

    fn report_progress<'a>(
        &'a self,
        worker: WorkerId,
        progress: &'a [(i64, String)],
    ) -> Call<'a, ()> {
        let single = Statements::Single(&self.store.engine);
        Box::pin(leases::report_progress(single, worker, progress))
    }

    fn release_lost(&self) -> Call<'_, u64> {
        Box::pin(self.store.release_lost())
    }

    fn expire_results(&self, successes: Duration, failures: Duration) -> Call<'_, u64> {
        Box::pin(self.store.expire_results(successes, failures))
    }

    fn woken<'a>(&'a self, queues: &'a [String]) -> BoxFuture<'a, ()> {
        let look_at = self.store.lowest_keys.next_full_if_short();
        Box::pin(self.store.wakeups.woken(queues, look_at))
    }
}
