//! The groups of the memory broker.

use std::collections::BTreeMap;

use super::state::State;
use super::stored_task::StoredTask;
use crate::tasks::brokers::records::{
    Batch, FinalState, FinishedTask, GroupMember, NewGroup, NewTask, TaskFilter, TaskState,
};
use crate::tasks::error::{BrokerError, Kind};
use crate::tasks::group::{GroupEnd, GroupFailure, MemberResult, WaitingGroup, removed_member};

/// A group some of whose members have not ended.
pub(super) struct StoredGroup {
    size: u32,
    waiting: WaitingGroup,
    /// The members that have ended, by their index, and their results where they have one.
    ended: BTreeMap<u32, Option<MemberResult>>,
}

impl State {
    pub fn add_group(&mut self, group: &NewGroup, now_ms: i64) -> Result<(), BrokerError> {
        let id = &group.id;
        if self.groups.contains_key(id) {
            let message = format!("a group with the id {id:?} is stored");
            return Err(BrokerError::new(Kind::Duplicate, message));
        }
        self.open_group(group.clone(), now_ms);
        Ok(())
    }

    fn open_group(&mut self, group: NewGroup, now_ms: i64) {
        let (id, size) = (group.id.clone(), group.size);
        let group = StoredGroup { size, waiting: group.into(), ended: BTreeMap::new() };
        self.groups.insert(id.clone(), group);
        self.end_group_if_complete(&id, now_ms);
    }

    /// Enqueues tasks that follow a task or a group, and opens their groups. What is stored already is the same, because its
    /// id was fixed by its sender. Not limited in number: each stands for a task that has ended.
    pub fn follow(&mut self, batch: Batch, now_ms: i64) {
        for group in batch.groups {
            let is_known =
                self.groups.contains_key(&group.id) || self.ids.contains_key(&group.summary.id);
            if !is_known {
                self.open_group(group, now_ms);
            }
        }
        for task in batch.tasks {
            if !self.ids.contains_key(&task.id) {
                self.insert(task, now_ms);
            }
        }
    }

    /// Notes that a member has ended.
    pub fn end_member(&mut self, member: &GroupMember, result: Option<MemberResult>, now_ms: i64) {
        if let Some(group) = self.groups.get_mut(&member.id) {
            group.ended.insert(member.index, result);
            self.end_group_if_complete(&member.id, now_ms);
        }
    }

    /// Notes that a member that had failed runs again.
    pub fn reopen_member(&mut self, member: &GroupMember) {
        self.groups.get_mut(&member.id).map(|group| group.ended.remove(&member.index));
    }

    /// Fails the summary of a group one of whose members will never end.
    pub fn remove_member(&mut self, member: &GroupMember, now_ms: i64) {
        if let Some(group) = self.groups.remove(&member.id) {
            let failure = group.waiting.fail(removed_member(&member.id), now_ms);
            self.fail_group(failure, FinalState::Failure, now_ms);
        }
    }

    /// Returns the summary of a group whose members have not all ended, by the id of the summary, which is the group's too.
    pub fn waiting_summary(&self, id: &str) -> Option<&NewTask> {
        self.groups.get(id).map(|group| &group.waiting.summary).filter(|summary| summary.id == id)
    }

    /// Revokes the summaries with the ids of the filter that wait for their members. Returns their number.
    pub fn revoke_summaries(&mut self, filter: &TaskFilter, now_ms: i64) -> u64 {
        let mut revoked = 0;
        for id in filter.ids.iter().filter(|_| filter.wants(TaskState::Scheduled)) {
            let Some(summary) = self.waiting_summary(id).cloned() else { continue };
            if filter.wants_task(&summary)
                && let Some(group) = self.groups.remove(id)
            {
                let failure = group.waiting.fail(crate::tasks::group::revoked(), now_ms);
                self.fail_group(failure, FinalState::Revoked, now_ms);
                revoked += 1;
            }
        }
        revoked
    }

    fn end_group_if_complete(&mut self, id: &str, now_ms: i64) {
        let is_complete = |group: &StoredGroup| group.ended.len() >= group.size as usize;
        if !self.groups.get(id).is_some_and(is_complete) {
            return;
        }
        let Some(group) = self.groups.remove(id) else { return };
        let results: Vec<MemberResult> = group.ended.into_values().flatten().collect();
        match group.waiting.end(group.size, &results, now_ms) {
            GroupEnd::Enqueue(batch) => self.follow(batch, now_ms),
            GroupEnd::Fail(failure) => self.fail_group(failure, FinalState::Failure, now_ms),
        }
    }

    /// Ends the summary of a group in `state`, and what would have followed it as failed.
    fn fail_group(&mut self, failure: GroupFailure, mut state: FinalState, now_ms: i64) {
        let GroupFailure { tasks, exception, errbacks } = failure;
        for task in tasks {
            let end = std::mem::replace(&mut state, FinalState::Failure);
            self.end_summary(task, (end, exception.clone()), now_ms);
        }
        self.follow(errbacks, now_ms);
    }

    /// Stores the end of a task that was never enqueued, such as a summary: its state and its exception.
    pub fn end_summary(
        &mut self,
        summary: NewTask,
        (state, exception): (FinalState, String),
        now_ms: i64,
    ) {
        if self.ids.contains_key(&summary.id) {
            return;
        }
        let key = self.store(summary);
        self.finish(
            key,
            FinishedTask {
                state,
                result: exception,
                traceback: None,
                started_at_ms: None,
                finished_at_ms: now_ms,
                // It lacks the results of the members, so it could not be run again.
                keep_message: false,
            },
        );
    }
}

/// Returns the place of a task in its group and its result, if it is a member that has ended.
pub(super) fn member_result(task: &StoredTask) -> Option<(GroupMember, MemberResult)> {
    let member = task.new.group.clone()?;
    let state = match task.state {
        TaskState::Succeeded => FinalState::Success,
        TaskState::Failed => FinalState::Failure,
        TaskState::Revoked => FinalState::Revoked,
        _ => return None,
    };
    let result = task.result.clone().unwrap_or_default();
    let result = MemberResult { id: task.new.id.clone(), index: member.index, state, result };
    Some((member, result))
}
