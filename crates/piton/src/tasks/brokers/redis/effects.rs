//! [`Effects`]: what a change of a task stores and sends.

use super::enqueue::NewValue;

/// The effects of a settlement besides the end of its claim.
#[derive(Default)]
pub(super) struct Effects {
    /// Values to store before tasks are sent, which count in them.
    pub before: Vec<NewValue>,
    /// Values to store, each with true if it is published.
    pub set: Vec<(NewValue, bool)>,
    /// Keys to remove.
    pub remove: Vec<String>,
    pub send: Vec<SentTask>,
}

/// A task that is sent, unless its record says that it was sent before.
pub(super) struct SentTask {
    pub record: Option<NewValue>,
    /// Empty if the record is stored alone: the task waits for a group.
    pub list: String,
    pub message: String,
}

impl SentTask {
    /// Returns the record of a task that is sent later.
    pub fn record_alone(record: NewValue) -> Self {
        Self { record: Some(record), list: String::new(), message: String::new() }
    }
}

impl Effects {
    /// Adds the commands that store what is stored before tasks are sent.
    pub fn prepare_in(&self, pipeline: &mut redis::Pipeline) {
        for NewValue { key, value, ttl_ms } in &self.before {
            pipeline.cmd("SET").arg(key).arg(value).arg("PX").arg(ttl_ms).ignore();
        }
    }

    /// Adds the commands that store them to a pipeline.
    pub fn store_in(&self, pipeline: &mut redis::Pipeline) {
        self.prepare_in(pipeline);
        for (NewValue { key, value, ttl_ms }, publishes) in &self.set {
            pipeline.cmd("SET").arg(key).arg(value).arg("PX").arg(ttl_ms).ignore();
            if *publishes {
                pipeline.cmd("PUBLISH").arg(key).arg(value).ignore();
            }
        }
        self.remove_and_create_in(pipeline);
    }

    /// Adds the commands that remove keys, and store values where there are none.
    pub fn remove_and_create_in(&self, pipeline: &mut redis::Pipeline) {
        if !self.remove.is_empty() {
            pipeline.cmd("DEL").arg(&self.remove).ignore();
        }
        for NewValue { key, value, ttl_ms } in self.send.iter().filter_map(|it| it.record.as_ref())
        {
            pipeline.cmd("SET").arg(key).arg(value).arg("PX").arg(ttl_ms).arg("NX").ignore();
        }
    }
}
