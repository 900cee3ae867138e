//! [`OutboxEntry`]: what was sent by one call in a transaction.

use serde::{Deserialize, Serialize};

use crate::tasks::brokers::records::{NewGroup, NewTask};
use crate::tasks::error::{BrokerError, Kind};

/// The tasks of one call, and their group if they have one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::tasks::brokers) struct OutboxEntry {
    pub tasks: Vec<NewTask>,
    pub group: Option<NewGroup>,
}

/// An entry in the order in which entries were stored.
#[derive(Clone, Debug)]
pub(in crate::tasks::brokers) struct StoredEntry {
    pub id: i64,
    pub entry: OutboxEntry,
}

/// An entry that was refused: it would be, however often it is sent.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::tasks::brokers) struct Refusal {
    pub id: i64,
    pub reason: String,
}

impl OutboxEntry {
    pub fn to_json(&self) -> Result<String, BrokerError> {
        serde_json::to_string(self).map_err(|error| {
            BrokerError::new(Kind::Invalid, "the task does not serialize").caused_by(error)
        })
    }

    /// Returns the task whose id identifies the entry: the group's summary, or the first task.
    pub fn tracked_task(&self) -> Option<&NewTask> {
        self.group.as_ref().map(|group| &group.summary).or(self.tasks.first())
    }
}
