//! The methods of [`Tasks`] that send.

use super::brokers::records::{Batch, NewGroup, NewTask};
use super::call::Call;
use super::chain::Chain;
use super::chain_signatures::signature;
use super::error::{BrokerError, Kind};
use super::follow_ups::FollowUps;
use super::group_call::GroupWithSummary;
use super::new_message::{MessageContext, check_size, request_headers};
use super::sent::Sent;
use super::task_run::TaskRun;
use super::tasks_part::Tasks;

impl Tasks {
    /// Sends a task.
    ///
    /// # Errors
    /// Those of [`Call::send`].
    pub async fn send<T>(&self, call: Call<T>) -> Result<Sent<T>, BrokerError> {
        let new = self.new_task(call)?;
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
        let new = calls.into_iter().map(|call| self.new_task(call));
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
        self.send_chain(group.into_chain()).await
    }

    /// Sends a chain. Returns its last task.
    ///
    /// # Errors
    /// Those of [`Chain::send`].
    pub async fn send_chain<T>(&self, chain: Chain<T>) -> Result<Sent<T>, BrokerError> {
        let records = self.chain_records(chain)?;
        self.0.broker.enqueue(&records.tasks, records.group.as_ref()).await?;
        Ok(self.sent(records.last_id))
    }

    /// Sends the members of a group that has no summary, all or none.
    pub(super) async fn send_members<T>(
        &self,
        members: Vec<Chain<T>>,
    ) -> Result<Vec<Sent<T>>, BrokerError> {
        let (mut tasks, mut ids) = (Vec::new(), Vec::new());
        for member in members {
            let records = self.chain_records(member)?;
            if records.group.is_some() {
                return Err(begins_with_group());
            }
            tasks.extend(records.tasks);
            ids.push(records.last_id);
        }
        self.0.broker.enqueue(&tasks, None).await?;
        Ok(ids.into_iter().map(|id| self.sent(id)).collect())
    }

    /// Returns the records of a chain for the broker.
    pub(super) fn chain_records<T>(&self, chain: Chain<T>) -> Result<ChainRecords, BrokerError> {
        let now_ms = self.now_ms();
        let (signature, last_id) = signature(chain.untyped(), now_ms)?;
        let parent = TaskRun::current();
        let follow_ups = FollowUps {
            parent_id: parent.as_ref().map(TaskRun::id),
            root_id: parent.as_ref().map(TaskRun::root_id),
            inherited: request_headers(),
            // Calls have queue and priority.
            options: &|_| None,
            now_ms,
            origin: &self.0.process,
        };
        let mut batch = Batch::default();
        follow_ups.add(&mut batch, signature, Vec::new(), None).map_err(|exception| {
            BrokerError::new(Kind::Invalid, format!("the chain cannot be sent: {exception}"))
        })?;
        for task in &batch.tasks {
            check_size(&task.name, task.message.len(), self.0.max_message_bytes)?;
        }
        let Batch { tasks, mut groups } = batch;
        let group = groups.pop();
        if !groups.is_empty() {
            return Err(begins_with_group());
        }
        Ok(ChainRecords { tasks, group, last_id })
    }

    /// Returns a task that was sent before, by its id.
    #[must_use]
    pub fn sent<T>(&self, id: impl Into<String>) -> Sent<T> {
        Sent::new(self.clone(), id.into())
    }

    /// Returns the record of a call for the broker.
    pub(super) fn new_task<T>(&self, call: Call<T>) -> Result<NewTask, BrokerError> {
        call.into_new_task(&MessageContext {
            now_ms: self.now_ms(),
            origin: &self.0.process,
            max_bytes: self.0.max_message_bytes,
            parent: TaskRun::current(),
        })
    }
}

/// The first tasks of a chain, the group whose members they are, and the id of its last task.
pub(super) struct ChainRecords {
    pub tasks: Vec<NewTask>,
    pub group: Option<NewGroup>,
    pub last_id: String,
}

fn begins_with_group() -> BrokerError {
    let why = "a member of a group that is sent now begins with a group: begin it with a call";
    BrokerError::new(Kind::Invalid, why)
}
