//! [`StoredRecord`]: what is known of a task, in the place and the form of Celery's results.

use chrono::{DateTime, SecondsFormat, Utc};
use piton_celery::{TaskResult, python_json};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::tasks::brokers::records::{
    ClaimedTask, FinalState, FinishedTask, NewTask, TaskFilter, TaskRecord, TaskState,
};

pub(super) const PENDING: &str = "PENDING";
pub(super) const STARTED: &str = "STARTED";
pub(super) const RETRY: &str = "RETRY";
pub(super) const SUCCESS: &str = "SUCCESS";
pub(super) const FAILURE: &str = "FAILURE";
pub(super) const REVOKED: &str = "REVOKED";

/// The state of a task that has reported its progress, by the custom of Celery's users.
pub(super) const PROGRESS: &str = "PROGRESS";

/// A record under `celery-task-meta-<id>`. Python reads it as the result of the task; it is written from the moment the
/// task is sent, so that a client that asks for it at once is told of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct StoredRecord {
    pub status: String,
    /// The result, the exception, or what Celery has in other states.
    pub result: Option<Box<RawValue>>,
    pub traceback: Option<String>,
    pub children: Option<Box<RawValue>>,
    pub date_done: Option<String>,
    pub task_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// The fields that Celery has no place for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub piton: Option<OwnFields>,
}

/// The fields of a record that Celery does not know.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct OwnFields {
    pub priority: u8,
    pub created_at_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub losses: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Box<RawValue>>,
    /// True for the summary of a group whose members have not all ended.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub waits_for_group: bool,
}

impl StoredRecord {
    /// Returns the record of a task that is sent.
    pub fn pending(task: &NewTask) -> Self {
        Self {
            status: PENDING.to_owned(),
            children: raw("[]"),
            task_id: task.id.clone(),
            group_id: task.group.as_ref().map(|member| member.id.clone()),
            parent_id: task.parent_id.clone(),
            name: Some(task.name.clone()),
            retries: Some(task.retries),
            queue: Some(task.queue.clone()),
            piton: Some(OwnFields {
                priority: task.priority,
                created_at_ms: task.created_at_ms,
                due_at_ms: task.due_at_ms,
                group_index: task.group.as_ref().map(|member| member.index),
                ..OwnFields::default()
            }),
            ..Self::default()
        }
    }

    /// Reads a record, which another program may have written.
    pub fn parse(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok().or_else(|| {
            // What Python writes and JSON lacks, such as `NaN`.
            let result = TaskResult::from_slice(json).ok()?;
            Some(Self {
                status: result.status.to_string(),
                result: raw(&result.result.to_string()),
                traceback: result.traceback,
                date_done: result.date_done.map(|time| iso(time.to_utc())),
                task_id: result.task_id,
                group_id: result.group_id,
                parent_id: result.parent_id,
                name: result.name,
                worker: result.worker,
                retries: result.retries,
                queue: result.queue,
                ..Self::default()
            })
        })
    }

    /// Writes the record as Python reads it: with its own numbers that JSON lacks.
    pub fn to_json(&self) -> Vec<u8> {
        python_json::to_vec(self).expect("a record is text, numbers and JSON")
    }

    pub fn own(&mut self) -> &mut OwnFields {
        self.piton.get_or_insert_default()
    }

    /// Sets what is known of a task when it is claimed, and marks it as started by `worker`.
    pub fn start(&mut self, task: &ClaimedTask, name: &str, worker: &str, now_ms: i64) {
        self.status = STARTED.to_owned();
        self.result =
            raw(&serde_json::json!({ "pid": std::process::id(), "hostname": worker }).to_string());
        self.task_id.clone_from(&task.id);
        self.name = Some(name.to_owned());
        self.worker = Some(worker.to_owned());
        self.retries = Some(task.retries);
        self.queue = Some(task.queue.clone());
        let own = self.own();
        own.priority = task.priority;
        own.started_at_ms = Some(now_ms);
        own.due_at_ms = task.due_at_ms;
        if own.created_at_ms == 0 {
            own.created_at_ms = task.created_at_ms;
        }
        own.losses = Some(task.losses).filter(|losses| *losses > 0);
    }

    /// Makes it the record of a task that waits again.
    pub fn wait(&mut self, due_at_ms: Option<i64>) {
        self.status = PENDING.to_owned();
        (self.result, self.worker) = (None, None);
        self.own().due_at_ms = due_at_ms;
    }

    /// Makes it the record of a task that waits for another attempt.
    pub fn retry(&mut self, due_at_ms: i64, retries: u32, error: Option<&str>) {
        self.wait(Some(due_at_ms));
        self.retries = Some(retries);
        if let Some(error) = error {
            self.status = RETRY.to_owned();
            self.result = raw(error);
        }
    }

    pub fn finish(&mut self, finished: &FinishedTask, children: &[&str]) {
        self.status = status_of(finished.state).to_owned();
        self.result = raw(&finished.result);
        self.traceback.clone_from(&finished.traceback);
        self.date_done = date(finished.finished_at_ms);
        let result_of = |id: &&str| serde_json::json!([[id, null], null]);
        let children: serde_json::Value = children.iter().map(result_of).collect();
        self.children = raw(&children.to_string());
        let own = self.own();
        own.started_at_ms = finished.started_at_ms;
        own.finished_at_ms = Some(finished.finished_at_ms);
        own.waits_for_group = false;
    }

    pub fn report(&mut self, progress: &str) {
        self.status = PROGRESS.to_owned();
        self.result = raw(progress);
        self.own().progress = raw(progress);
    }

    pub fn state(&self, now_ms: i64) -> TaskState {
        let own = self.piton.as_ref();
        match self.status.as_str() {
            SUCCESS => TaskState::Succeeded,
            FAILURE => TaskState::Failed,
            REVOKED => TaskState::Revoked,
            RETRY => TaskState::Retrying,
            PENDING | "RECEIVED" => {
                let is_due = own.and_then(|own| own.due_at_ms).is_none_or(|due| due <= now_ms);
                let waits_for_group = own.is_some_and(|own| own.waits_for_group);
                if is_due && !waits_for_group { TaskState::Queued } else { TaskState::Scheduled }
            }
            _ => TaskState::Running,
        }
    }

    /// Returns the time at which the task ended.
    pub fn finished_at_ms(&self) -> Option<i64> {
        let own = self.piton.as_ref().and_then(|own| own.finished_at_ms);
        own.or_else(|| {
            let date: piton_celery::IsoDateTime = self.date_done.as_ref()?.parse().ok()?;
            Some(date.to_utc().timestamp_millis())
        })
    }

    pub fn created_at_ms(&self) -> i64 {
        let own = self.piton.as_ref().map(|own| own.created_at_ms);
        own.filter(|created| *created > 0)
            .or_else(|| time_of_id(&self.task_id))
            .or_else(|| self.finished_at_ms())
            .unwrap_or_default()
    }

    /// Returns whether `filter` chooses the task, whatever its id.
    pub fn matches(&self, filter: &TaskFilter, now_ms: i64) -> bool {
        let is_among = |names: &[String], name: &Option<String>| {
            names.is_empty() || name.as_ref().is_some_and(|name| names.contains(name))
        };
        filter.wants(self.state(now_ms))
            && is_among(&filter.names, &self.name)
            && is_among(&filter.queues, &self.queue)
            && (filter.parent_id.is_none() || filter.parent_id == self.parent_id)
            && filter.created_before_ms.is_none_or(|before| self.created_at_ms() < before)
    }

    pub fn to_task_record(&self, now_ms: i64, message: Option<String>) -> TaskRecord {
        let state = self.state(now_ms);
        let own = self.piton.clone().unwrap_or_default();
        let text = |json: &Option<Box<RawValue>>| json.as_ref().map(|json| json.get().to_owned());
        let has_result = state.is_final() || state == TaskState::Retrying;
        // Python tasks report their progress as the result of a state of their own.
        let foreign = || match self.status.as_str() {
            STARTED | PENDING => None,
            _ => (state == TaskState::Running).then(|| text(&self.result)).flatten(),
        };
        TaskRecord {
            id: self.task_id.clone(),
            name: self.name.clone().unwrap_or_default(),
            queue: self.queue.clone().unwrap_or_default(),
            state,
            priority: own.priority,
            retries: self.retries.unwrap_or_default(),
            losses: own.losses.unwrap_or_default(),
            created_at_ms: self.created_at_ms(),
            due_at_ms: own.due_at_ms,
            started_at_ms: own.started_at_ms,
            finished_at_ms: self.finished_at_ms().filter(|_| state.is_final()),
            parent_id: self.parent_id.clone(),
            group_id: self.group_id.clone(),
            worker: self.worker.clone(),
            progress: text(&own.progress).or_else(foreign),
            result: if has_result { text(&self.result) } else { None },
            traceback: self.traceback.clone(),
            message,
        }
    }
}

/// Returns JSON as it is, or as text if it is not JSON.
pub(super) fn raw(json: &str) -> Option<Box<RawValue>> {
    let text = || RawValue::from_string(serde_json::Value::from(json).to_string());
    RawValue::from_string(json.to_owned()).or_else(|_| text()).ok()
}

fn status_of(state: FinalState) -> &'static str {
    match state {
        FinalState::Success => SUCCESS,
        FinalState::Failure => FAILURE,
        FinalState::Revoked => REVOKED,
    }
}

fn date(at_ms: i64) -> Option<String> {
    DateTime::<Utc>::from_timestamp_millis(at_ms).map(iso)
}

/// Returns a time as Python's `isoformat` writes it.
fn iso(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, false)
}

/// Returns the time in a UUID of version 7, which the ids of this framework are.
pub(super) fn time_of_id(id: &str) -> Option<i64> {
    let (seconds, nanos) = id.parse::<uuid::Uuid>().ok()?.get_timestamp()?.to_unix();
    i64::try_from(seconds.checked_mul(1000)? + u64::from(nanos) / 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_python_has_written_is_read() {
        let json = br#"{"status": "FAILURE", "result": {"exc_type": "ValueError", "exc_message": [NaN],
            "exc_module": "builtins"}, "traceback": "t", "children": [],
            "date_done": "2026-11-20T23:29:02.010163+00:00", "task_id": "a", "parent_id": "p", "queue": null}"#;
        let record = StoredRecord::parse(json).unwrap();
        let task = record.to_task_record(0, None);
        assert_eq!((task.state, task.parent_id.as_deref()), (TaskState::Failed, Some("p")));
        assert_eq!(task.finished_at_ms, Some(1_795_217_342_010));
        assert!(task.result.unwrap().contains("ValueError"));
        assert!(StoredRecord::parse(b"{").is_none());
    }

    #[test]
    fn a_state_of_the_tasks_own_is_progress() {
        let json = br#"{"status": "HALFWAY", "result": {"done": 1}, "task_id": "a"}"#;
        let task = StoredRecord::parse(json).unwrap().to_task_record(0, None);
        assert_eq!((task.state, task.result), (TaskState::Running, None));
        assert_eq!(task.progress.as_deref(), Some(r#"{"done": 1}"#));
    }

    #[test]
    fn ids_of_version_7_have_a_time() {
        assert_eq!(
            time_of_id(&crate::tasks::new_message::new_id(1_700_000_000_123)),
            Some(1_700_000_000_123)
        );
        assert_eq!(time_of_id("7f0c1d1e-5a5d-4a0e-9a43-0d6c3a6a1b11"), None);
        assert_eq!(time_of_id("mine"), None);
    }
}
