//! Describes HAR files: which requests went to which hosts.

use super::{Action, EvidenceInput, Result};
use crate::enhance;
use crate::protocol::{WorkerResponse, content_type};

/// Reports hosts, methods, statuses and types of a HAR file, then each request.
pub struct HarAction;

impl Action for HarAction {
    const CONTENT_TYPE: &'static str = content_type::HTTP_REQUEST_CYCLE;

    async fn run(evidence: &EvidenceInput) -> Result<WorkerResponse> {
        Ok(WorkerResponse::Processed(evidence.read_media(|media| Ok(enhance::har(media)?)).await?))
    }
}
