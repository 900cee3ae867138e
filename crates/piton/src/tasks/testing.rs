//! Test support: runs tasks on demand, with a clock that the test moves.

use std::time::Duration;

use super::task_status::TaskStatus;
use super::tasks_part::Tasks;
use crate::testing::TestApp;

impl TestApp {
    /// Runs every task that is ready, one after the other, and those that they send, until none is. Schedules whose time
    /// has come send theirs first. Returns the state of each after its run, in the order in which they ran.
    ///
    /// ```
    /// use piton::prelude::*;
    /// use piton::tasks::{Call, State, Task, TaskCall};
    /// use piton::testing::TestApp;
    ///
    /// async fn greet(_: TaskCall) -> task::Result<&'static str> { Ok("hello") }
    ///
    /// # #[piton::test]
    /// # async fn f() {
    /// let app = App::new("greeter").no_scan().task(Task::new("greeter.greet", &[], greet));
    /// let app = TestApp::new(app).await;
    /// app.handle().part::<Tasks>().send(Call::<String>::new("greeter.greet")).await.unwrap();
    /// assert_eq!(app.run_tasks().await[0].state, State::Succeeded);
    /// # }
    /// ```
    ///
    /// # Panics
    /// The broker fails.
    pub async fn run_tasks(&self) -> Vec<TaskStatus> {
        let tasks: Tasks = self.handle().part();
        match tasks.run_ready(self.handle()).await {
            Ok(ran) => ran,
            Err(error) => panic!("the broker failed while the test ran tasks: {error}"),
        }
    }

    /// Moves the clock of tasks and schedules forward, so that what is due by then is ready. The clock of the system and
    /// that of tokio stay as they are.
    pub fn advance_task_clock(&self, by: Duration) {
        self.handle().part::<Tasks>().0.clock.advance(by);
    }
}
