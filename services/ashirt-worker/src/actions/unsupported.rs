//! Rejects evidence without a file. Its content must not be fetched, because some of ASHIRT's
//! stores fail on such requests.

use super::{Action, EvidenceInput, Result};
use crate::protocol::{WorkerResponse, content_type};

/// Rejects events, which mark a moment and have no file.
pub struct EventAction;

/// Rejects notes, which have no file.
pub struct NoteAction;

impl Action for EventAction {
    const CONTENT_TYPE: &'static str = content_type::EVENT;
    const TAKES_TIME: bool = false;

    async fn run(_: &EvidenceInput) -> Result<WorkerResponse> {
        Ok(WorkerResponse::Rejected("an event has no file to process".into()))
    }
}

impl Action for NoteAction {
    const CONTENT_TYPE: &'static str = content_type::NONE;
    const TAKES_TIME: bool = false;

    async fn run(_: &EvidenceInput) -> Result<WorkerResponse> {
        Ok(WorkerResponse::Rejected("there is no file to process".into()))
    }
}
