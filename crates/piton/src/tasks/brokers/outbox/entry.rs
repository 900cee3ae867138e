//! [`Entry`]: what was sent by one call in a transaction.

use serde::{Deserialize, Serialize};

use crate::tasks::brokers::records::{NewGroup, NewTask};
use crate::tasks::error::{BrokerError, Kind};

/// The tasks of one call, and their group if they have one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::tasks::brokers) struct Entry {
    pub tasks: Vec<NewTask>,
    pub group: Option<NewGroup>,
}

/// An entry in the order in which entries were stored.
#[derive(Clone, Debug)]
pub(in crate::tasks::brokers) struct StoredEntry {
    pub id: i64,
    pub entry: Entry,
}

/// An entry that the broker does not take however often it is sent.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::tasks::brokers) struct Refusal {
    pub id: i64,
    pub reason: String,
}

impl Entry {
    pub fn to_json(&self) -> Result<String, BrokerError> {
        serde_json::to_string(self).map_err(|error| {
            BrokerError::new(Kind::Invalid, "the task does not serialize").caused_by(error)
        })
    }

    /// Returns the task by which the caller asks for the entry: the summary of a group, otherwise the task.
    pub fn awaited(&self) -> Option<&NewTask> {
        self.group.as_ref().map(|group| &group.summary).or(self.tasks.first())
    }
}
