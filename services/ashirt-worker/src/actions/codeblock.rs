//! Describes source code: its language and statistics of its text.

use super::{Action, EvidenceInput, Result};
use crate::enhance;
use crate::protocol::{WorkerResponse, content_type};

/// Reports language, lines, characters, and characters that are invisible or misleading.
pub struct CodeblockAction;

impl Action for CodeblockAction {
    const CONTENT_TYPE: &'static str = content_type::CODEBLOCK;

    async fn run(evidence: &EvidenceInput) -> Result<WorkerResponse> {
        Ok(WorkerResponse::Processed(
            evidence.read_media(|media| Ok(enhance::codeblock(media)?)).await?,
        ))
    }
}
