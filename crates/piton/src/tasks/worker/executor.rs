//! [`Executor`]: runs one claimed task from its message to its settlement.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use piton_celery::{EventKind, Exception, TaskBody, bind};
use serde_json::{Map, Value};
use tokio::time::Instant;
use tracing::debug;

use super::attempt::{Attempt, End, Perform};
use super::message::Message;
use super::overrides::Overrides;
use super::registry::{KnownTask, Registry};
use super::slot::{Running, Slot};
use crate::handle::Handle;
use crate::runtime::context;
use crate::stop_signal::Stop;
use crate::tasks::brokers::records::{ClaimedTask, Settlement};
use crate::tasks::clock::Clock;
use crate::tasks::metrics::TaskMetrics;
use crate::tasks::monitored_worker::TaskEvents;
use crate::tasks::task::{Ack, Task};
use crate::tasks::task_call::TaskCall;
use crate::tasks::task_run::TaskRun;

/// Runs tasks. Needs no broker.
pub(super) struct Executor {
    pub handle: Handle,
    pub clock: Clock,
    pub registry: Registry,
    pub metrics: TaskMetrics,
    pub max_losses: u32,
    /// The worker's name, which messages carry.
    pub origin: String,
    /// A signal that is never given, for tasks without a soft timeout.
    pub never: Stop,
    pub overrides: Overrides,
    /// The number of runs of each task.
    pub totals: Mutex<BTreeMap<String, u64>>,
    pub events: TaskEvents,
}

impl Executor {
    /// Runs a task in `slot`, which it occupies until the caller ends it. Returns what becomes of the task.
    pub async fn execute(&self, mut claimed: ClaimedTask, slot: &Slot, stop: &Stop) -> Settlement {
        let started = Instant::now();
        let (mut message, unreadable) = match Message::read(&claimed) {
            Ok(message) => (message, None),
            Err(exception) => (Message::default(), Some(exception)),
        };
        let known = self.registry.tasks.get(&message.headers.task);
        let changed = self.overrides.time_limit(&message.headers.task);
        let limits = message.time_limits(known.map(|known| known.task.options()), changed);
        let request = message.request(&claimed.id);
        let (trigger, soft_stop) = limits.soft.map(|_| Stop::new()).unzip();
        let soft_stop = soft_stop.unwrap_or_else(|| self.never.clone());
        if unreadable.is_none() {
            self.events.record(|| EventKind::TaskReceived((&message.headers).into()));
        }
        let run = TaskRun::new(message.take_about(&claimed), soft_stop, stop.clone());
        let attempt = self.begin(&mut claimed, known, &mut message, &run, slot, started);
        let TaskBody { args, kwargs, .. } = message.body;
        let call = match unreadable {
            Some(exception) => Err(Box::new(End::fail(exception))),
            None => {
                self.check(&claimed, known, run.name(), attempt.started_at_ms).and_then(|known| {
                    let call = self.call(known, args, kwargs);
                    call.map_err(|exception| Box::new(End::fail(exception)))
                })
            }
        };
        let work = async {
            let end = match call {
                Ok((task, call)) => Perform { slot, limits, trigger }.perform(task, call).await,
                Err(end) => *end,
            };
            attempt.conclude(end)
        };
        let in_request = context::within_request(self.handle.clone(), request, work);
        run.within(in_request).await.0
    }

    /// Occupies the slot. Nothing is awaited before it, so that no claimed task is in neither place.
    fn begin<'a>(
        &'a self,
        claimed: &mut ClaimedTask,
        known: Option<&'a KnownTask>,
        message: &mut Message,
        run: &TaskRun,
        slot: &Slot,
        started: Instant,
    ) -> Attempt<'a> {
        let started_at_ms = self.clock.now_ms();
        let ready_at_ms = claimed.due_at_ms.unwrap_or(claimed.created_at_ms);
        let waited_ms = started_at_ms.saturating_sub(ready_at_ms);
        let priority = claimed.priority;
        debug!(task.id = run.id(), task.name = run.name(), priority, waited_ms, "Starting a task");
        slot.begin(Running {
            key: claimed.key,
            run: run.clone(),
            // Not copied: nobody else reads it any more.
            message: std::mem::take(&mut claimed.message),
            started_at_ms,
            runs_at_most_once: known.is_some_and(runs_at_most_once),
            is_revoked: false,
        });
        Attempt {
            executor: self,
            known,
            key: claimed.key,
            retries: claimed.retries,
            run: run.clone(),
            embed: std::mem::take(&mut message.body.embed),
            ignores_result: message.headers.ignore_result == Some(true),
            started,
            started_at_ms,
        }
    }

    /// Returns the task, or the end of one that is not to be run.
    fn check<'a>(
        &self,
        claimed: &ClaimedTask,
        known: Option<&'a KnownTask>,
        name: &str,
        now_ms: i64,
    ) -> Result<&'a KnownTask, Box<End>> {
        if claimed.losses > self.max_losses {
            let losses = claimed.losses;
            let text = format!("{losses} workers were lost while they had this task");
            return Err(Box::new(End::fail(Exception::worker_lost(text))));
        }
        if claimed.expires_at_ms.is_some_and(|expires_at_ms| expires_at_ms <= now_ms) {
            return Err(Box::new(End::Revoked("expired")));
        }
        let known = known.ok_or_else(|| Box::new(End::fail(Exception::not_registered(name))))?;
        if let Some(delay) = self.overrides.postpone(name) {
            return Err(Box::new(End::Postponed(delay)));
        }
        self.count(name);
        self.events.record(|| EventKind::TaskStarted { uuid: claimed.id.clone() });
        if claimed.losses > 0 && runs_at_most_once(known) {
            return Err(Box::new(End::fail(worker_lost())));
        }
        Ok(known)
    }

    fn count(&self, name: &str) {
        let mut totals = self.totals.lock();
        match totals.get_mut(name) {
            Some(total) => *total += 1,
            None => drop(totals.insert(name.to_owned(), 1)),
        }
    }

    fn call<'a>(
        &self,
        known: &'a KnownTask,
        args: Vec<Value>,
        kwargs: Map<String, Value>,
    ) -> Result<(&'a Task, TaskCall), Exception> {
        let task = &known.task;
        let function = task.name().rsplit('.').next().unwrap_or_default();
        let values = bind(function, task.parameters(), args, kwargs)?;
        Ok((task, TaskCall::new(self.handle.clone(), task.parameters(), values)))
    }
}

/// Returns whether a task must not be started again if its worker is lost.
fn runs_at_most_once(known: &KnownTask) -> bool {
    known.task.options().ack == Ack::Early
}

/// Returns the exception of a task that runs at most once, and did not end.
pub(super) fn worker_lost() -> Exception {
    Exception::worker_lost("the worker was lost or stopped before the task had ended")
}
