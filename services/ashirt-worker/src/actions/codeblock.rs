//! Source code: its language and its figures.

use super::{Action, Evidence, Result};
use crate::enhance;
use crate::protocol::{Answer, content_type};

/// Language, lines, characters, and what hides in them.
pub struct Codeblock;

impl Action for Codeblock {
    const CONTENT_TYPE: &'static str = content_type::CODEBLOCK;

    async fn run(evidence: &Evidence) -> Result<Answer> {
        Ok(Answer::Processed(evidence.look(|media| Ok(enhance::codeblock(media)?)).await?))
    }
}
