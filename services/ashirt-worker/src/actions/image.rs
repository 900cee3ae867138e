//! Pictures: their format and size, and which metadata they carry.

use super::{Action, Evidence, Result};
use crate::enhance;
use crate::protocol::{Answer, content_type};

/// Facts of the file; of its metadata that it is there, and never what it says.
pub struct Image;

impl Action for Image {
    const CONTENT_TYPE: &'static str = content_type::IMAGE;

    async fn run(evidence: &Evidence) -> Result<Answer> {
        Ok(Answer::Processed(evidence.look(|media| Ok(enhance::image(media)?)).await?))
    }
}
