//! Sends the tasks of all schedules when their time comes.
//!
//! Every process that runs tasks runs one of these, and the broker decides which of them sends a tick: it stores the last
//! tick of a schedule, and refuses one that is not later. So a tick runs once however many replicas there are, and a clock
//! that is set back repeats none.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat};
use tracing::{error, info, warn};

use super::super::brokers::Broker;
use super::super::brokers::records::NewTask;
use super::super::call::Call;
use super::super::clock::{Clock, millis};
use super::super::error::BrokerError;
use super::super::new_message::MessageContext;
use super::schedule::{Cron, Ticks};
use crate::config::Problems;
use crate::stop_signal::Stop;
use crate::support::backoff::{Backoff, JITTER};

/// The header with the time of the tick that a task runs for.
const TICK_HEADER: &str = "cron_tick";

/// Maximum sleep, after which the clock is read again: it may have been set.
const MAX_SLEEP: Duration = Duration::from_secs(10);

/// Age from which a tick counts as missed. Longer than any pause of a healthy process.
const MISSED_AFTER: Duration = Duration::from_secs(60);

/// Time by which the last tick may be in the future before it is reported: such a schedule rests until then.
const MAX_CLOCK_STEP: Duration = Duration::from_secs(60);

/// Interval in which the broker is asked whether a resting schedule was reset.
const RESET_CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// Delays after a failure of the broker.
const FAILURE_BACKOFF: Backoff =
    Backoff::new(Duration::from_millis(250), Duration::from_secs(10), JITTER);

/// The last tick of a schedule, as this process knows it.
pub(in crate::tasks) struct LastTick {
    at_ms: i64,
    /// The time at which the broker said so.
    asked_at_ms: i64,
    /// Set if it was reported that the tick is in the future.
    is_reported: bool,
}

impl LastTick {
    /// Returns whether the broker may know of another one. Only if the tick is in the future: a clock was set back, or the
    /// schedule was reset.
    fn is_to_be_checked(&self, now_ms: i64) -> bool {
        let age_ms = i64::try_from(now_ms.abs_diff(self.asked_at_ms)).unwrap_or(i64::MAX);
        let is_due = !self.is_reported || age_ms >= millis(RESET_CHECK_INTERVAL);
        is_due && is_resting(self.at_ms, now_ms)
    }
}

/// Returns whether the last tick of a schedule is so far in the future that nothing is sent until then.
pub(in crate::tasks) fn is_resting(last_tick_ms: i64, now_ms: i64) -> bool {
    last_tick_ms.saturating_sub(now_ms) > millis(MAX_CLOCK_STEP)
}

/// The schedules of one process.
pub(in crate::tasks) struct Scheduler {
    broker: Arc<dyn Broker>,
    clock: Clock,
    /// The sending process, for the messages.
    origin: String,
    schedules: Vec<(Cron, Ticks)>,
}

impl Scheduler {
    /// Makes the scheduler.
    ///
    /// # Errors
    /// All schedules that are not valid.
    pub fn new(
        broker: Arc<dyn Broker>,
        clock: Clock,
        origin: String,
        crons: Vec<Cron>,
    ) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let mut schedules = Vec::new();
        for cron in crons {
            match cron.ticks() {
                Ok(ticks) => schedules.push((cron, ticks)),
                Err(problem) => problems.0.push(*problem),
            }
        }
        if problems.0.is_empty() {
            Ok(Self { broker, clock, origin, schedules })
        } else {
            Err(problems)
        }
    }

    /// Sends what is due, until `stop`.
    pub async fn run(&self, stop: Stop) {
        if self.schedules.is_empty() {
            return;
        }
        for (cron, _) in &self.schedules {
            info!(task.name = cron.task().name(), "`{}` runs {}", cron.task().name(), cron.text());
        }
        let mut last_ticks = HashMap::new();
        let mut backoff = FAILURE_BACKOFF;
        loop {
            let sleep = match self.send_due(&mut last_ticks).await {
                Ok(next_ms) => {
                    backoff = FAILURE_BACKOFF;
                    self.until(next_ms)
                }
                Err(error) => {
                    warn!("The schedules cannot be checked, retrying: {error}");
                    backoff.next_delay()
                }
            };
            tokio::select! {
                () = tokio::time::sleep(sleep) => {}
                () = stop.stopped() => return,
            }
        }
    }

    /// Returns the time to sleep until a tick.
    fn until(&self, next_ms: Option<i64>) -> Duration {
        let Some(next_ms) = next_ms else { return MAX_SLEEP };
        let millis = u64::try_from(next_ms - self.clock.now_ms()).unwrap_or_default();
        Duration::from_millis(millis).min(MAX_SLEEP)
    }

    /// Sends the runs that are due now. Returns the time of the next tick of all schedules.
    ///
    /// # Errors
    /// The broker is not available. What was sent is not sent again.
    pub async fn send_due(
        &self,
        last_ticks: &mut HashMap<String, LastTick>,
    ) -> Result<Option<i64>, BrokerError> {
        let mut next = None;
        for (cron, ticks) in &self.schedules {
            let last_ms = self.send_due_of(cron, ticks, last_ticks).await?;
            let next_of_this = ticks.next_after(last_ms.max(self.clock.now_ms()));
            next = [next, next_of_this].into_iter().flatten().min();
        }
        Ok(next)
    }

    /// Sends the runs of one schedule. Returns its last tick.
    async fn send_due_of(
        &self,
        cron: &Cron,
        ticks: &Ticks,
        last_ticks: &mut HashMap<String, LastTick>,
    ) -> Result<i64, BrokerError> {
        let name = cron.task().name();
        let now_ms = self.clock.now_ms();
        let last = last_ticks.get(name);
        let is_reported = last.is_some_and(|last| last.is_reported);
        // The broker is asked only when a tick may be due, because most looks find none.
        if let Some(last) = last
            && !last.is_to_be_checked(now_ms)
            && ticks.due(last.at_ms, now_ms, MISSED_AFTER).newest.is_none()
        {
            return Ok(last.at_ms);
        }
        let record = self.broker.cron(name, now_ms).await?;
        let mut last_ms = record.last_tick_ms;
        let is_resting = is_resting(last_ms, now_ms);
        if is_resting && !is_reported {
            error!(
                task.name = name,
                "The last run of `{name}` is in the future, at {}: it rests until then. Set the clocks right, and run \
                 `tasks cron reset {name}`, with which it goes on",
                time(last_ms)
            );
        }
        let due = ticks.due(last_ms, now_ms, MISSED_AFTER);
        if !record.is_paused {
            for tick_ms in due.runs {
                let task = self.task_of(cron, tick_ms)?;
                if self.broker.fire(name, tick_ms, Some(&task)).await? {
                    info!(
                        task.name = name,
                        task.id = task.id,
                        "Sent `{name}` for {}",
                        time(tick_ms)
                    );
                }
                last_ms = tick_ms;
            }
        }
        if let Some(newest) = due.newest.filter(|newest| *newest > last_ms) {
            self.broker.fire(name, newest, None).await?;
            last_ms = newest;
        }
        let last = LastTick { at_ms: last_ms, asked_at_ms: now_ms, is_reported: is_resting };
        last_ticks.insert(name.to_owned(), last);
        Ok(last_ms)
    }

    fn task_of(&self, cron: &Cron, tick_ms: i64) -> Result<NewTask, BrokerError> {
        let call = Call::<()>::of(cron.task()).header(TICK_HEADER, time(tick_ms));
        call.into_new_task(&MessageContext {
            now_ms: self.clock.now_ms(),
            origin: &self.origin,
            max_bytes: usize::MAX,
            parent: None,
        })
    }
}

fn time(at_ms: i64) -> String {
    let time = DateTime::from_timestamp_millis(at_ms).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::brokers::memory::{MemoryBroker, MemoryLimits};
    use crate::tasks::brokers::records::TaskFilter;
    use crate::tasks::brokers::{CronStore as _, TaskAdmin as _};
    use crate::tasks::task::Task;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_schedule_that_rests_because_a_clock_was_ahead_goes_on_once_it_is_reset() {
        let clock = Clock::default();
        let broker = Arc::new(MemoryBroker::new(clock.clone(), MemoryLimits::default()));
        let sweep = Task::new("sweep", &[], |_| async { Ok::<_, crate::tasks::Error>(()) });
        let crons = vec![Cron::every(MINUTE, sweep)];
        let store: Arc<dyn Broker> = broker.clone();
        let scheduler = Scheduler::new(store, clock.clone(), "test".into(), crons);
        let Ok(scheduler) = scheduler else { panic!("the schedule is valid") };
        let mut last_ticks = HashMap::new();
        let mut runs = async || {
            scheduler.send_due(&mut last_ticks).await.unwrap();
            broker.list(&TaskFilter::default()).await.unwrap().len()
        };

        let in_an_hour_ms = clock.now_ms() + millis(60 * MINUTE);
        broker.cron("sweep", in_an_hour_ms).await.unwrap();
        for _ in 0..3 {
            assert_eq!(runs().await, 0);
            clock.advance(MINUTE);
        }
        assert!(broker.reset_cron("sweep", clock.now_ms()).await.unwrap());
        assert_eq!(runs().await, 0, "what it has missed is not made up for");
        clock.advance(MINUTE);
        assert_eq!(runs().await, 1);
    }
}
