//! Describes images: their format, their size and which metadata they carry.

use super::{Action, EvidenceInput, Result};
use crate::enhance;
use crate::protocol::{WorkerResponse, content_type};

/// Reports facts of the image file. Of its metadata it reports presence, never content.
pub struct ImageAction;

impl Action for ImageAction {
    const CONTENT_TYPE: &'static str = content_type::IMAGE;

    async fn run(evidence: &EvidenceInput) -> Result<WorkerResponse> {
        Ok(WorkerResponse::Processed(
            evidence.read_media(|media| Ok(enhance::image(media)?)).await?,
        ))
    }
}
