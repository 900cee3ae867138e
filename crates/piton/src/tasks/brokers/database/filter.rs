//! Turns a [`TaskFilter`] into conditions on the tables.

use super::super::records::{TaskFilter, TaskState};
use super::groups::state;
use super::state_sql::StateSql;
use crate::db::Where;

/// Returns the conditions on `piton_tasks`, or `None` if the filter wants only tasks that have ended.
pub(in crate::tasks::brokers) fn unfinished(filter: &TaskFilter, sql: &StateSql) -> Option<Where> {
    let wants = |state| filter.states.contains(&state);
    let conditions = common(filter);
    if filter.states.is_empty() {
        return Some(conditions);
    }
    let [queued, scheduled, retrying, claimed] =
        [TaskState::Queued, TaskState::Scheduled, TaskState::Retrying, TaskState::Running]
            .map(wants);
    let stored = match (queued, scheduled || retrying, claimed) {
        (false, false, false) => return None,
        (true, false, false) => sql.is_ready,
        (false, true, false) => "state = 1",
        (false, false, true) => sql.is_running,
        (true, true, false) => sql.is_waiting,
        (true, false, true) => "state <> 1",
        (false, true, true) => sql.is_not_ready,
        (true, true, true) => "state >= 0",
    };
    let conditions = conditions.and(stored);
    Some(match (scheduled, retrying) {
        (true, false) => conditions.and("(state <> 1 OR error IS NULL OR retries = 0)"),
        (false, true) => conditions.and("(state <> 1 OR (error IS NOT NULL AND retries > 0))"),
        _ => conditions,
    })
}

/// The final states that a filter wants, as they are stored.
pub(in crate::tasks::brokers) fn final_states(filter: &TaskFilter) -> Vec<i64> {
    let stored = [
        (TaskState::Succeeded, state::SUCCESS),
        (TaskState::Failed, state::FAILURE),
        (TaskState::Revoked, state::REVOKED),
    ];
    let wanted = stored
        .iter()
        .filter(|(state, _)| filter.states.is_empty() || filter.states.contains(state));
    wanted.map(|(_, stored)| *stored).collect()
}

/// Returns the conditions that both tables have columns for.
pub(in crate::tasks::brokers) fn common(filter: &TaskFilter) -> Where {
    Where::new()
        .one_of("id", some(&filter.ids))
        .one_of("name", some(&filter.names))
        .one_of("queue", some(&filter.queues))
        .equal("parent_id", filter.parent_id.as_deref())
        .below("created_at_ms", filter.created_before_ms)
}

/// Returns the texts, or `None` for an empty list, which is no condition.
fn some(texts: &[String]) -> Option<impl Iterator<Item = &str>> {
    (!texts.is_empty()).then(|| texts.iter().map(String::as_str))
}

/// Returns the limit as a parameter: all rows, if the filter has none.
pub(in crate::tasks::brokers) fn limit(filter: &TaskFilter) -> i64 {
    match filter.limit {
        0 => i64::MAX,
        limit => i64::try_from(limit).unwrap_or(i64::MAX),
    }
}
