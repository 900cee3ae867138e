//! [`StoredTask`]: one task of the memory broker, in any state.

use std::sync::Arc;

use crate::tasks::brokers::records::{
    ClaimedTask, FinalState, FinishedTask, NewTask, TaskFilter, TaskRecord, TaskState, WorkerId,
};

pub(super) struct StoredTask {
    pub new: NewTask,
    pub state: TaskState,
    pub losses: u32,
    /// Set while a worker has claimed it.
    pub worker: Option<WorkerId>,
    /// The worker that runs it or ran it.
    pub worker_name: Option<Arc<str>>,
    pub started_at_ms: Option<i64>,
    pub finished_at_ms: Option<i64>,
    pub progress: Option<String>,
    pub result: Option<String>,
    pub traceback: Option<String>,
    /// Set if it was revoked while it runs.
    pub is_revoked: bool,
}

impl StoredTask {
    pub fn new(new: NewTask) -> Self {
        Self {
            new,
            state: TaskState::Queued,
            losses: 0,
            worker: None,
            worker_name: None,
            started_at_ms: None,
            finished_at_ms: None,
            progress: None,
            result: None,
            traceback: None,
            is_revoked: false,
        }
    }

    pub fn claim(
        &mut self,
        key: i64,
        worker: WorkerId,
        name: &Arc<str>,
        now_ms: i64,
    ) -> ClaimedTask {
        self.state = TaskState::Running;
        self.worker = Some(worker);
        self.worker_name = Some(name.clone());
        self.started_at_ms = Some(now_ms);
        let NewTask { id, queue, message, .. } = self.new.clone();
        ClaimedTask {
            key,
            id,
            queue,
            priority: self.new.priority,
            created_at_ms: self.new.created_at_ms,
            due_at_ms: self.new.due_at_ms,
            expires_at_ms: self.new.expires_at_ms,
            retries: self.new.retries,
            losses: self.losses,
            message,
        }
    }

    pub fn finish(&mut self, finished: FinishedTask) {
        self.worker = None;
        self.state = match finished.state {
            FinalState::Success => TaskState::Succeeded,
            FinalState::Failure => TaskState::Failed,
            FinalState::Revoked => TaskState::Revoked,
        };
        self.result = Some(finished.result);
        self.traceback = finished.traceback;
        self.started_at_ms = finished.started_at_ms.or(self.started_at_ms);
        self.finished_at_ms = Some(finished.finished_at_ms);
        if !finished.keep_message {
            self.new.message = String::new();
        }
    }

    /// Resets an ended task to the state of one that has never run.
    pub fn reset(&mut self) {
        *self = Self::new(NewTask { retries: 0, due_at_ms: None, ..self.new.clone() });
    }

    pub fn matches(&self, filter: &TaskFilter) -> bool {
        (filter.ids.is_empty() || filter.ids.contains(&self.new.id))
            && filter.wants(self.state)
            && filter.wants_task(&self.new)
    }

    /// Returns the task as clients see it, with its message unless it has none any more.
    pub fn record(&self) -> TaskRecord {
        let NewTask { id, name, queue, parent_id, group, message, .. } = self.new.clone();
        TaskRecord {
            id,
            name,
            queue,
            state: self.state,
            priority: self.new.priority,
            retries: self.new.retries,
            losses: self.losses,
            created_at_ms: self.new.created_at_ms,
            due_at_ms: self.new.due_at_ms,
            started_at_ms: self.started_at_ms,
            finished_at_ms: self.finished_at_ms,
            parent_id,
            group_id: group.map(|group| group.id),
            worker: self.worker_name.as_ref().map(ToString::to_string),
            progress: self.progress.clone(),
            result: self.result.clone(),
            traceback: self.traceback.clone(),
            message: Some(message).filter(|message| !message.is_empty()),
        }
    }
}
