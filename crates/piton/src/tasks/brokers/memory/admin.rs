//! The questions and commands of operators to the memory broker.

use super::MemoryBroker;
use super::state::State;
use super::stored_task::StoredTask;
use crate::tasks::brokers::records::{QueueStats, TaskFilter, TaskRecord, TaskState, WorkerInfo};
use crate::tasks::brokers::{Call, TaskAdmin};

impl TaskAdmin for MemoryBroker {
    fn task<'a>(&'a self, id: &'a str) -> Call<'a, Option<TaskRecord>> {
        self.call(move |state, _| {
            let key = state.ids.get(id);
            let task = key.and_then(|key| state.tasks.get(key)).map(|task| task.record());
            let summary = || state.waiting_summary(id).cloned();
            Ok(task.or_else(|| summary().map(TaskRecord::of_waiting_summary)))
        })
    }

    fn list<'a>(&'a self, filter: &'a TaskFilter) -> Call<'a, Vec<TaskRecord>> {
        self.call(move |state, _| {
            let keys = state.matching(filter);
            let tasks = keys.iter().filter_map(|key| state.tasks.get(key));
            Ok(tasks.map(|task| TaskRecord { message: None, ..task.record() }).collect())
        })
    }

    fn revoke<'a>(&'a self, filter: &'a TaskFilter) -> Call<'a, u64> {
        self.call(move |state, now_ms| {
            let tasks = state.count(filter, |state, key| state.revoke(key, now_ms));
            Ok(tasks + state.revoke_summaries(filter, now_ms))
        })
    }

    fn retry<'a>(&'a self, filter: &'a TaskFilter) -> Call<'a, u64> {
        self.call(move |state, now_ms| {
            Ok(state.count(filter, |state, key| state.retry(key, now_ms)))
        })
    }

    fn purge<'a>(&'a self, filter: &'a TaskFilter) -> Call<'a, u64> {
        self.call(move |state, now_ms| {
            Ok(state.count(filter, |state, key| state.purge(key, now_ms)))
        })
    }

    fn pause<'a>(&'a self, queue: &'a str, paused: bool) -> Call<'a, ()> {
        self.call(move |state, _| {
            if paused {
                state.paused.insert(queue.to_owned());
            } else {
                state.has_news |= state.paused.remove(queue);
            }
            Ok(())
        })
    }

    fn queues(&self) -> Call<'_, Vec<QueueStats>> {
        self.call(move |state, now_ms| Ok(state.queues(now_ms)))
    }

    fn workers(&self) -> Call<'_, Vec<WorkerInfo>> {
        self.call(move |state, now_ms| Ok(state.workers(now_ms)))
    }
}

impl State {
    /// Returns the keys of the tasks that `filter` chooses, the newest first.
    fn matching(&self, filter: &TaskFilter) -> Vec<i64> {
        let limit = if filter.limit == 0 { usize::MAX } else { filter.limit };
        let tasks = self.tasks.iter().rev().filter(|(_, task)| task.matches(filter));
        tasks.map(|(key, _)| *key).take(limit).collect()
    }

    /// Changes the tasks that `filter` chooses. Returns how many `change` has changed.
    fn count(
        &mut self,
        filter: &TaskFilter,
        mut change: impl FnMut(&mut Self, i64) -> bool,
    ) -> u64 {
        let keys = self.matching(filter);
        keys.into_iter().filter(|key| change(self, *key)).count() as u64
    }

    fn purge(&mut self, key: i64, now_ms: i64) -> bool {
        let is_running = |task: &StoredTask| task.state == TaskState::Running;
        if self.tasks.get(&key).is_none_or(is_running) {
            return false;
        }
        let removed = self.remove(key).filter(|task| !task.state.is_final());
        let group = removed.and_then(|task| task.new.group);
        group.into_iter().for_each(|member| self.remove_member(&member, now_ms));
        true
    }
}
