//! Terminal recordings, as asciinema writes them in its three formats.
//!
//! <https://docs.asciinema.org/manual/asciicast/v1/>, `v2`, `v3`. The second and the third are a header and then an
//! event a line; the first is one object, with all that was shown in `stdout`.

mod heading;
mod screen;
#[cfg(test)]
mod tests;
mod transcript;

use std::io::Read;

use self::heading::Heading;
use self::screen::{Replay, size_of};
use super::Fault;
use super::json::{Broken, Json};

const WHAT: &str = "a terminal recording of asciinema";

pub(super) fn describe(media: &mut dyn Read) -> Result<String, Fault> {
    describe_within(media, screen::MOST_WORK)
}

/// With so much work for the drawing.
pub(super) fn describe_within(media: &mut dyn Read, work: u64) -> Result<String, Fault> {
    let mut json = Json::of(media, WHAT)?;
    let mut recording = Recording { heading: Heading::default(), replay: Replay::within(work) };
    let end = recording.read(&mut json);
    recording.heading.cut = end.is_err();
    match end {
        Err(Broken::Read(error)) => Err(Fault::Read(error)),
        _ if recording.heading.version.is_none() => Err(Fault::Unfit(format!(
            "not {WHAT}: its first line has no version of asciicast (1, 2 or 3)"
        ))),
        Err(Broken::Syntax) if recording.heading.events == 0 => Err(Fault::Unfit(format!(
            "not {WHAT}: it is no longer JSON at byte {}",
            json.position()
        ))),
        Ok(()) | Err(Broken::Cut | Broken::Syntax) => Ok(recording.text()),
    }
}

/// What is known of a recording, while it is read.
struct Recording {
    heading: Heading,
    replay: Replay,
}

impl Recording {
    fn read(&mut self, json: &mut Json<'_>) -> Result<(), Broken> {
        json.object(|json, key| self.member(json, key))?;
        if !matches!(self.heading.version, Some(2 | 3)) {
            return Ok(());
        }
        self.replay.resize(self.heading.cols, self.heading.rows);
        json.by_line();
        while json.rest_of_line()? {
            match self.line(json) {
                Err(Broken::Syntax) => self.heading.unreadable += 1,
                other => other?,
            }
        }
        Ok(())
    }

    /// A member of the header.
    fn member(&mut self, json: &mut Json<'_>, key: &str) -> Result<(), Broken> {
        if key == "stdout" {
            self.replay.resize(self.heading.cols, self.heading.rows);
            return json.array(|json| self.frame(json)).map(drop);
        }
        self.heading.member(json, key)
    }

    /// `[delay, data]` of the first format.
    fn frame(&mut self, json: &mut Json<'_>) -> Result<(), Broken> {
        if !json.enter_array()? {
            self.heading.unreadable += 1;
            return json.skip();
        }
        let delay = json.more(b']')?.then(|| json.number()).transpose()?.flatten();
        self.heading.pass(delay.unwrap_or(0.0));
        self.heading.events += 1;
        self.data(json, "o")?;
        self.close(json)
    }

    /// `[time, code, data]` of the others, a comment, or nothing.
    fn line(&mut self, json: &mut Json<'_>) -> Result<(), Broken> {
        if matches!(json.peek()?, None | Some(b'\n' | b'#')) {
            return Ok(());
        }
        if !json.enter_array()? {
            return Err(Broken::Syntax);
        }
        let time =
            json.more(b']')?.then(|| json.number()).transpose()?.flatten().ok_or(Broken::Syntax)?;
        let code =
            json.more(b']')?.then(|| json.text(8)).transpose()?.flatten().ok_or(Broken::Syntax)?;
        self.heading.pass(time);
        self.heading.events += 1;
        self.data(json, &code)?;
        self.close(json)
    }

    fn data(&mut self, json: &mut Json<'_>, code: &str) -> Result<(), Broken> {
        if !json.more(b']')? {
            return Err(Broken::Syntax);
        }
        match code {
            "o" => drop(json.string(|char| self.replay.show(char))?),
            "i" => {
                self.heading.inputs += 1;
                json.string(|_| self.heading.typed_chars += 1)?;
            }
            "r" => {
                let size = json.text(20)?;
                self.heading.resizes += 1;
                if let Some((cols, rows)) = size.as_deref().and_then(size_of) {
                    self.replay.resize(cols, rows);
                }
            }
            "m" => {
                let label = json.text(80)?.unwrap_or_default();
                self.heading.mark(label);
            }
            "x" => self.heading.exit = json.text(8)?,
            _ => {
                self.heading.others += 1;
                json.skip()?;
            }
        }
        Ok(())
    }

    fn close(&self, json: &mut Json<'_>) -> Result<(), Broken> {
        while json.more(b']')? {
            json.skip()?;
        }
        Ok(())
    }

    fn text(self) -> String {
        let (transcript, full_screens, too_much) = self.replay.finish();
        self.heading.text(full_screens, too_much) + "\n" + &transcript
    }
}
