//! The lines of a recording: the first, and the last.
//!
//! How it began and how it ended say more than the middle, of which only the length is told.

use std::collections::VecDeque;
use std::fmt::Write;

use avt::{Line, Terminal};

use crate::enhance::format::count;

const HEAD_BYTES: usize = 40 * 1024;
const TAIL_BYTES: usize = 20 * 1024;

/// A line longer than this is broken into several.
const LINE_BYTES: usize = 4 * 1024;

/// What was to be seen, without its middle.
#[derive(Default)]
pub(super) struct Transcript {
    /// A line that goes on in the next row.
    pending: String,
    head: String,
    tail: VecDeque<String>,
    tail_bytes: usize,
    left_out: u64,
    /// Empty lines that are written when another follows.
    blank: u64,
}

impl Transcript {
    /// A row that leaves the screen.
    pub(super) fn line(&mut self, line: &Line) {
        self.pending.extend(line.chars().filter(|char| !char.is_control()));
        if !line.is_wrapped() || self.pending.len() > LINE_BYTES {
            let whole = std::mem::take(&mut self.pending);
            self.push(whole.trim_end());
        }
    }

    /// All that is on the screen now, without the empty rows below.
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
