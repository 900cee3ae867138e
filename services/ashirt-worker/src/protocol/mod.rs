//! What ASHIRT and its workers say to each other: bytes in, values out, nothing is sent from here.
//!
//! Two things about it are not to be guessed. ASHIRT takes a reason only out of an answer with status
//! 200, whatever went wrong; and it never asks again, so that evidence without an answer is shown as
//! "processing" for ever.

mod message;
mod response;
mod worker_configuration;

pub use message::{EvidenceCreated, GlobalVariable, Message, OperationVariable, content_type};
pub use response::{ResponseKind, WorkerResponse, failure, liveness};
pub use worker_configuration::{PROCESS_PATH, WorkerConfiguration, process_url};
