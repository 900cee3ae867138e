//! The protocol between ASHIRT and its workers: bytes in, values out. Nothing is sent from here.
//!
//! Two properties are surprising. ASHIRT reads a reason only from a response with status 200,
//! whatever failed; and it never retries, so that evidence without a response is shown as
//! "processing" indefinitely.

mod message;
mod response;
mod worker_configuration;

pub use message::{EvidenceCreated, GlobalVariable, Message, OperationVariable, content_type};
pub use response::{ResponseKind, WorkerResponse, failure, liveness};
pub use worker_configuration::{PROCESS_PATH, WorkerConfiguration, process_url};
