//! Terminal recordings in asciinema's three formats.
//!
//! <https://docs.asciinema.org/manual/asciicast/v1/>, `v2`, `v3`. The second and the third are a
//! header and then one event per line; the first is one object, with all output in `stdout`.

mod recording_header;
mod replay;
#[cfg(test)]
mod tests;
mod transcript;

use std::io::Read;

use self::recording_header::RecordingHeader;
use self::replay::{Replay, parse_size};
use super::EnhanceError;
use super::json_reader::{JsonReader, ReadError};

const WHAT: &str = "a terminal recording of asciinema";

pub(super) fn describe(media: &mut dyn Read) -> Result<String, EnhanceError> {
    describe_within(media, replay::MAX_WORK)
}

/// Describes a recording, with a limit of the work for drawing it.
pub(super) fn describe_within(media: &mut dyn Read, work: u64) -> Result<String, EnhanceError> {
    let mut json = JsonReader::start(media, WHAT)?;
    let mut recording =
        Recording { header: RecordingHeader::default(), replay: Replay::within(work) };
    let end = recording.read(&mut json);
    recording.header.cut = end.is_err();
    match end {
        Err(ReadError::Read(error)) => Err(EnhanceError::Read(error)),
        _ if recording.header.version.is_none() => Err(EnhanceError::Unsupported(format!(
            "not {WHAT}: its first line has no version of asciicast (1, 2 or 3)"
        ))),
        Err(ReadError::Syntax) if recording.header.events == 0 => Err(EnhanceError::Unsupported(
            format!("not {WHAT}: it is no longer JSON at byte {}", json.position()),
        )),
        Ok(()) | Err(ReadError::Truncated | ReadError::Syntax) => Ok(recording.text()),
    }
}

/// A recording while it is read.
struct Recording {
    header: RecordingHeader,
    replay: Replay,
}

impl Recording {
    fn read(&mut self, json: &mut JsonReader<'_>) -> Result<(), ReadError> {
        json.object(|json, key| self.member(json, key))?;
        if !matches!(self.header.version, Some(2 | 3)) {
            return Ok(());
        }
        self.replay.resize(self.header.cols, self.header.rows);
        json.by_line();
        while json.rest_of_line()? {
            match self.line(json) {
                Err(ReadError::Syntax) => self.header.unreadable += 1,
                other => other?,
            }
        }
        Ok(())
    }

    /// Reads a member of the header.
    fn member(&mut self, json: &mut JsonReader<'_>, key: &str) -> Result<(), ReadError> {
        if key == "stdout" {
            self.replay.resize(self.header.cols, self.header.rows);
            return json.array(|json| self.frame(json)).map(drop);
        }
        self.header.member(json, key)
    }

    /// Reads an event of the first format: `[delay, data]`.
    fn frame(&mut self, json: &mut JsonReader<'_>) -> Result<(), ReadError> {
        if !json.enter_array()? {
            self.header.unreadable += 1;
            return json.skip();
        }
        let delay = json.more(b']')?.then(|| json.number()).transpose()?.flatten();
        self.header.pass(delay.unwrap_or(0.0));
        self.header.events += 1;
        self.data(json, "o")?;
        self.close(json)
    }

    /// Reads a line of the other formats: an event `[time, code, data]`, a comment, or nothing.
    fn line(&mut self, json: &mut JsonReader<'_>) -> Result<(), ReadError> {
        if matches!(json.peek()?, None | Some(b'\n' | b'#')) {
            return Ok(());
        }
        if !json.enter_array()? {
            return Err(ReadError::Syntax);
        }
        let time = json
            .more(b']')?
            .then(|| json.number())
            .transpose()?
            .flatten()
            .ok_or(ReadError::Syntax)?;
        let code = json
            .more(b']')?
            .then(|| json.text(8))
            .transpose()?
            .flatten()
            .ok_or(ReadError::Syntax)?;
        self.header.pass(time);
        self.header.events += 1;
        self.data(json, &code)?;
        self.close(json)
    }

    fn data(&mut self, json: &mut JsonReader<'_>, code: &str) -> Result<(), ReadError> {
        if !json.more(b']')? {
            return Err(ReadError::Syntax);
        }
        match code {
            "o" => drop(json.string(|char| self.replay.show(char))?),
            "i" => {
                self.header.inputs += 1;
                json.string(|_| self.header.typed_chars += 1)?;
            }
            "r" => {
                let size = json.text(20)?;
                self.header.resizes += 1;
                if let Some((cols, rows)) = size.as_deref().and_then(parse_size) {
                    self.replay.resize(cols, rows);
                }
            }
            "m" => {
                let label = json.text(80)?.unwrap_or_default();
                self.header.mark(label);
            }
            "x" => self.header.exit = json.text(8)?,
            _ => {
                self.header.others += 1;
                json.skip()?;
            }
        }
        Ok(())
    }

    fn close(&self, json: &mut JsonReader<'_>) -> Result<(), ReadError> {
        while json.more(b']')? {
            json.skip()?;
        }
        Ok(())
    }

    fn text(self) -> String {
        let (transcript, full_screens, too_much) = self.replay.finish();
        self.header.text(full_screens, too_much) + "\n" + &transcript
    }
}
