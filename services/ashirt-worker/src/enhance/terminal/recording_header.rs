//! The facts of a recording that stand before its output.

use std::fmt::Write;

use crate::enhance::format::{count, duration, escape_invisible, grouped, redact_if_secret};
use crate::enhance::json_reader::{JsonReader, ReadError};

/// Maximum number of marks that are listed; further ones are only counted.
const MAX_MARKS: usize = 50;

/// Values of the header, and counts of the events.
#[derive(Default)]
pub(super) struct RecordingHeader {
    pub(super) version: Option<u8>,
    pub(super) cols: usize,
    pub(super) rows: usize,
    title: Option<String>,
    command: Option<String>,
    shell: Option<String>,
    began: Option<f64>,
    idle_seconds: Option<f64>,
    declared_seconds: f64,
    elapsed_seconds: f64,
    marks: Vec<(f64, String)>,
    mark_count: u64,
    pub(super) events: u64,
    pub(super) inputs: u64,
    pub(super) typed_chars: u64,
    pub(super) resizes: u64,
    pub(super) others: u64,
    pub(super) unreadable: u64,
    pub(super) exit: Option<String>,
    pub(super) cut: bool,
}

impl RecordingHeader {
    /// Reads a member of the header. Members of `term` and `env` are read by the same function,
    /// because their names occur nowhere else.
    pub(super) fn member(&mut self, json: &mut JsonReader<'_>, key: &str) -> Result<(), ReadError> {
        match key {
            "version" => {
                self.version =
                    json.number()?.filter(|v| [1.0, 2.0, 3.0].contains(v)).map(|v| v as u8);
            }
            "width" | "cols" => self.cols = json.number()?.unwrap_or(0.0) as usize,
            "height" | "rows" => self.rows = json.number()?.unwrap_or(0.0) as usize,
            "title" => self.title = json.text(200)?.map(redact_if_secret),
            "command" => self.command = json.text(300)?.map(redact_if_secret),
            "timestamp" => self.began = json.number()?,
            "duration" => self.declared_seconds = json.number()?.unwrap_or(0.0),
            "idle_time_limit" => self.idle_seconds = json.number()?,
            "SHELL" => self.shell = json.text(100)?.map(redact_if_secret),
            "term" | "env" => drop(json.object(|json, key| self.inner(json, key))?),
            _ => json.skip()?,
        }
        Ok(())
    }

    fn inner(&mut self, json: &mut JsonReader<'_>, key: &str) -> Result<(), ReadError> {
        match key {
            "cols" | "rows" | "SHELL" => self.member(json, key),
            _ => json.skip(),
        }
    }

    /// Advances the time to an event: relative to the start in the second format, to the previous
    /// event in the others.
    pub(super) fn pass(&mut self, seconds: f64) {
        let seconds = seconds.max(0.0);
        self.elapsed_seconds = if self.version == Some(2) {
            self.elapsed_seconds.max(seconds)
        } else {
            self.elapsed_seconds + seconds
        };
    }

    pub(super) fn mark(&mut self, label: String) {
        self.mark_count += 1;
        if self.marks.len() < MAX_MARKS {
            self.marks.push((self.elapsed_seconds, redact_if_secret(label)));
        }
    }

    pub(super) fn text(&self, full_screens: u64, too_much: bool) -> String {
        let mut out = self.first_line();
        for (name, value) in
            [("title", &self.title), ("command", &self.command), ("shell", &self.shell)]
        {
            if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
                let _ = writeln!(out, "{name}: {}", escape_invisible(value, 300));
            }
        }
        if let Some(began) =
            self.began.and_then(|at| chrono::DateTime::from_timestamp(at as i64, 0))
        {
            let _ = writeln!(out, "recorded: {} UTC", began.format("%Y-%m-%d %H:%M:%S"));
        }
        self.events(&mut out);
        for (is, what) in [
            (self.cut, "the recording breaks off: what follows is what stands before".to_owned()),
            (too_much, "drawing the rest of it would take too long: it is left out".to_owned()),
            (
                full_screens > 0,
                format!("not shown: {}", count(full_screens, "full-screen program")),
            ),
            (self.unreadable > 0, format!("not readable: {}", count(self.unreadable, "line"))),
        ] {
            if is {
                let _ = writeln!(out, "{what}");
            }
        }
        self.marks(&mut out);
        out
    }

    fn first_line(&self) -> String {
        let lasts = self.elapsed_seconds.max(self.declared_seconds);
        let version = self.version.unwrap_or_default();
        let mut out = format!("terminal recording (asciicast {version}), {}", duration(lasts));
        if self.cols > 0 && self.rows > 0 {
            let _ = write!(
                out,
                ", {} × {} characters",
                grouped(self.cols as u64),
                grouped(self.rows as u64)
            );
        }
        if let Some(code) = &self.exit {
            let _ = write!(out, ", exit status {}", escape_invisible(code, 8));
        }
        out + "\n"
    }

    fn events(&self, out: &mut String) {
        let _ = write!(out, "events: {}", grouped(self.events));
        if self.inputs > 0 {
            let chars = count(self.typed_chars, "character");
            let _ = write!(
                out,
                ", of these {} ({chars} typed, not shown)",
                count(self.inputs, "input")
            );
        }
        for (number, what) in [(self.resizes, "change of size"), (self.others, "unknown")] {
            if number > 0 {
                let _ = write!(out, ", {what}: {}", grouped(number));
            }
        }
        if let Some(idle) = self.idle_seconds {
            let _ = write!(out, "; pauses are played as at most {}", duration(idle));
        }
        out.push('\n');
    }

    fn marks(&self, out: &mut String) {
        for (at, label) in &self.marks {
            let _ = writeln!(out, "mark at {}: {}", duration(*at), escape_invisible(label, 80));
        }
        let left = self.mark_count - self.marks.len() as u64;
        if left > 0 {
            let _ = writeln!(out, "and {}", count(left, "more mark"));
        }
    }
}
