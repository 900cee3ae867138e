//! The values that go into a broker and come out of it.
//!
//! Times are milliseconds since 1970 in UTC, because every broker stores integers and none agrees about dates.

use piton_celery::Signature;
use serde::{Deserialize, Serialize};

/// The lease of one worker process. Never used again, so that it also fences: what is settled under an id that has
/// expired is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct WorkerId(pub i64);

/// A task to enqueue. As JSON it waits for the end of its group, if it is a summary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct NewTask {
    /// Unique over all tasks: a second task with the same id is refused.
    pub id: String,
    pub name: String,
    pub queue: String,
    /// 0 is first, 9 is last.
    pub priority: u8,
    pub created_at_ms: i64,
    /// The time before which it must not start.
    pub due_at_ms: Option<i64>,
    /// The time after which it is not started any more.
    pub expires_at_ms: Option<i64>,
    /// Attempts that came before.
    pub retries: u32,
    pub parent_id: Option<String>,
    pub group: Option<GroupMember>,
    /// True if the sender wants no result. The message says so, too.
    #[serde(default)]
    pub ignore_result: bool,
    /// The whole message in Celery's protocol 2, as JSON.
    pub message: String,
}

/// The place of a task in a group whose summary runs after all members.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct GroupMember {
    pub id: String,
    pub index: u32,
}

/// A group whose members are about to be enqueued in the same call. As JSON it waits in the outbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct NewGroup {
    pub id: String,
    pub size: u32,
    /// The task that gets the members' results, without them. If `body` is a group or a chord, this is a record of its id
    /// that never runs.
    pub summary: NewTask,
    /// The signature of which the summary is made. `None` if the summary's own message is complete but for the results.
    pub body: Option<Box<Signature>>,
    /// The arrangement of the results. `None` is a flat list in the order of the indices.
    pub shape: Option<ResultShape>,
}

/// The arrangement of the results of a group's members: a task is written as its id, a nested group as a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum ResultShape {
    Task(String),
    Group(Vec<ResultShape>),
}

/// Tasks to enqueue, and the groups that have members among them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Batch {
    pub tasks: Vec<NewTask>,
    /// A group stands before those whose summaries are its members.
    pub groups: Vec<NewGroup>,
}

/// The tasks of one claim.
#[derive(Debug, Default)]
pub(crate) struct ClaimedBatch {
    pub tasks: Vec<ClaimedTask>,
    /// The time at which the next task becomes due in these queues, if the broker knows.
    pub next_due_at_ms: Option<i64>,
}

/// A task that a worker has claimed.
#[derive(Clone, Debug)]
pub(crate) struct ClaimedTask {
    /// Identifies the stored task for its settlement.
    pub key: i64,
    pub id: String,
    pub queue: String,
    pub priority: u8,
    pub created_at_ms: i64,
    pub due_at_ms: Option<i64>,
    pub expires_at_ms: Option<i64>,
    /// Attempts that ended in a retry. It replaces the number in the message.
    pub retries: u32,
    /// Number of workers that had claimed it and died or were cut off.
    pub losses: u32,
    pub message: String,
}

/// The end of a claim.
#[derive(Clone, Debug)]
pub(crate) struct Settlement {
    pub key: i64,
    pub id: String,
    pub outcome: Outcome,
    /// Tasks to enqueue in the same transaction. Not enqueued if the settlement is fenced.
    pub follow_ups: Vec<NewTask>,
    /// Groups that are opened in the same transaction, with members among the follow-ups.
    pub groups: Vec<NewGroup>,
    /// Tasks that will never be sent, because this one has failed: the rest of its chain. They fail with its result, so
    /// that those who wait for them learn of it.
    pub abandoned: Vec<NewTask>,
}

impl Settlement {
    /// Returns the tasks that fail with this one, with the exception.
    pub fn failures(&self) -> impl Iterator<Item = (&NewTask, &str)> {
        let result = match &self.outcome {
            Outcome::Finished(Some(finished)) => finished.result.as_str(),
            _ => "null",
        };
        self.abandoned.iter().map(move |task| (task, result))
    }
}

/// The outcome of a claimed task.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// It has ended, and its result is stored unless `None`.
    Finished(Option<FinishedTask>),
    /// It runs again.
    Rescheduled {
        due_at_ms: i64,
        /// Attempts so far.
        retries: u32,
        /// The error of the attempt, as JSON of an exception. `None` where it is no failure (snooze).
        error: Option<String>,
    },
    /// It is given back as it was, at the head of its queue.
    Released,
}

/// The result of a task.
#[derive(Clone, Debug)]
pub(crate) struct FinishedTask {
    pub state: FinalState,
    /// The returned value as JSON, or the exception.
    pub result: String,
    pub traceback: Option<String>,
    pub started_at_ms: Option<i64>,
    pub finished_at_ms: i64,
    /// Set if the message is stored with the result, so that the task can be run again.
    pub keep_message: bool,
}

/// The final states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FinalState {
    Success,
    Failure,
    Revoked,
}

/// The result of [`settle`](super::Broker::settle).
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// Keys of settlements that were not applied.
    pub fenced: Vec<i64>,
}

/// The state of a stored task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TaskState {
    /// Waits for a worker.
    Queued,
    /// Waits for its time.
    Scheduled,
    /// Waits for its time after an attempt that failed.
    Retrying,
    /// A worker has claimed it.
    Running,
    Succeeded,
    Failed,
    Revoked,
}

impl TaskState {
    /// All states, in the order in which a task passes them.
    pub const ALL: [Self; 7] = [
        Self::Queued,
        Self::Scheduled,
        Self::Retrying,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::Revoked,
    ];

    /// Returns the name that commands, filters and JSON use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Scheduled => "scheduled",
            Self::Retrying => "retrying",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Revoked => "revoked",
        }
    }

    /// Returns whether the task has ended.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Revoked)
    }
}

/// A task as clients and operators see it.
#[derive(Clone, Debug)]
pub(crate) struct TaskRecord {
    pub id: String,
    pub name: String,
    pub queue: String,
    pub state: TaskState,
    pub priority: u8,
    pub retries: u32,
    pub losses: u32,
    pub created_at_ms: i64,
    pub due_at_ms: Option<i64>,
    pub started_at_ms: Option<i64>,
    pub finished_at_ms: Option<i64>,
    pub parent_id: Option<String>,
    pub group_id: Option<String>,
    /// The worker that runs it or ran it.
    pub worker: Option<String>,
    /// JSON of what the task reported last.
    pub progress: Option<String>,
    /// JSON of the result; of an unfinished task that failed before, its last exception.
    pub result: Option<String>,
    pub traceback: Option<String>,
    /// `None` in lists, and after a success.
    pub message: Option<String>,
}

impl TaskRecord {
    /// Returns the record of a group's summary that waits for the members.
    pub fn of_waiting_summary(summary: NewTask) -> Self {
        Self {
            id: summary.id,
            name: summary.name,
            queue: summary.queue,
            state: TaskState::Scheduled,
            priority: summary.priority,
            retries: summary.retries,
            losses: 0,
            created_at_ms: summary.created_at_ms,
            due_at_ms: summary.due_at_ms,
            started_at_ms: None,
            finished_at_ms: None,
            parent_id: summary.parent_id,
            group_id: summary.group.map(|group| group.id),
            worker: None,
            progress: None,
            result: None,
            traceback: None,
            message: Some(summary.message),
        }
    }
}

/// Chooses tasks. Every condition that is set must hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskFilter {
    pub ids: Vec<String>,
    pub states: Vec<TaskState>,
    pub names: Vec<String>,
    pub queues: Vec<String>,
    pub parent_id: Option<String>,
    pub created_before_ms: Option<i64>,
    /// Maximum number of tasks; 0 means all.
    pub limit: usize,
}

impl TaskFilter {
    /// Returns whether tasks in this state are wanted.
    pub fn wants(&self, state: TaskState) -> bool {
        self.states.is_empty() || self.states.contains(&state)
    }

    /// Returns whether a task is wanted, whatever its id and its state.
    pub fn wants_task(&self, task: &NewTask) -> bool {
        let is_among = |names: &[String], name| names.is_empty() || names.contains(name);
        is_among(&self.names, &task.name)
            && is_among(&self.queues, &task.queue)
            && (self.parent_id.is_none() || self.parent_id == task.parent_id)
            && self.created_before_ms.is_none_or(|before| task.created_at_ms < before)
    }
}

/// The numbers of one queue.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct QueueStats {
    pub queue: String,
    pub queued: u64,
    pub scheduled: u64,
    pub running: u64,
    /// The age of the oldest task that is ready, since it became so or was enqueued.
    pub oldest_ms: Option<i64>,
    pub is_paused: bool,
}

/// A worker process, as operators see it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WorkerInfo {
    /// Such as `registry@host:4711`.
    pub name: String,
    pub queues: Vec<String>,
    pub concurrency: u32,
    pub started_at_ms: i64,
}

/// The stored state of a schedule.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CronRecord {
    pub name: String,
    pub last_tick_ms: i64,
    pub is_paused: bool,
}

/// The numbers of the outbox.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct OutboxStats {
    /// Upper bound of the waiting entries: the distance between the lowest and the highest id, which includes ids of
    /// transactions that were rolled back.
    pub waiting: u64,
    /// The age of the oldest one.
    pub oldest_ms: Option<i64>,
    /// Refused entries.
    pub refused: u64,
}

/// A refused task of the outbox.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RefusedTask {
    pub id: String,
    pub name: String,
    pub queue: String,
    pub created_at_ms: i64,
    pub reason: String,
}
