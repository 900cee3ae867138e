//! Source code: its language and its figures.

use super::{Action, EvidenceInput, Result};
use crate::enhance;
use crate::protocol::{WorkerResponse, content_type};

/// Language, lines, characters, and what hides in them.
pub struct CodeblockAction;

impl Action for CodeblockAction {
    const CONTENT_TYPE: &'static str = content_type::CODEBLOCK;

    async fn run(evidence: &EvidenceInput) -> Result<WorkerResponse> {
        Ok(WorkerResponse::Processed(
            evidence.read_media(|media| Ok(enhance::codeblock(media)?)).await?,
        ))
    }
}
