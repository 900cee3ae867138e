//! The state of the memory broker: plain maps, which its lock makes atomic.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::MemoryLimits;
use super::groups::{StoredGroup, member_result};
use super::stored_task::StoredTask;
use crate::tasks::brokers::records::{
    Batch, ClaimedBatch, CronRecord, FinalState, FinishedTask, NewGroup, NewTask, Outcome,
    QueueStats, Settled, Settlement, TaskState, WorkerId, WorkerInfo,
};
use crate::tasks::clock::millis;
use crate::tasks::error::{BrokerError, Kind};
use crate::tasks::group::abandoned_by;

pub(super) struct State {
    limits: MemoryLimits,
    last_key: i64,
    last_worker: i64,
    /// The size of all messages.
    bytes: usize,
    /// All tasks, in the order in which they were enqueued.
    pub tasks: BTreeMap<i64, StoredTask>,
    pub ids: HashMap<String, i64>,
    /// Priority and key of the tasks that are ready, by queue.
    ready: HashMap<String, BTreeSet<(u8, i64)>>,
    /// Time and key of the tasks that wait for their time.
    due: BTreeSet<(i64, i64)>,
    /// Time and key of the tasks that have ended.
    finished: BTreeSet<(i64, i64)>,
    workers: BTreeMap<i64, Registration>,
    pub paused: HashSet<String>,
    pub crons: BTreeMap<String, CronRecord>,
    pub groups: HashMap<String, StoredGroup>,
    /// Set when a claim may find something that it did not before.
    pub has_news: bool,
}

struct Registration {
    info: WorkerInfo,
    name: Arc<str>,
    expires_at_ms: i64,
    claimed: BTreeSet<i64>,
}

impl State {
    pub fn new(limits: MemoryLimits) -> Self {
        Self {
            limits,
            last_key: 0,
            last_worker: 0,
            bytes: 0,
            tasks: BTreeMap::new(),
            ids: HashMap::new(),
            ready: HashMap::new(),
            due: BTreeSet::new(),
            finished: BTreeSet::new(),
            workers: BTreeMap::new(),
            paused: HashSet::new(),
            crons: BTreeMap::new(),
            groups: HashMap::new(),
            has_news: false,
        }
    }

    pub fn enqueue(
        &mut self,
        tasks: &[NewTask],
        group: Option<&NewGroup>,
        now_ms: i64,
    ) -> Result<(), BrokerError> {
        self.check_room(tasks)?;
        self.check_ids(tasks)?;
        group.map_or(Ok(()), |group| self.add_group(group, now_ms))?;
        tasks.iter().for_each(|task| self.insert(task.clone(), now_ms));
        Ok(())
    }

    fn check_room(&self, tasks: &[NewTask]) -> Result<(), BrokerError> {
        let bytes: usize = tasks.iter().map(|task| task.message.len()).sum();
        let unfinished = self.tasks.len() - self.finished.len();
        let fits = unfinished + tasks.len() <= self.limits.max_tasks
            && self.bytes + bytes <= self.limits.max_bytes;
        if fits {
            return Ok(());
        }
        Err(BrokerError::new(Kind::Unavailable, "the memory for tasks is full"))
    }

    fn check_ids(&self, tasks: &[NewTask]) -> Result<(), BrokerError> {
        let mut new = HashSet::with_capacity(tasks.len());
        for NewTask { id, .. } in tasks {
            if self.ids.contains_key(id) || !new.insert(id) {
                let message = format!("a task with the id {id:?} is stored");
                return Err(BrokerError::new(Kind::Duplicate, message));
            }
        }
        Ok(())
    }

    pub fn insert(&mut self, task: NewTask, now_ms: i64) {
        let key = self.store(task);
        self.make_ready_or_due(key, now_ms);
    }

    /// Stores a task that no queue has yet. Returns its key.
    pub fn store(&mut self, task: NewTask) -> i64 {
        self.last_key += 1;
        let key = self.last_key;
        self.bytes += task.message.len();
        self.ids.insert(task.id.clone(), key);
        self.tasks.insert(key, StoredTask::new(task));
        key
    }

    /// Puts an unclaimed task where its time says.
    fn make_ready_or_due(&mut self, key: i64, now_ms: i64) {
        let Some(task) = self.tasks.get_mut(&key) else { return };
        (task.worker, task.worker_name) = (None, None);
        match task.new.due_at_ms.filter(|due_at_ms| *due_at_ms > now_ms) {
            Some(due_at_ms) => {
                // A task that failed stays recognisable while it waits for its next attempt.
                let has_failed = task.result.is_some();
                task.state = if has_failed { TaskState::Retrying } else { TaskState::Scheduled };
                self.due.insert((due_at_ms, key));
            }
            None => {
                task.state = TaskState::Queued;
                let queue = self.ready.entry(task.new.queue.clone()).or_default();
                queue.insert((task.new.priority, key));
                self.has_news = true;
            }
        }
    }

    pub fn register(&mut self, info: &WorkerInfo, lease: Duration, now_ms: i64) -> WorkerId {
        self.last_worker += 1;
        let registration = Registration {
            info: info.clone(),
            name: info.name.as_str().into(),
            expires_at_ms: now_ms.saturating_add(millis(lease)),
            claimed: BTreeSet::new(),
        };
        self.workers.insert(self.last_worker, registration);
        WorkerId(self.last_worker)
    }

    pub fn renew(&mut self, worker: WorkerId, lease: Duration, now_ms: i64) -> Option<Vec<i64>> {
        let registration = self.workers.get_mut(&worker.0)?;
        registration.expires_at_ms = now_ms.saturating_add(millis(lease));
        let is_revoked = |key: &&i64| self.tasks.get(key).is_some_and(|task| task.is_revoked);
        Some(registration.claimed.iter().filter(is_revoked).copied().collect())
    }

    pub fn unregister(&mut self, worker: WorkerId, now_ms: i64) {
        let Some(registration) = self.workers.remove(&worker.0) else { return };
        registration.claimed.into_iter().for_each(|key| self.release(key, now_ms));
    }

    pub fn workers(&self, now_ms: i64) -> Vec<WorkerInfo> {
        let live = self.workers.values().filter(|worker| worker.expires_at_ms > now_ms);
        live.map(|worker| worker.info.clone()).collect()
    }

    /// Gives a task back that is no longer claimed. One that was revoked meanwhile ends.
    fn release(&mut self, key: i64, now_ms: i64) {
        if self.tasks.get(&key).is_some_and(|task| task.is_revoked) {
            self.end_revoked(key, now_ms);
        } else {
            self.make_ready_or_due(key, now_ms);
        }
    }

    pub fn release_lost(&mut self, now_ms: i64) -> u64 {
        let is_lost = |_: &i64, worker: &mut Registration| worker.expires_at_ms <= now_ms;
        let lost: Vec<_> = self.workers.extract_if(.., is_lost).collect();
        let keys: Vec<i64> = lost.into_iter().flat_map(|(_, worker)| worker.claimed).collect();
        for key in &keys {
            if let Some(task) = self.tasks.get_mut(key) {
                task.losses += 1;
            }
            self.release(*key, now_ms);
        }
        keys.len() as u64
    }

    pub fn claim(
        &mut self,
        worker: WorkerId,
        queues: &[String],
        max: usize,
        now_ms: i64,
    ) -> ClaimedBatch {
        self.make_due_ready(now_ms);
        let mut batch = ClaimedBatch::default();
        if !self.workers.contains_key(&worker.0) {
            return batch;
        }
        while batch.tasks.len() < max
            && let Some(key) = self.pop_ready(queues)
        {
            let Some(registration) = self.workers.get_mut(&worker.0) else { break };
            let Some(task) = self.tasks.get_mut(&key) else { continue };
            registration.claimed.insert(key);
            batch.tasks.push(task.claim(key, worker, &registration.name, now_ms));
        }
        batch.next_due_at_ms = self.next_due_at_ms(queues);
        batch
    }

    fn make_due_ready(&mut self, now_ms: i64) {
        while let Some(&(due_at_ms, key)) = self.due.first()
            && due_at_ms <= now_ms
        {
            self.due.pop_first();
            self.make_ready_or_due(key, now_ms);
        }
    }

    fn pop_ready(&mut self, queues: &[String]) -> Option<i64> {
        let (first, queue) = self.first_ready(queues)?;
        self.ready.get_mut(queue)?.remove(&first);
        Some(first.1)
    }

    pub fn has_ready(&self, queues: &[String]) -> bool {
        self.first_ready(queues).is_some()
    }

    /// Returns priority and key of the first task that is ready, and its queue.
    fn first_ready<'a>(&self, queues: &'a [String]) -> Option<((u8, i64), &'a String)> {
        let is_open = |queue: &&String| !self.paused.contains(*queue);
        let first = |queue| Some((*self.ready.get(queue)?.first()?, queue));
        queues.iter().filter(is_open).filter_map(first).min()
    }

    fn next_due_at_ms(&self, queues: &[String]) -> Option<i64> {
        let is_ours = |key| Some(queues.contains(&self.tasks.get(key)?.new.queue));
        let mut ours = self.due.iter().filter(|(_, key)| is_ours(key) == Some(true));
        ours.next().map(|(due_at_ms, _)| *due_at_ms)
    }

    pub fn settle(
        &mut self,
        worker: WorkerId,
        settlements: Vec<Settlement>,
        now_ms: i64,
    ) -> Settled {
        let mut settled = Settled::default();
        for settlement in settlements {
            let failures: Vec<(NewTask, String)> = settlement
                .failures()
                .map(|(task, exception)| (task.clone(), exception.to_owned()))
                .collect();
            let Settlement { key, outcome, follow_ups, groups, .. } = settlement;
            let registration = self.workers.get_mut(&worker.0);
            if !registration.is_some_and(|registration| registration.claimed.remove(&key)) {
                settled.fenced.push(key);
                continue;
            }
            self.apply(key, outcome, now_ms);
            for (task, exception) in failures {
                self.end_summary(task, (FinalState::Failure, exception), now_ms);
            }
            self.follow(Batch { tasks: follow_ups, groups }, now_ms);
        }
        settled
    }

    fn apply(&mut self, key: i64, outcome: Outcome, now_ms: i64) {
        match outcome {
            Outcome::Finished(Some(finished)) => self.finish(key, finished),
            Outcome::Finished(None) => {
                let group = self.remove(key).and_then(|task| task.new.group);
                group.into_iter().for_each(|member| self.end_member(&member, None, now_ms));
            }
            Outcome::Released => self.release(key, now_ms),
            Outcome::Rescheduled { due_at_ms, retries, error } => {
                if let Some(task) = self.tasks.get_mut(&key) {
                    task.new.due_at_ms = Some(due_at_ms);
                    task.new.retries = retries;
                    task.result = error;
                }
                self.release(key, now_ms);
            }
        }
    }

    /// Stores the result of a task that is no longer claimed.
    pub fn finish(&mut self, key: i64, finished: FinishedTask) {
        let Some(task) = self.tasks.get_mut(&key) else { return };
        let now_ms = finished.finished_at_ms;
        self.bytes -= task.new.message.len();
        self.finished.insert((now_ms, key));
        task.finish(finished);
        self.bytes += task.new.message.len();
        if let Some((member, result)) = member_result(task) {
            self.end_member(&member, Some(result), now_ms);
        }
        if self.finished.len() > self.limits.max_results
            && let Some(&(_, oldest)) = self.finished.first()
        {
            self.remove(oldest);
        }
    }

    /// Takes a task that is not claimed out of all maps but those of all tasks.
    pub fn detach(&mut self, key: i64) {
        let Some(task) = self.tasks.get(&key) else { return };
        let StoredTask { new, finished_at_ms, .. } = task;
        if let Some(queue) = self.ready.get_mut(&new.queue) {
            queue.remove(&(new.priority, key));
        }
        new.due_at_ms.map(|due_at_ms| self.due.remove(&(due_at_ms, key)));
        finished_at_ms.map(|finished_at_ms| self.finished.remove(&(finished_at_ms, key)));
    }

    pub fn remove(&mut self, key: i64) -> Option<StoredTask> {
        self.detach(key);
        let task = self.tasks.remove(&key)?;
        self.bytes -= task.new.message.len();
        self.ids.remove(&task.new.id);
        Some(task)
    }

    /// Revokes a task that has not ended. Returns whether it had not.
    pub fn revoke(&mut self, key: i64, now_ms: i64) -> bool {
        let Some(task) = self.tasks.get_mut(&key) else { return false };
        if task.state.is_final() {
            return false;
        }
        if task.state == TaskState::Running {
            task.is_revoked = true;
        } else {
            self.detach(key);
            self.end_revoked(key, now_ms);
        }
        true
    }

    /// Ends a revoked task that does not run, and the rest of its chain.
    fn end_revoked(&mut self, key: i64, now_ms: i64) {
        let message = self.tasks.get(&key).map(|task| task.new.message.clone()).unwrap_or_default();
        let end = revoked(now_ms);
        let exception = end.result.clone();
        self.finish(key, end);
        for task in abandoned_by(&message, now_ms) {
            self.end_summary(task, (FinalState::Failure, exception.clone()), now_ms);
        }
    }

    /// Enqueues a failed or revoked task again. Returns whether it was one.
    pub fn retry(&mut self, key: i64, now_ms: i64) -> bool {
        let Some(task) = self.tasks.get(&key) else { return false };
        let has_failed = matches!(task.state, TaskState::Failed | TaskState::Revoked);
        if !has_failed || task.new.message.is_empty() {
            return false;
        }
        let group = task.new.group.clone();
        group.into_iter().for_each(|member| self.reopen_member(&member));
        self.detach(key);
        self.tasks.get_mut(&key).into_iter().for_each(StoredTask::reset);
        self.make_ready_or_due(key, now_ms);
        true
    }

    pub fn report_progress(&mut self, worker: WorkerId, progress: &[(i64, String)]) {
        for (key, progress) in progress {
            let task = self.tasks.get_mut(key).filter(|task| task.worker == Some(worker));
            task.into_iter().for_each(|task| task.progress = Some(progress.clone()));
        }
    }

    pub fn expire_results(&mut self, successes: Duration, failures: Duration, now_ms: i64) -> u64 {
        let is_old = |(finished_at_ms, key): &&(i64, i64)| {
            let has_failed =
                self.tasks.get(key).is_some_and(|task| task.state == TaskState::Failed);
            let retention = if has_failed { failures } else { successes };
            finished_at_ms.saturating_add(millis(retention)) <= now_ms
        };
        let old: Vec<i64> = self.finished.iter().filter(is_old).map(|(_, key)| *key).collect();
        old.iter().filter_map(|key| self.remove(*key)).count() as u64
    }

    /// Returns the numbers of every queue that has tasks or is paused.
    pub fn queues(&self, now_ms: i64) -> Vec<QueueStats> {
        let mut queues: BTreeMap<&str, QueueStats> = BTreeMap::new();
        self.paused.iter().for_each(|queue| queues.entry(queue).or_default().is_paused = true);
        for task in self.tasks.values().filter(|task| !task.state.is_final()) {
            count(queues.entry(&task.new.queue).or_default(), task, now_ms);
        }
        let named = |(queue, stats): (&str, _)| QueueStats { queue: queue.to_owned(), ..stats };
        queues.into_iter().map(named).collect()
    }
}

fn count(stats: &mut QueueStats, task: &StoredTask, now_ms: i64) {
    let NewTask { created_at_ms, due_at_ms, .. } = task.new;
    // A task is ready at its time, not at the next claim.
    let is_due = due_at_ms.is_none_or(|due_at_ms| due_at_ms <= now_ms);
    if task.state == TaskState::Running {
        stats.running += 1;
    } else if is_due {
        stats.queued += 1;
        let age_ms = now_ms - due_at_ms.unwrap_or(created_at_ms).max(created_at_ms);
        stats.oldest_ms = stats.oldest_ms.max(Some(age_ms));
    } else {
        stats.scheduled += 1;
    }
}

/// Returns the result of a task that was revoked before it had ended.
fn revoked(now_ms: i64) -> FinishedTask {
    FinishedTask {
        state: FinalState::Revoked,
        result: crate::tasks::group::revoked(),
        traceback: None,
        started_at_ms: None,
        finished_at_ms: now_ms,
        keep_message: true,
    }
}
