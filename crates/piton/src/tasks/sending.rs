//! The methods of [`Tasks`] that send.

use super::brokers::records::{GroupMember, NewTask};
use super::call::Call;
use super::error::BrokerError;
use super::group_call::GroupWithSummary;
use super::new_message::MessageContext;
use super::sent::Sent;
use super::task_run::TaskRun;
use super::tasks_part::Tasks;

impl Tasks {
    /// Sends a task.
    ///
    /// # Errors
    /// Those of [`Call::send`].
    pub async fn send<T>(&self, call: Call<T>) -> Result<Sent<T>, BrokerError> {
        let new = self.new_task(call, None)?;
        let id = new.id.clone();
        self.0.broker.enqueue(&[new], None).await?;
        Ok(self.sent(id))
    }

    /// Sends several tasks at once, all or none: faster than one by one.
    ///
    /// # Errors
    /// Those of [`Call::send`].
    pub async fn send_all<T>(
        &self,
        calls: impl IntoIterator<Item = Call<T>>,
    ) -> Result<Vec<Sent<T>>, BrokerError> {
        let new = calls.into_iter().map(|call| self.new_task(call, None));
        let new = new.collect::<Result<Vec<_>, _>>()?;
        self.0.broker.enqueue(&new, None).await?;
        Ok(new.into_iter().map(|task| self.sent(task.id)).collect())
    }

    /// Sends a group and its summary.
    ///
    /// # Errors
    /// Those of [`GroupWithSummary::send`].
    pub async fn send_group<T, S>(
        &self,
        group: GroupWithSummary<T, S>,
    ) -> Result<Sent<S>, BrokerError> {
        let (members, group) = group.into_records(self)?;
        self.0.broker.enqueue(&members, Some(&group)).await?;
        Ok(self.sent(group.summary.id))
    }

    /// Returns a task that was sent before, by its id.
    #[must_use]
    pub fn sent<T>(&self, id: impl Into<String>) -> Sent<T> {
        Sent::new(self.clone(), id.into())
    }

    /// Returns the record of a call for the broker.
    pub(super) fn new_task<T>(
        &self,
        call: Call<T>,
        group: Option<GroupMember>,
    ) -> Result<NewTask, BrokerError> {
        call.into_new_task(&MessageContext {
            now_ms: self.now_ms(),
            origin: &self.0.process,
            max_bytes: self.0.max_message_bytes,
            parent: TaskRun::current(),
            group,
        })
    }
}
