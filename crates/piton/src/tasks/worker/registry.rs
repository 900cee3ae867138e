//! The tasks that a worker knows, by name.

use std::collections::HashMap;

use crate::tasks::metrics::{OTHER, TaskMetrics, TaskSeries};
use crate::tasks::task::{DEFAULT_QUEUE, Task};

/// A task with its metrics.
pub(super) struct KnownTask {
    pub task: Task,
    pub series: TaskSeries,
}

/// The tasks of a service.
pub(super) struct Registry {
    pub tasks: HashMap<String, KnownTask>,
    /// The metrics of all other tasks.
    pub other: TaskSeries,
}

impl Registry {
    pub fn new(tasks: Vec<Task>, metrics: &TaskMetrics) -> Self {
        let known = |task: Task| {
            let series = metrics.series(task.name());
            (task.name().to_owned(), KnownTask { task, series })
        };
        Self { tasks: tasks.into_iter().map(known).collect(), other: metrics.series(OTHER) }
    }

    /// Returns every queue that a task names, or the default queue if there is no task.
    pub fn queues(&self) -> Vec<String> {
        let queues = self.tasks.values().map(|known| known.task.options().queue.clone());
        let mut queues: Vec<String> = queues.collect();
        if queues.is_empty() {
            queues.push(DEFAULT_QUEUE.to_owned());
        }
        queues.sort_unstable();
        queues.dedup();
        queues
    }
}
