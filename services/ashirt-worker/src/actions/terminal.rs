//! Describes terminal recordings: the text that was visible.

use super::{Action, EvidenceInput, Result};
use crate::enhance;
use crate::protocol::{WorkerResponse, content_type};

/// Reports the text of the recording, without colours and cursor movements.
pub struct TerminalAction;

impl Action for TerminalAction {
    const CONTENT_TYPE: &'static str = content_type::TERMINAL_RECORDING;

    async fn run(evidence: &EvidenceInput) -> Result<WorkerResponse> {
        Ok(WorkerResponse::Processed(
            evidence.read_media(|media| Ok(enhance::terminal(media)?)).await?,
        ))
    }
}
