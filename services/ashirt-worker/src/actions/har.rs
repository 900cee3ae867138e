//! HAR files: what was asked of whom.

use super::{Action, Evidence, Result};
use crate::enhance;
use crate::protocol::{Answer, content_type};

/// A summary of the requests: hosts, methods, statuses, types, then each of them.
pub struct Har;

impl Action for Har {
    const CONTENT_TYPE: &'static str = content_type::HTTP_REQUEST_CYCLE;

    async fn run(evidence: &Evidence) -> Result<Answer> {
        Ok(Answer::Processed(evidence.look(|media| Ok(enhance::har(media)?)).await?))
    }
}
