//! The loop that claims tasks, as many as will soon be run.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::session::Session;
use super::settling::BROKER_BACKOFF;
use crate::support::backoff::{Backoff, JITTER, with_jitter};
use crate::tasks::error::Kind;

/// The size of messages in the buffer beyond which nothing more is claimed.
const MAX_BUFFER_BYTES: usize = 32 << 20;

/// Minimum times between claims that find nothing although the worker was woken: others are faster, or the lease is lost
/// and the next renewal will say so. Without them a worker would ask without a pause as long as there are tasks that it
/// does not get.
const FRUITLESS_BACKOFF: Backoff =
    Backoff::new(Duration::from_millis(1), MAX_FRUITLESS_DELAY, JITTER);

const MAX_FRUITLESS_DELAY: Duration = Duration::from_millis(20);

impl Session {
    pub async fn claim_tasks(&self) -> Infallible {
        let (mut backoff, mut fruitless) = (BROKER_BACKOFF, FRUITLESS_BACKOFF);
        loop {
            let wanted = self.wanted();
            if wanted == 0 {
                self.room.notified().await;
                continue;
            }
            let (broker, queues) = (&self.shared.broker, self.shared.queues());
            let claimed = broker.claim(self.worker, &queues, wanted).await;
            let batch = match self.shared.record_answer(claimed) {
                Ok(batch) => {
                    self.shared.state.record_claim_fault(None);
                    batch
                }
                Err(error) => {
                    // Otherwise a broker that refuses every claim would look healthy, and no task would run.
                    if error.kind() != Kind::Unavailable {
                        self.shared.state.record_claim_fault(Some(&error));
                    }
                    sleep(backoff.next_delay()).await;
                    continue;
                }
            };
            backoff = BROKER_BACKOFF;
            let found_all = batch.tasks.len() < wanted;
            let (is_empty, idle_time) =
                (batch.tasks.is_empty(), self.idle_time(batch.next_due_at_ms));
            self.buffer.push(batch.tasks);
            if found_all {
                let asked = Instant::now();
                // Woken or not, the next claim says what there is.
                let _ = timeout(idle_time, broker.woken(&queues)).await;
                if !is_empty || asked.elapsed() > MAX_FRUITLESS_DELAY {
                    fruitless = FRUITLESS_BACKOFF;
                } else {
                    sleep_until(asked + fruitless.next_delay()).await;
                }
            }
        }
    }

    /// Returns the number of tasks to claim now. Sets the level of the buffer at which the next claim is due.
    fn wanted(&self) -> usize {
        let (buffered, bytes) = self.buffer.size();
        if bytes >= MAX_BUFFER_BYTES || self.pending.is_full() {
            return 0;
        }
        let (free, ahead) = (self.free_slots(), self.prefetch.target());
        let target = free.max(ahead);
        self.set_low_water(target / 2);
        // Below half, so that fast tasks are claimed in batches. And half of what is claimed ahead at most, so that the
        // broker claims one half while the other runs.
        let max = free.max(ahead.div_ceil(2));
        if buffered * 2 <= target { max.min(target.saturating_sub(buffered)) } else { 0 }
    }

    /// Returns the time to wait before looking again, if nothing wakes the worker.
    fn idle_time(&self, next_due_at_ms: Option<i64>) -> Duration {
        // Never longer than documented, and not the same for all workers.
        let interval = with_jitter(self.shared.config.poll_interval, &(0.75..1.0));
        let Some(due_at_ms) = next_due_at_ms else { return interval };
        let left_ms = due_at_ms.saturating_sub(self.shared.executor.clock.now_ms()).max(1);
        interval.min(Duration::from_millis(u64::try_from(left_ms).unwrap_or(u64::MAX)))
    }
}
