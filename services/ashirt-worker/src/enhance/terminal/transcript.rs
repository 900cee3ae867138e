//! Transcript of a recording: its first and its last lines.
//!
//! The middle is omitted and counted, because beginning and end say more.

use std::collections::VecDeque;
use std::fmt::Write;

use avt::{Line, Terminal};

use crate::enhance::format::count;

const HEAD_BYTES: usize = 40 * 1024;
const TAIL_BYTES: usize = 20 * 1024;

/// Maximum length of a line; longer ones are split.
const LINE_BYTES: usize = 4 * 1024;

/// Visible output, without its middle.
#[derive(Default)]
pub(super) struct Transcript {
    /// A wrapped line that continues in the next row.
    pending: String,
    head: String,
    tail: VecDeque<String>,
    tail_bytes: usize,
    left_out: u64,
    /// Number of empty lines that are written once another line follows.
    blank: u64,
}

impl Transcript {
    /// Adds a row that scrolled off the screen.
    pub(super) fn line(&mut self, line: &Line) {
        self.pending.extend(line.chars().filter(|char| !char.is_control()));
        if !line.is_wrapped() || self.pending.len() > LINE_BYTES {
            let whole = std::mem::take(&mut self.pending);
            self.push(whole.trim_end());
        }
    }

    /// Adds the rows on the screen, without the empty ones at the bottom.
    pub(super) fn screen(&mut self, terminal: &Terminal) {
        for line in terminal.primary_screen().all_lines() {
            self.line(line);
        }
        self.blank = 0;
    }

    fn push(&mut self, line: &str) {
        if line.is_empty() {
            self.blank += u64::from(!self.head.is_empty());
            return;
        }
        for _ in 0..std::mem::take(&mut self.blank).min(LINE_BYTES as u64) {
            self.keep("");
        }
        self.keep(line);
    }

    fn keep(&mut self, line: &str) {
        if self.tail.is_empty() && self.head.len() + line.len() < HEAD_BYTES {
            self.head.push_str(line);
            self.head.push('\n');
            return;
        }
        self.tail_bytes += line.len() + 1;
        self.tail.push_back(line.to_owned());
        while self.tail_bytes > TAIL_BYTES {
            let first = self.tail.pop_front().map_or(0, |line| line.len() + 1);
            self.tail_bytes -= first;
            self.left_out += 1;
        }
    }

    pub(super) fn text(mut self) -> String {
        if self.left_out > 0 {
            let _ = writeln!(self.head, "[… {} left out …]", count(self.left_out, "line"));
        }
        for line in &self.tail {
            self.head.push_str(line);
            self.head.push('\n');
        }
        self.head
    }
}
