//! Sends tasks in a transaction of the database, so that they exist if and only if the rows of the transaction do.

use super::brokers::database;
use super::call::Call;
use super::chain::Chain;
use super::error::BrokerError;
use super::group_call::GroupWithSummary;
use super::sending::ChainRecords;
use super::sent::Sent;
use super::tasks_part::Tasks;
use crate::db::Tx;

impl<T> Call<T> {
    /// Sends the task in a transaction: it is there once the transaction is committed, and never if it is rolled back.
    ///
    /// ```
    /// use piton::db::Db;
    /// use piton::tasks::Call;
    ///
    /// # async fn f(db: Db) -> piton::Result<()> {
    /// db.transaction(async |tx| -> piton::Result<()> {
    ///     tx.run("INSERT INTO orders (id) VALUES ($1)", (7,)).await?;
    ///     Call::<()>::new("shop.confirm").arg(&7).send_in(tx).await?;
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`send`](Self::send). After an error the transaction can only be rolled back.
    pub async fn send_in(self, tx: &mut Tx) -> Result<Sent<T>, BrokerError> {
        Tasks::current()?.send_in(tx, self).await
    }
}

impl<T, S> GroupWithSummary<T, S> {
    /// Sends the group in a transaction, as [`Call::send_in`] does.
    ///
    /// # Errors
    /// Those of [`send`](Self::send). After an error the transaction can only be rolled back.
    pub async fn send_in(self, tx: &mut Tx) -> Result<Sent<S>, BrokerError> {
        Tasks::current()?.send_group_in(tx, self).await
    }
}

impl<T> Chain<T> {
    /// Sends the chain in a transaction, as [`Call::send_in`] does.
    ///
    /// # Errors
    /// Those of [`send`](Self::send). After an error the transaction can only be rolled back.
    pub async fn send_in(self, tx: &mut Tx) -> Result<Sent<T>, BrokerError> {
        Tasks::current()?.send_chain_in(tx, self).await
    }
}

impl Tasks {
    /// Sends a task in a transaction, as [`Call::send_in`] does.
    ///
    /// # Errors
    /// Those of [`Call::send_in`].
    pub async fn send_in<T>(&self, tx: &mut Tx, call: Call<T>) -> Result<Sent<T>, BrokerError> {
        let new = self.new_task(call)?;
        let id = new.id.clone();
        database::enqueue_in(&self.0.in_transactions, tx, &[new], None).await?;
        Ok(self.sent(id))
    }

    /// Sends a group in a transaction, as [`GroupWithSummary::send_in`] does.
    ///
    /// # Errors
    /// Those of [`GroupWithSummary::send_in`].
    pub async fn send_group_in<T, S>(
        &self,
        tx: &mut Tx,
        group: GroupWithSummary<T, S>,
    ) -> Result<Sent<S>, BrokerError> {
        self.send_chain_in(tx, group.into_chain()).await
    }

    /// Sends a chain in a transaction, as [`Chain::send_in`] does.
    ///
    /// # Errors
    /// Those of [`Chain::send_in`].
    pub async fn send_chain_in<T>(
        &self,
        tx: &mut Tx,
        chain: Chain<T>,
    ) -> Result<Sent<T>, BrokerError> {
        let ChainRecords { tasks, group, last_id } = self.chain_records(chain)?;
        database::enqueue_in(&self.0.in_transactions, tx, &tasks, group.as_ref()).await?;
        Ok(self.sent(last_id))
    }
}
