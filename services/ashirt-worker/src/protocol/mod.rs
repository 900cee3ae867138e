//! What ASHIRT and its workers say to each other: bytes in, values out, nothing is sent from here.
//!
//! Two things about it are not to be guessed. ASHIRT takes a reason only out of an answer with status
//! 200, whatever went wrong; and it never asks again, so that evidence without an answer is shown as
//! "processing" for ever.

mod answer;
mod config;
mod message;

pub use answer::{Answer, Outcome, failure, liveness};
pub use config::{Configuration, PROCESS_PATH, process_url};
pub use message::{EvidenceCreated, GlobalVariable, Message, OperationVariable, content_type};
