//! Terminal recordings: what was to be seen.

use super::{Action, Evidence, Result};
use crate::enhance;
use crate::protocol::{Answer, content_type};

/// The text of the recording, without colours and movements of the cursor.
pub struct TerminalRecording;

impl Action for TerminalRecording {
    const CONTENT_TYPE: &'static str = content_type::TERMINAL_RECORDING;

    async fn run(evidence: &Evidence) -> Result<Answer> {
        Ok(Answer::Processed(evidence.look(|media| Ok(enhance::terminal(media)?)).await?))
    }
}
