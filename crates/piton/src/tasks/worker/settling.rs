//! The loop that gives results to the broker, until the broker has confirmed them.

use std::convert::Infallible;
use std::time::Duration;

use piton_celery::Exception;
use tracing::{debug, error};

use super::failure::Failure;
use super::session::Session;
use crate::support::backoff::{Backoff, JITTER};
use crate::tasks::brokers::records::{FinalState, FinishedTask, Outcome, Settlement};
use crate::tasks::error::{BrokerError, Kind};

/// Delays between attempts while the broker is unavailable.
pub(super) const BROKER_BACKOFF: Backoff =
    Backoff::new(Duration::from_millis(50), Duration::from_secs(5), JITTER);

impl Session {
    /// Settles whatever is pending, in batches: while one call is under way, further results gather.
    pub async fn settle_pending(&self) -> Infallible {
        loop {
            let batch = self.pending.next_batch().await;
            let count = batch.len();
            self.settle_until_confirmed(batch).await;
            self.pending.confirm(count);
            self.room.notify_one();
        }
    }

    async fn settle_until_confirmed(&self, batch: Vec<Settlement>) {
        let mut backoff = BROKER_BACKOFF;
        let mut parts = vec![batch];
        while let Some(batch) = parts.pop() {
            match self.settle(batch.clone()).await {
                Ok(()) => backoff = BROKER_BACKOFF,
                Err(error) if error.kind() == Kind::Unavailable => {
                    parts.push(batch);
                    tokio::time::sleep(backoff.next_delay()).await;
                }
                Err(_) if batch.len() > 1 => {
                    // One of them cannot be stored, which must not keep the others back.
                    parts.extend(batch.into_iter().map(|settlement| vec![settlement]));
                }
                Err(error) => {
                    let failed =
                        batch.into_iter().map(|settlement| self.unstorable(settlement, &error));
                    parts.push(failed.collect());
                    tokio::time::sleep(backoff.next_delay()).await;
                }
            }
        }
    }

    async fn settle(&self, batch: Vec<Settlement>) -> Result<(), BrokerError> {
        let settled = self.shared.broker.settle(self.worker, batch).await;
        let settled = self.shared.record_answer(settled)?;
        let fenced = settled.fenced.len();
        if fenced > 0 {
            self.shared.executor.metrics.fenced.inc_by(fenced as u64);
            debug!("{fenced} results of tasks were refused: another worker has the tasks now");
        }
        Ok(())
    }

    /// Returns the failure that is stored instead of a result that the broker refuses.
    fn unstorable(&self, settlement: Settlement, error: &BrokerError) -> Settlement {
        let id = &settlement.id;
        error!(task.id = id, "The result of task {id} cannot be stored: {error}");
        let exception = Exception::builtin("RuntimeError", "the result cannot be stored");
        let failure = Failure::permanent(exception);
        let finished = FinishedTask {
            state: FinalState::Failure,
            result: failure.result(),
            traceback: Some(error.to_string()),
            started_at_ms: None,
            finished_at_ms: self.shared.executor.clock.now_ms(),
            keep_message: true,
        };
        let outcome = Outcome::Finished(Some(finished));
        Settlement { outcome, follow_ups: Vec::new(), groups: Vec::new(), ..settlement }
    }
}
