//! Schedules: tasks that are sent at given times, once however many replicas there are.

mod schedule;
mod scheduler;

pub use schedule::{Cron, Missed};
pub(super) use scheduler::{Scheduler, is_resting};
