//! Evidence without a file, of which nothing is to be said. It must not be fetched either: some of
//! ASHIRT's stores fail then.

use super::{Action, Evidence, Result};
use crate::protocol::{Answer, content_type};

/// A mark in time.
pub struct Event;

/// A note.
pub struct Note;

impl Action for Event {
    const CONTENT_TYPE: &'static str = content_type::EVENT;

    async fn run(_: &Evidence) -> Result<Answer> {
        Ok(Answer::Rejected("an event has no file to look at".into()))
    }
}

impl Action for Note {
    const CONTENT_TYPE: &'static str = content_type::NONE;

    async fn run(_: &Evidence) -> Result<Answer> {
        Ok(Answer::Rejected("there is no file to look at".into()))
    }
}
