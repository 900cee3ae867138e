//! The loop that renews the lease, and stops tasks that were revoked.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::attempt::revoked_result;
use super::session::Session;
use crate::tasks::brokers::records::{ClaimedTask, FinalState, FinishedTask, Outcome, Settlement};
use crate::tasks::error::{BrokerError, Kind};

/// The interval in which the broker is asked for revoked tasks while any run.
const REVOCATION_INTERVAL: Duration = Duration::from_secs(1);

/// The time after which a task is given back that was claimed ahead and has not started, because those before it
/// take longer than expected: another worker may be free.
const MAX_WAIT_IN_BUFFER: Duration = Duration::from_secs(2);

impl Session {
    /// Keeps the lease. Returns once it is lost, or may be: the broker was unavailable for as long as it lasts.
    pub async fn keep_lease(&self) {
        let lease = self.shared.config.lease;
        let tick = REVOCATION_INTERVAL.min(lease / 3);
        let mut renewed = self.registered;
        loop {
            sleep(tick).await;
            self.give_back_waiting();
            let is_idle = self.free_slots() == self.slots.len();
            if is_idle && renewed.elapsed() + tick <= lease / 3 {
                continue;
            }
            // Counted from before the call: the broker counts from a later moment.
            let now = Instant::now();
            let renewal = self.shared.broker.renew(self.worker, lease);
            match timeout_at(renewed + lease, renewal).await {
                Err(_) => {
                    let why = "the renewal of the worker's lease got no answer";
                    self.shared.state.record_unavailable(&BrokerError::new(Kind::Unavailable, why));
                    return;
                }
                Ok(renewal) => match self.shared.record_answer(renewal) {
                    Ok(None) => return,
                    Ok(Some(revoked)) => {
                        renewed = now;
                        self.revoke(&revoked);
                    }
                    Err(_) if renewed.elapsed() >= lease => return,
                    Err(_) => {}
                },
            }
        }
    }

    fn give_back_waiting(&self) {
        let waiting = self.buffer.take_if(|_, waited| waited >= MAX_WAIT_IN_BUFFER);
        if !waiting.is_empty() {
            // Otherwise they would be claimed again at once.
            self.prefetch.reset();
            self.release(waiting);
        }
    }

    fn revoke(&self, keys: &[i64]) {
        if keys.is_empty() {
            return;
        }
        self.slots.iter().for_each(|slot| slot.revoke(keys));
        self.revoke_waiting(|task| keys.contains(&task.key));
    }

    /// Ends claimed tasks that have not started.
    pub fn revoke_waiting(&self, is_revoked: impl Fn(&ClaimedTask) -> bool) {
        for ClaimedTask { key, id, .. } in self.buffer.take_if(|task, _| is_revoked(task)) {
            let finished = FinishedTask {
                state: FinalState::Revoked,
                result: revoked_result("revoked"),
                traceback: None,
                started_at_ms: None,
                finished_at_ms: self.shared.executor.clock.now_ms(),
                keep_message: true,
            };
            let outcome = Outcome::Finished(Some(finished));
            self.pending.push(Settlement {
                key,
                id,
                outcome,
                follow_ups: Vec::new(),
                groups: Vec::new(),
                abandoned: Vec::new(),
            });
        }
    }
}
