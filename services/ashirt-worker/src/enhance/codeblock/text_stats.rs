//! Statistics of a text, computed character by character.

use std::fmt::Write;

use aws_lc_rs::digest::{Context, SHA256};

use super::language::{CommentLines, Language};
use crate::enhance::format::{count, grouped, hex, size};

/// Number of bytes of a line that are examined for comments.
const LINE_CHARS: usize = 1000;

/// Statistics of a text.
pub(super) struct TextStats {
    hash: Context,
    bytes: u64,
    chars: u64,
    non_ascii: u64,
    /// Characters that change the text's direction.
    turning: u64,
    /// Characters without width.
    invisible: u64,
    controls: u64,
    lines: u64,
    blank: u64,
    comments: CommentLines,
    tabs: u64,
    spaces: u64,
    lf: u64,
    crlf: u64,
    cr: u64,
    longest_chars: u64,
    line: String,
    line_chars: u64,
    first_line: Option<String>,
    last: Option<char>,
}

impl Default for TextStats {
    fn default() -> Self {
        Self {
            hash: Context::new(&SHA256),
            bytes: 0,
            chars: 0,
            non_ascii: 0,
            turning: 0,
            invisible: 0,
            controls: 0,
            lines: 0,
            blank: 0,
            comments: CommentLines::default(),
            tabs: 0,
            spaces: 0,
            lf: 0,
            crlf: 0,
            cr: 0,
            longest_chars: 0,
            line: String::new(),
            line_chars: 0,
            first_line: None,
            last: None,
        }
    }
}

impl TextStats {
    pub(super) fn add(&mut self, char: char) {
        self.hash.update(char.encode_utf8(&mut [0; 4]).as_bytes());
        self.bytes += char.len_utf8() as u64;
        self.chars += 1;
        self.kind(char);
        match (self.last.replace(char), char) {
            (Some('\r'), '\n') => (self.cr, self.crlf) = (self.cr - 1, self.crlf + 1),
            (_, '\n') => {
                self.lf += 1;
                self.end_of_line();
            }
            (_, '\r') => {
                self.cr += 1;
                self.end_of_line();
            }
            _ => {
                self.line_chars += 1;
                if self.line.len() < LINE_CHARS {
                    self.line.push(char);
                }
            }
        }
    }

    fn kind(&mut self, char: char) {
        self.non_ascii += u64::from(!char.is_ascii());
        match char {
            // Counted because of Trojan Source, CVE-2021-42574: these make code look different from
            // what it does.
            '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{61c}' => {
                self.turning += 1;
            }
            '\u{ad}'
            | '\u{200b}'..='\u{200d}'
            | '\u{2060}'..='\u{2064}'
            | '\u{feff}'
            | '\u{34f}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{3164}'
            | '\u{ffa0}'
            | '\u{180e}'
            | '\u{e0000}'..='\u{e0fff}' => self.invisible += 1,
            '\t' | '\n' | '\r' => {}
            char => self.controls += u64::from(char.is_control()),
        }
    }

    fn end_of_line(&mut self) {
        self.lines += 1;
        self.longest_chars = self.longest_chars.max(self.line_chars);
        self.line_chars = 0;
        let trimmed = self.line.trim();
        if trimmed.is_empty() {
            self.blank += 1;
        } else {
            self.comments.line(trimmed);
            self.tabs += u64::from(self.line.starts_with('\t'));
            self.spaces += u64::from(self.line.starts_with(' '));
        }
        let line = std::mem::take(&mut self.line);
        self.first_line.get_or_insert(line);
    }

    /// Finishes the last line, which may have no line end.
    pub(super) fn end(&mut self) {
        if !matches!(self.last, None | Some('\n' | '\r')) {
            self.end_of_line();
        }
    }

    pub(super) fn first_line(&self) -> &str {
        self.first_line.as_deref().unwrap_or_default()
    }

    pub(super) fn text(self, name: &str, language: Option<&Language>) -> String {
        let written = self.lines - self.blank;
        let mut out = format!("{name}, {}", count(self.lines, "line"));
        let _ = match language.and_then(|language| self.comments.of(language)) {
            Some(comments) => {
                let (code, comments) = (grouped(written - comments), grouped(comments));
                write!(
                    out,
                    " ({code} of code, {comments} of comment, {} blank)",
                    grouped(self.blank)
                )
            }
            None => write!(out, " ({} blank)", grouped(self.blank)),
        };
        let _ = writeln!(out, ", {}, {}", count(self.chars, "character"), size(self.bytes));
        self.warnings(&mut out);
        let _ = writeln!(out, "longest line: {}", count(self.longest_chars, "character"));
        self.indentation(&mut out);
        self.line_ends(&mut out);
        if self.non_ascii > 0 {
            let _ = writeln!(out, "beyond ASCII: {}", count(self.non_ascii, "character"));
        }
        let _ = writeln!(out, "SHA-256 of the content: {}", hex(self.hash.finish().as_ref()));
        out
    }

    fn warnings(&self, out: &mut String) {
        for (number, what) in [
            (
                self.turning,
                " that turn the direction of text (see CVE-2021-42574): it may not be what it looks like",
            ),
            (self.invisible, " (zero width, tags, byte order marks)"),
            (self.controls, " (terminals may obey them)"),
        ] {
            let kind = match what {
                _ if number == 0 => continue,
                what if what.starts_with(" that") => "character",
                what if what.starts_with(" (zero") => "invisible character",
                _ => "control character",
            };
            let _ = writeln!(out, "WARNING: {}{what}", count(number, kind));
        }
    }

    fn indentation(&self, out: &mut String) {
        let kinds = [(self.tabs, "tabs"), (self.spaces, "spaces")];
        let kinds = kinds
            .iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, kind)| format!("{} with {kind}", count(*n, "line")));
        let line = kinds.collect::<Vec<_>>().join(", ");
        if !line.is_empty() {
            let _ = writeln!(out, "indented: {line}");
        }
    }

    fn line_ends(&self, out: &mut String) {
        let ends = [(self.lf, "LF"), (self.crlf, "CRLF"), (self.cr, "CR")];
        let ends: Vec<_> = ends
            .iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, kind)| format!("{kind} {}", grouped(*n)))
            .collect();
        let mixed = if ends.len() > 1 { " (mixed)" } else { "" };
        let last = if matches!(self.last, None | Some('\n' | '\r')) {
            ""
        } else {
            "; none after the last line"
        };
        if !ends.is_empty() {
            let _ = writeln!(out, "line ends: {}{mixed}{last}", ends.join(", "));
        }
    }
}
