//! Tasks: durable work in the background, stored in the service's own database.

mod accepted;
mod app_tasks;
mod brokers;
mod call;
mod clock;
mod commands;
mod cron;
mod error;
mod group;
mod group_call;
mod health;
mod metrics;
mod new_message;
mod part;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod send_in_transaction;
mod sending;
mod sent;
mod settings;
pub mod status_route;
mod supervision;
mod task;
mod task_call;
mod task_failure;
mod task_output;
mod task_run;
mod task_status;
mod tasks_part;
mod testing;
mod worker;

pub use accepted::{Accepted, AcceptedTask};
pub use call::Call;
pub use cron::{Cron, Missed};
pub use error::{BrokerError, Error, Kind, Result};
pub use group_call::{Group, GroupWithSummary};
pub use piton_celery::{Exception, Parameter};
pub use sent::Sent;
pub use settings::{TaskBroker, TaskWorkerMode, TasksSettings};
pub use task::{Ack, Task};
pub use task_call::TaskCall;
pub use task_failure::TaskFailure;
pub use task_output::TaskOutput;
pub use task_run::TaskRun;
pub use task_status::{State, TaskFault, TaskStatus};
pub use tasks_part::Tasks;
