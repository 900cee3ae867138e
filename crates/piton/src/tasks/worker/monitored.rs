//! A worker under remote control.

use std::collections::BTreeMap;
use std::sync::Arc;

use piton_celery::{Envelope, RateLimit, TaskHeaders, TaskInfo, TimeLimit};

use super::session::Session;
use super::shared::Shared;
use super::slot::Running;
use crate::tasks::brokers::records::WorkerInfo;
use crate::tasks::monitored_worker::{MonitoredWorker, TaskEvents};

/// Maximum size of the body of a task that is shown.
const MAX_SHOWN_BYTES: usize = 64 << 10;

impl Shared {
    fn session(&self) -> Option<Arc<Session>> {
        self.session.lock().upgrade()
    }

    fn is_known(&self, task: &str) -> bool {
        self.executor.registry.tasks.contains_key(task)
    }

    /// Returns what is shown of a task, by its message.
    fn task_info(&self, message: &str) -> Option<TaskInfo> {
        let mut envelope = Envelope::<TaskHeaders>::from_slice(message.as_bytes()).ok()?;
        let body = envelope.decode_body(MAX_SHOWN_BYTES).unwrap_or_default();
        let mut info = TaskInfo::new(&envelope, &body, self.config.name.as_str());
        info.worker_pid = Some(std::process::id());
        Some(info)
    }

    fn running_info(&self, running: &Running) -> Option<TaskInfo> {
        let mut info = self.task_info(&running.message)?;
        #[expect(clippy::cast_precision_loss, reason = "times in ms are far below 2^53")]
        let started = running.started_at_ms as f64 / 1000.0;
        info.started_seconds = Some(started);
        Some(info)
    }
}

impl MonitoredWorker for Shared {
    fn info(&self) -> WorkerInfo {
        self.worker_info()
    }

    fn active(&self) -> Vec<TaskInfo> {
        let Some(session) = self.session() else { return Vec::new() };
        let running = session.slots.iter();
        running.filter_map(|slot| slot.look(|running| self.running_info(running))?).collect()
    }

    fn active_count(&self) -> u64 {
        let Some(session) = self.session() else { return 0 };
        session.slots.iter().filter_map(|slot| slot.look(|_| ())).count() as u64
    }

    fn reserved(&self) -> Vec<TaskInfo> {
        let Some(session) = self.session() else { return Vec::new() };
        let messages = session.buffer.messages();
        messages.iter().filter_map(|message| self.task_info(message)).collect()
    }

    fn registered(&self) -> Vec<String> {
        let mut names: Vec<String> = self.executor.registry.tasks.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    fn totals(&self) -> BTreeMap<String, u64> {
        self.executor.totals.lock().clone()
    }

    fn revoke_waiting(&self, ids: &[&str]) {
        if let Some(session) = self.session() {
            session.revoke_waiting(|task| ids.contains(&task.id.as_str()));
        }
    }

    fn terminate(&self, ids: &[&str]) {
        if let Some(session) = self.session() {
            session.slots.iter().for_each(|slot| slot.revoke_ids(ids));
        }
    }

    fn set_time_limit(&self, task: &str, limit: TimeLimit) -> bool {
        let is_known = self.is_known(task);
        if is_known {
            self.executor.overrides.set_time_limit(task, limit);
        }
        is_known
    }

    fn set_rate_limit(&self, task: &str, limit: Option<RateLimit>) -> bool {
        let is_known = self.is_known(task);
        if is_known {
            self.executor.overrides.set_rate_limit(task, limit);
        }
        is_known
    }

    fn add_queue(&self, queue: &str) {
        let mut queues = self.queues.write();
        if !queues.iter().any(|known| known == queue) {
            *queues = queues.iter().cloned().chain([queue.to_owned()]).collect();
        }
    }

    fn remove_queue(&self, queue: &str) {
        let mut queues = self.queues.write();
        *queues = queues.iter().filter(|known| *known != queue).cloned().collect();
    }

    fn shut_down(&self) {
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM);
    }

    fn events(&self) -> &TaskEvents {
        &self.executor.events
    }
}
