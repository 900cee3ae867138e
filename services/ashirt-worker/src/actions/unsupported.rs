//! Evidence without a file, of which nothing is to be said. It must not be fetched either: some of
//! ASHIRT's stores fail then.

use super::{Action, EvidenceInput, Result};
use crate::protocol::{WorkerResponse, content_type};

/// A mark in time.
pub struct EventAction;

/// A note.
pub struct NoteAction;

impl Action for EventAction {
    const CONTENT_TYPE: &'static str = content_type::EVENT;

    async fn run(_: &EvidenceInput) -> Result<WorkerResponse> {
        Ok(WorkerResponse::Rejected("an event has no file to look at".into()))
    }
}

impl Action for NoteAction {
    const CONTENT_TYPE: &'static str = content_type::NONE;

    async fn run(_: &EvidenceInput) -> Result<WorkerResponse> {
        Ok(WorkerResponse::Rejected("there is no file to look at".into()))
    }
}
