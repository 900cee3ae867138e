//! The app's methods for tasks and schedules.

use super::cron::Cron;
use super::task::Task;
use super::tasks_part::Tasks;
use crate::app::App;

impl App {
    /// Adds a task. `#[piton::task(..)]` above a function is a call of this method.
    #[must_use]
    pub fn task(self, task: Task) -> Self {
        self.enable::<Tasks>()
            .enable_dependencies(|dependencies| task.dependencies(dependencies))
            .provide(task)
    }

    /// Adds a schedule and its task. `#[piton::cron(..)]` above a function is a call of this method.
    #[must_use]
    pub fn cron(self, cron: Cron) -> Self {
        self.task(cron.task().clone()).provide(cron)
    }
}
