//! The errors of tasks: [`BrokerError`] of sending and asking, [`Error`] of a task's own work.

mod broker_error;
mod task_error;

#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(super) use broker_error::TablesFault;
pub use broker_error::{BrokerError, Kind};
pub(super) use task_error::Verdict;
pub use task_error::{Error, Result};
