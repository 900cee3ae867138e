//! The errors of tasks: [`BrokerError`] of sending and asking, [`Error`] of a task's own work.

mod broker_error;
#[cfg(feature = "sqlite")]
mod error_copy;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod tables_fault;
#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
#[path = "tables_fault_absent.rs"]
mod tables_fault;
mod task_error;

pub use broker_error::{BrokerError, Kind};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(super) use tables_fault::TablesFault;
pub(super) use task_error::Verdict;
pub use task_error::{Error, Result};
