//! The groups of the memory broker.

use std::collections::BTreeMap;

use super::state::State;
use super::stored_task::StoredTask;
use crate::tasks::brokers::records::{
    FinalState, FinishedTask, GroupMember, NewGroup, NewTask, TaskFilter, TaskState,
};
use crate::tasks::error::{BrokerError, Kind};
use crate::tasks::group::{MemberResult, Summary, removed_member, summarize};

/// A group some of whose members have not ended.
pub(super) struct StoredGroup {
    size: u32,
    summary: NewTask,
    /// The members that have ended, by their index, and their results where they have one.
    ended: BTreeMap<u32, Option<MemberResult>>,
}

impl State {
    pub fn add_group(&mut self, group: &NewGroup, now_ms: i64) -> Result<(), BrokerError> {
        let NewGroup { id, size, summary } = group.clone();
        if self.groups.contains_key(&id) {
            let message = format!("a group with the id {id:?} is stored");
            return Err(BrokerError::new(Kind::Duplicate, message));
        }
        self.groups.insert(id.clone(), StoredGroup { size, summary, ended: BTreeMap::new() });
        self.end_group_if_complete(&id, now_ms);
        Ok(())
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
            let end = (FinalState::Failure, removed_member(&member.id));
            self.end_summary(group.summary, end, now_ms);
        }
    }

    /// Returns the summary of a group whose members have not all ended, by the id of the summary, which is the group's too.
    pub fn waiting_summary(&self, id: &str) -> Option<&NewTask> {
        self.groups.get(id).map(|group| &group.summary).filter(|summary| summary.id == id)
    }

    /// Revokes the summaries with the ids of the filter that wait for their members. Returns their number.
    pub fn revoke_summaries(&mut self, filter: &TaskFilter, now_ms: i64) -> u64 {
        let mut revoked = 0;
        for id in filter.ids.iter().filter(|_| filter.wants(TaskState::Scheduled)) {
            let Some(summary) = self.waiting_summary(id).cloned() else { continue };
            if filter.wants_task(&summary) {
                self.groups.remove(id);
                let end = (FinalState::Revoked, crate::tasks::group::revoked());
                self.end_summary(summary, end, now_ms);
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
        match summarize(group.summary.clone(), group.size, &results) {
            Summary::Enqueue(summary) if self.ids.contains_key(&summary.id) => {}
            Summary::Enqueue(summary) => self.insert(*summary, now_ms),
            Summary::Fail(exception) => {
                self.end_summary(group.summary, (FinalState::Failure, exception), now_ms);
            }
        }
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
