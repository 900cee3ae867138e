//! The broker in the service's own database: what both databases share.

pub(super) mod admin;
pub(super) mod crons;
pub(super) mod delegated_calls;
pub(super) mod error;
pub(super) mod filter;
pub(super) mod groups;
pub(super) mod listing;
mod preparing_broker;
pub(super) mod queues;
pub(super) mod revoked;
mod state_sql;
pub(super) mod tasks;

use std::sync::Arc;

use super::records::{NewGroup, NewTask};
use super::{Broker, Call, OpenBroker, postgres, sqlite};
use crate::db::{Db, Tx};
use crate::handle::Handle;
use crate::part::{Dependencies, Launch};
use crate::tasks::clock::Clock;
use crate::tasks::error::{BrokerError, Kind};
use preparing_broker::PreparingBroker;

/// Enqueues in transactions of the service. `None` if tasks are in memory.
pub(in crate::tasks) type InTransactions = Option<Arc<dyn EnqueueInTransaction>>;

/// A broker whose tables are in the service's database.
pub(in crate::tasks) trait EnqueueInTransaction: Send + Sync {
    /// Stores new tasks in the caller's transaction, as [`Broker::enqueue`] does. Wakes workers once it is committed.
    fn enqueue_in<'a>(
        &'a self,
        tx: &'a mut Tx,
        tasks: &'a [NewTask],
        group: Option<&'a NewGroup>,
    ) -> Call<'a, ()>;

    /// Returns whether the tasks are stored in an outbox, and relayed to another broker.
    fn is_outbox(&self) -> bool {
        false
    }

    /// Records that a command has opened the database, so that entries of the outbox can be read.
    fn record_opened(&self) {}
}

/// Returns whether tasks are stored in the database, not only sent in its transactions.
pub(in crate::tasks) fn stores_tasks(in_transactions: &InTransactions) -> bool {
    in_transactions.as_ref().is_some_and(|broker| !broker.is_outbox())
}

/// Returns whether tasks can be sent in the transactions of the database.
pub(in crate::tasks) fn has(in_transactions: &InTransactions) -> bool {
    in_transactions.is_some()
}

/// Adds the database to the parts that tasks need.
pub(in crate::tasks) fn add_dependency(dependencies: &mut Dependencies) {
    dependencies.add::<Db>();
}

/// Returns whether the database is PostgreSQL.
pub(in crate::tasks) fn is_postgres(launch: &Launch) -> bool {
    launch.part::<Db>().is_postgres()
}

/// Opens the broker of the database that the settings choose. Connects to nothing.
pub(super) fn open(launch: &Launch, clock: &Clock) -> OpenBroker {
    let db: Db = launch.part();
    let broker = sqlite::open(&db, clock).or_else(|| postgres::open(&db, clock));
    broker.expect("a database is SQLite or PostgreSQL")
}

/// Opens the database for a command that only reads. Creates neither a database nor its tables.
///
/// # Errors
/// There is no database, or it has no tables of tasks, each with the fix; or it cannot be opened.
pub(in crate::tasks) async fn open_existing(
    app: &Handle,
    in_transactions: &InTransactions,
) -> Result<(), BrokerError> {
    let sql = match in_transactions {
        None => return Ok(()),
        Some(broker) if broker.is_outbox() => "SELECT version FROM piton_task_outbox_relay",
        Some(_) => "SELECT version FROM piton_task_schema",
    };
    let db: Db = app.part_unconnected();
    db.open_existing().await?;
    match db.one::<i64>(sql, ()).await {
        Ok(_) => {
            in_transactions.iter().for_each(|broker| broker.record_opened());
            Ok(())
        }
        Err(error) if error.is_table_missing() => {
            let why = "the database has no tables of tasks: start the service, which creates them, or set db.path or db.url to the \
                one that the service uses";
            Err(BrokerError::new(Kind::Other, why))
        }
        Err(error) => Err(error.into()),
    }
}

/// Returns the broker as both of its traits. It prepares its tables again if they are lost.
pub(super) fn both<B: Broker + EnqueueInTransaction + 'static>(broker: B) -> OpenBroker {
    let broker = PreparingBroker::new(broker);
    OpenBroker {
        broker: Arc::new(broker.clone()),
        in_transactions: Some(Arc::new(broker)),
        is_shared: true,
    }
}

/// Stores new tasks in the caller's transaction.
///
/// # Errors
/// [`Kind::Invalid`] if tasks are in memory; otherwise those of [`Broker::enqueue`].
pub(in crate::tasks) async fn enqueue_in(
    in_transactions: &InTransactions,
    tx: &mut Tx,
    tasks: &[NewTask],
    group: Option<&NewGroup>,
) -> Result<(), BrokerError> {
    let Some(broker) = in_transactions else {
        let why = "tasks in memory (tasks.broker) cannot be sent in a transaction of the database";
        return Err(BrokerError::new(Kind::Invalid, why));
    };
    broker.enqueue_in(tx, tasks, group).await
}
