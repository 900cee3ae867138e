//! HAR files: what was asked of whom.

use super::{Action, EvidenceInput, Result};
use crate::enhance;
use crate::protocol::{WorkerResponse, content_type};

/// A summary of the requests: hosts, methods, statuses, types, then each of them.
pub struct HarAction;

impl Action for HarAction {
    const CONTENT_TYPE: &'static str = content_type::HTTP_REQUEST_CYCLE;

    async fn run(evidence: &EvidenceInput) -> Result<WorkerResponse> {
        Ok(WorkerResponse::Processed(evidence.read_media(|media| Ok(enhance::har(media)?)).await?))
    }
}
