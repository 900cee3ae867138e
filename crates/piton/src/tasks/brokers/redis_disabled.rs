//! Stands in for `redis/` in a build without the feature `redis`.

use super::super::clock::Clock;
use super::super::settings::TasksSettings;
use super::super::task::Task;
use super::OpenBroker;
use crate::part::Problem;

/// # Errors
/// Always. The check of the settings has refused the broker before.
pub(super) fn open(_: &TasksSettings, _: &[Task], _: &Clock) -> Result<OpenBroker, Box<Problem>> {
    let why = "this build of piton does not support Redis";
    Err(Box::new(Problem::new("tasks.broker", why, "enable the feature `redis` of piton")))
}
