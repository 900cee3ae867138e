//! Running tasks on demand, for tests of services.

use super::Worker;
use super::slot::Slot;
use crate::tasks::brokers::records::{ClaimedTask, WorkerId};
use crate::tasks::error::{BrokerError, Kind};

/// Maximum number of tasks of one call: a task that always sends another one would never end.
const MAX_DRAINED: usize = 100_000;

impl Worker {
    /// Runs all tasks that are ready, one after the other, and those that they send, until none is. Tasks that are due
    /// later run in a later call, once the clock was moved. Returns the ids, in the order in which they ran.
    ///
    /// # Errors
    /// The broker is unavailable; or the tasks send further ones without an end.
    pub async fn drain(&self) -> Result<Vec<String>, BrokerError> {
        let shared = &self.0;
        let worker = shared.broker.register(&shared.worker_info(), shared.config.lease).await?;
        let drained = self.drain_as(worker).await;
        shared.broker.unregister(worker).await?;
        drained
    }

    async fn drain_as(&self, worker: WorkerId) -> Result<Vec<String>, BrokerError> {
        let shared = &self.0;
        let mut ran = Vec::new();
        shared.broker.release_lost().await?;
        // One by one, so that the order is that of the broker also for tasks that are sent meanwhile.
        let queues = shared.queues();
        while let Some(claimed) = shared.broker.claim(worker, &queues, 1).await?.tasks.pop() {
            ran.push(self.run_one(worker, claimed).await?);
            if ran.len() >= MAX_DRAINED {
                let text = format!(
                    "{MAX_DRAINED} tasks were run and more are ready: does a task send itself again without an end?"
                );
                return Err(BrokerError::new(Kind::Other, text));
            }
        }
        Ok(ran)
    }

    async fn run_one(&self, worker: WorkerId, claimed: ClaimedTask) -> Result<String, BrokerError> {
        let (slot, executor) = (Slot::default(), &self.0.executor);
        let settlement = executor.execute(claimed, &slot, &executor.never).await;
        let running = slot.end();
        if let Some((key, progress)) =
            running.as_ref().and_then(|running| Some((running.key, running.run.take_progress()?)))
        {
            self.0.broker.report_progress(worker, &[(key, progress)]).await?;
        }
        let id = settlement.id.clone();
        self.0.broker.settle(worker, vec![settlement]).await?;
        Ok(id)
    }
}
