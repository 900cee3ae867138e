//! [`Attempt`]: one run of a task, and what becomes of the task after it.

use std::pin::pin;
use std::time::Duration;

use piton_celery::{Embed, EventKind, Exception, safe_repr};
use serde_json::Value;
use tokio::time::{Instant, sleep};
use tracing::{debug, error, info, warn};

use super::executor::Executor;
use super::failure::{Failure, retry_delay};
use super::message::TimeLimits;
use super::registry::KnownTask;
use super::slot::Slot;
use crate::http::panics;
use crate::secrets::redact_text;
use crate::stop_signal::Trigger;
use crate::tasks::brokers::records::{Batch, FinalState, FinishedTask, Outcome, Settlement};
use crate::tasks::clock::millis;
use crate::tasks::error::Verdict;
use crate::tasks::follow_ups::{FollowUps, INHERITED};
use crate::tasks::metrics::AttemptOutcome;
use crate::tasks::task::{Task, TaskOptions};
use crate::tasks::task_call::TaskCall;
use crate::tasks::task_run::TaskRun;

/// The end of an attempt.
pub(super) enum End {
    Returned(Value),
    Failed(Failure),
    /// Not run, or not to its end, for Celery's reason: `expired` or `terminated`.
    Revoked(&'static str),
    /// Not run now, because its rate is limited.
    Postponed(Duration),
}

impl End {
    /// The end of a task that another attempt would not change.
    pub fn fail(exception: Exception) -> Self {
        Self::Failed(Failure::permanent(exception))
    }
}

/// Runs the function of a task within its limits.
pub(super) struct Perform<'a> {
    pub slot: &'a Slot,
    pub limits: TimeLimits,
    /// Gives the signal of the soft timeout.
    pub trigger: Option<Trigger>,
}

impl Perform<'_> {
    pub async fn perform(self, task: &Task, call: TaskCall) -> End {
        // Within the future, because the function itself may panic before it returns one.
        let mut work = pin!(panics::catch(async { task.run(call).await }));
        let hard = self.limits.hard.unwrap_or(Duration::MAX);
        tokio::select! {
            // In this order, so that a task that has ended counts as such even if its time is over.
            biased;
            result = &mut work => match result {
                Ok(Ok(value)) => End::Returned(value),
                Ok(Err(error)) => End::Failed(error.into()),
                Err(panic) => End::Failed(Failure::of_panic(panics::describe(&*panic))),
            },
            () = self.slot.revoked() => End::Revoked("terminated"),
            () = sleep(hard), if self.limits.hard.is_some() => End::Failed(Failure::of_timeout(hard)),
            never = self.soft_timeout() => match never {},
        }
    }

    async fn soft_timeout(&self) -> std::convert::Infallible {
        if let (Some(soft), Some(trigger)) = (self.limits.soft, &self.trigger) {
            sleep(soft).await;
            trigger.stop();
        }
        std::future::pending().await
    }
}

/// The facts of an attempt that decide what becomes of its task.
pub(super) struct Attempt<'a> {
    pub executor: &'a Executor,
    pub known: Option<&'a KnownTask>,
    pub key: i64,
    /// Attempts that came before.
    pub retries: u32,
    pub run: TaskRun,
    /// The tasks that follow.
    pub embed: Embed,
    /// Set if the message asks for no result.
    pub ignores_result: bool,
    pub started: Instant,
    pub started_at_ms: i64,
}

impl<'a> Attempt<'a> {
    /// Returns the settlement of the task. Logs and counts the attempt.
    pub fn conclude(mut self, end: End) -> Settlement {
        match end {
            End::Returned(value) => self.succeed(&value),
            End::Revoked(reason) => self.revoke(reason),
            End::Postponed(delay) => self.snooze(delay),
            End::Failed(failure) => match failure.verdict {
                Verdict::Retry(after) => match self.retry_options() {
                    Some(options) => self.retry(options, &failure, after),
                    None => self.fail(failure),
                },
                Verdict::Fail => self.fail(failure),
                Verdict::Ignore => self.end_without_result(),
                Verdict::Snooze(delay) => self.snooze(delay),
            },
        }
    }

    /// Returns the task's options while retries are left.
    fn retry_options(&self) -> Option<&'a TaskOptions> {
        let options = self.known?.task.options();
        (self.retries < options.retries).then_some(options)
    }

    fn succeed(&mut self, value: &Value) -> Settlement {
        let embed = std::mem::take(&mut self.embed);
        let has_followers = !(embed.callbacks.is_empty() && embed.chain.is_empty());
        let follow_ups = match has_followers
            .then(|| self.follow_ups(&|name| self.options_of(name)).of_success(embed, value))
        {
            Some(Ok(follow_ups)) => follow_ups,
            // The chain would end without a trace otherwise.
            Some(Err(exception)) => return self.fail(Failure::permanent(exception)),
            None => Batch::default(),
        };
        let duration = self.observe(AttemptOutcome::Success);
        self.executor.events.record(|| EventKind::TaskSucceeded {
            uuid: self.run.id().to_owned(),
            result: safe_repr(value),
            runtime: Some(duration),
        });
        let (id, name) = (self.run.id(), self.run.name());
        debug!(task.name = name, task.id = id, ?duration, "Finished task `{name}`");
        let ignores_result = self.ignores_result
            || self.known.is_some_and(|known| known.task.options().ignore_result);
        let result =
            (!ignores_result).then(|| self.finished(FinalState::Success, value.to_string(), None));
        self.settle(Outcome::Finished(result), follow_ups)
    }

    fn fail(&mut self, failure: Failure) -> Settlement {
        let duration = self.observe(AttemptOutcome::Failure);
        let (id, name, why) = (self.run.id(), self.run.name(), redact_text(&failure.message));
        error!(task.name = name, task.id = id, ?duration, "Task `{name}` failed: {why}");
        self.executor.events.record(|| EventKind::TaskFailed {
            uuid: id.to_owned(),
            exception: failure.exception.to_string(),
            traceback: failure.traceback.clone(),
        });
        let mut embed = std::mem::take(&mut self.embed);
        let options = |name: &str| self.options_of(name);
        let followers = self.follow_ups(&options);
        let abandoned = followers.abandoned(std::mem::take(&mut embed.chain));
        let follow_ups = followers.of_failure(embed.errbacks).unwrap_or_else(|exception| {
            warn!(
                task.name = name,
                task.id = id,
                "Task `{name}` has no valid errback: {exception}"
            );
            Batch::default()
        });
        let result = failure.result();
        let finished = self.finished(FinalState::Failure, result, failure.traceback);
        let outcome = Outcome::Finished(Some(finished));
        Settlement { abandoned, ..self.settle(outcome, follow_ups) }
    }

    fn retry(
        &mut self,
        options: &TaskOptions,
        failure: &Failure,
        after: Option<Duration>,
    ) -> Settlement {
        let duration = self.observe(AttemptOutcome::Retry);
        let delay = retry_delay(options, self.retries, after);
        let (attempt, max) = (self.retries + 1, options.retries + 1);
        let (id, name, why) = (self.run.id(), self.run.name(), redact_text(&failure.message));
        info!(
            task.name = name,
            task.id = id,
            ?duration,
            "Task `{name}` failed, attempt {attempt} of {max}, trying again in {delay:.1?}: {why}"
        );
        self.executor.events.record(|| EventKind::TaskRetried {
            uuid: id.to_owned(),
            exception: failure.exception.to_string(),
            traceback: failure.traceback.clone().unwrap_or_default(),
        });
        self.reschedule(delay, attempt, Some(failure.result()))
    }

    fn snooze(&mut self, delay: Duration) -> Settlement {
        self.observe(AttemptOutcome::Other);
        let (id, name) = (self.run.id(), self.run.name());
        debug!(task.name = name, task.id = id, "Task `{name}` runs again in {delay:.1?}");
        self.reschedule(delay, self.retries, None)
    }

    fn reschedule(&mut self, delay: Duration, retries: u32, error: Option<String>) -> Settlement {
        let due_at_ms = self.executor.clock.now_ms().saturating_add(millis(delay));
        self.settle(Outcome::Rescheduled { due_at_ms, retries, error }, Batch::default())
    }

    fn revoke(&mut self, reason: &'static str) -> Settlement {
        self.observe(AttemptOutcome::Other);
        let (id, name) = (self.run.id(), self.run.name());
        info!(task.name = name, task.id = id, "Task `{name}` was revoked: {reason}");
        self.executor.events.record(|| EventKind::TaskRevoked {
            uuid: id.to_owned(),
            terminated: reason == "terminated",
            signum: None,
            expired: reason == "expired",
        });
        let finished = self.finished(FinalState::Revoked, revoked_result(reason), None);
        let chain = std::mem::take(&mut self.embed.chain);
        let abandoned = self.follow_ups(&|name| self.options_of(name)).abandoned(chain);
        let outcome = Outcome::Finished(Some(finished));
        Settlement { abandoned, ..self.settle(outcome, Batch::default()) }
    }

    fn end_without_result(&mut self) -> Settlement {
        self.observe(AttemptOutcome::Other);
        self.settle(Outcome::Finished(None), Batch::default())
    }

    fn finished(
        &self,
        state: FinalState,
        result: String,
        traceback: Option<String>,
    ) -> FinishedTask {
        FinishedTask {
            state,
            result,
            traceback,
            started_at_ms: Some(self.started_at_ms),
            finished_at_ms: self.executor.clock.now_ms(),
            keep_message: state != FinalState::Success,
        }
    }

    fn settle(&self, outcome: Outcome, follow_ups: Batch) -> Settlement {
        let id = self.run.id().to_owned();
        let Batch { tasks: follow_ups, groups } = follow_ups;
        Settlement { key: self.key, id, outcome, follow_ups, groups, abandoned: Vec::new() }
    }

    /// Returns what makes the tasks that follow.
    fn follow_ups<'b>(
        &'b self,
        options: &'b dyn Fn(&str) -> Option<&'b TaskOptions>,
    ) -> FollowUps<'b> {
        let header = |name: &str| Some((name.to_owned(), self.run.header(name)?.clone()));
        FollowUps {
            parent_id: Some(self.run.id()),
            root_id: Some(self.run.root_id()),
            inherited: INHERITED.into_iter().filter_map(header).collect(),
            options,
            now_ms: self.executor.clock.now_ms(),
            origin: &self.executor.origin,
        }
    }

    /// Returns the options of a task of this service.
    fn options_of(&self, name: &str) -> Option<&TaskOptions> {
        self.executor.registry.tasks.get(name).map(|known| known.task.options())
    }

    /// Counts the attempt. Returns its duration.
    fn observe(&self, outcome: AttemptOutcome) -> Duration {
        let duration = self.started.elapsed();
        let series = self.known.map_or(&self.executor.registry.other, |known| &known.series);
        series.observe(outcome, duration);
        duration
    }
}

/// Returns the result of a task that was not run, or not to its end.
pub(super) fn revoked_result(reason: &str) -> String {
    serde_json::json!(Exception::task_revoked(reason)).to_string()
}
