//! Terminal recordings: what was to be seen.

use super::{Action, EvidenceInput, Result};
use crate::enhance;
use crate::protocol::{WorkerResponse, content_type};

/// The text of the recording, without colours and movements of the cursor.
pub struct TerminalAction;

impl Action for TerminalAction {
    const CONTENT_TYPE: &'static str = content_type::TERMINAL_RECORDING;

    async fn run(evidence: &EvidenceInput) -> Result<WorkerResponse> {
        Ok(WorkerResponse::Processed(
            evidence.read_media(|media| Ok(enhance::terminal(media)?)).await?,
        ))
    }
}
