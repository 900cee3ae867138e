//! Formats numbers, sizes, durations, quotations and tables.

use piton::secrets::{contains_secret, redact_url};
use std::fmt::Write;

use crate::ashirt::is_invisible;

/// Escapes characters that are invisible or change the text's direction. Returns at most `max_chars`
/// characters.
pub(super) fn escape_invisible(text: &str, max_chars: usize) -> String {
    let (mut out, mut left) = (String::new(), max_chars);
    for char in text.chars() {
        let escapes = is_invisible(char) || char.is_control();
        let escaped = escapes.then(|| char.escape_default().to_string());
        let length = escaped.as_ref().map_or(1, String::len);
        if length > left {
            out.push('…');
            break;
        }
        left -= length;
        match escaped {
            Some(escaped) => out.push_str(&escaped),
            None => out.push(char),
        }
    }
    out
}

/// Returns the text, or a note in its place if it holds a secret: where a secret ends is a guess, and half of one
/// would be shown if it is wrong.
pub(super) fn redact_if_secret(text: String) -> String {
    let holds_url = text
        .split(|c: char| c.is_whitespace() || "\"'`<>".contains(c))
        .any(|word| (word.contains("//") || word.contains('?')) && redact_url(word) != word);
    if holds_url || contains_secret(&text) { "(its text holds a secret)".to_owned() } else { text }
}

/// Formats a count with its noun: `1 request`, `12,345 requests`.
pub(super) fn count(number: u64, what: &str) -> String {
    let plural = match what.strip_suffix('y') {
        _ if number == 1 => what.to_owned(),
        Some(stem) => format!("{stem}ies"),
        None => format!("{what}s"),
    };
    format!("{} {plural}", grouped(number))
}

/// Formats a number with separators: `12,345`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Formats a size in decimal units, as browsers do: `512 bytes`, `1.5 kB`, `12.3 MB`.
pub(super) fn size(bytes: u64) -> String {
    let (mut amount, mut unit) = (bytes as f64, None);
    for next in ["kB", "MB", "GB", "TB", "PB", "EB"] {
        if amount < 999.95 {
            break;
        }
        (amount, unit) = (amount / 1000.0, Some(next));
    }
    match unit {
        None => count(bytes, "byte"),
        Some(unit) => format!("{amount:.1} {unit}"),
    }
}

/// Formats a duration: `850 ms`, `12.3 s`, `4 min 05 s`, `2 h 04 min`.
pub(super) fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match seconds {
        ..0.9995 => format!("{:.0} ms", seconds.max(0.0) * 1000.0),
        ..59.95 => format!("{seconds:.1} s"),
        ..3599.5 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", grouped(whole / 3600), whole / 60 % 60),
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Describes the beginning of a file that is not of the expected format.
pub(super) fn describe_start(head: &[u8]) -> String {
    let known = match head {
        [] => Some("the file is empty"),
        [0x1f, 0x8b, ..] => Some("it is compressed with gzip, unpack it first"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("it is compressed with zstd, unpack it first"),
        [b'P', b'K', 3, 4, ..] => Some("it is a ZIP archive, unpack it first"),
        [b'%', b'P', b'D', b'F', ..] => Some("it is a PDF document"),
        [0x89, b'P', b'N', b'G', ..] => Some("it is a PNG image"),
        [0xff, 0xd8, 0xff, ..] => Some("it is a JPEG image"),
        _ if is_html(head) => Some("it is an HTML page, perhaps of an error"),
        _ if head.trim_ascii_start().starts_with(b"<svg") => {
            Some("it is an SVG drawing, which is text")
        }
        _ if head.iter().all(|byte| *byte == 0) => Some("it has nothing but zeros"),
        _ => None,
    };
    known.map_or_else(|| format!("it begins with {}", quoted(head)), str::to_owned)
}

fn is_html(head: &[u8]) -> bool {
    let head = head.trim_ascii_start().to_ascii_lowercase();
    [&b"<!doctype html"[..], b"<html", b"<head", b"<body"].iter().any(|mark| head.starts_with(mark))
}

/// Quotes the first characters: enough to tell formats apart, too few to reveal a secret.
fn quoted(head: &[u8]) -> String {
    let few = &head[..head.len().min(12)];
    match std::str::from_utf8(few) {
        Ok(text) if !text.chars().any(char::is_control) => {
            format!("“{}”", escape_invisible(text, 12))
        }
        _ => format!("the bytes {}", hex(&few[..few.len().min(8)])),
    }
}

/// Aligns the columns of a table. Columns with `right` set are right-aligned.
pub(super) fn table(rows: &[Vec<String>], right: &[bool]) -> String {
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..right.len()).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::from(" ");
        for ((cell, width), right) in row.iter().zip(&widths).zip(right) {
            let _ = if *right {
                write!(line, " {cell:>width$} ")
            } else {
                write!(line, " {cell:<width$} ")
            };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Counts values, and reports the most frequent ones. Distinguishes a bounded number of values.
#[derive(Default)]
pub(super) struct FrequencyCount {
    counts: std::collections::HashMap<String, u64>,
    others: u64,
}

impl FrequencyCount {
    pub(super) fn add(&mut self, what: String) {
        if self.counts.len() < 200 || self.counts.contains_key(&what) {
            *self.counts.entry(what).or_default() += 1;
        } else {
            self.others += 1;
        }
    }

    /// Formats the counts of at most `max_values` values: `GET (12), POST (3), others (4)`. Empty without
    /// values.
    pub(super) fn line(&self, max_values: usize) -> String {
        let mut all: Vec<_> = self.counts.iter().collect();
        all.sort_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
        let mut parts: Vec<String> = all
            .iter()
            .take(max_values)
            .map(|(what, n)| format!("{what} ({})", grouped(**n)))
            .collect();
        let left = self.others + all.iter().skip(max_values).map(|(_, n)| **n).sum::<u64>();
        if left > 0 {
            parts.push(format!("others ({})", grouped(left)));
        }
        parts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::{FrequencyCount, count, duration, escape_invisible, redact_if_secret, size, table};

    #[test]
    fn figures_are_written_for_people() {
        assert_eq!(
            [count(1, "entry"), count(12_345, "entry"), count(0, "host")],
            ["1 entry", "12,345 entries", "0 hosts"]
        );
        assert_eq!(
            [0, 1, 999, 1000, 999_949, 999_950].map(size),
            ["0 bytes", "1 byte", "999 bytes", "1.0 kB", "999.9 kB", "1.0 MB"]
        );
        assert_eq!(size(u64::MAX), "18.4 EB");
        assert_eq!(
            [-1.0, 0.85, 0.9996, 59.94, 59.96, 3599.4].map(duration),
            ["0 ms", "850 ms", "1.0 s", "59.9 s", "1 min 00 s", "59 min 59 s"]
        );
        assert_eq!(duration(7440.0), "2 h 04 min");
        assert_eq!(duration(f64::MAX), "5,124,095,576,030,431 h 00 min");
    }

    #[test]
    fn a_quotation_with_a_secret_is_not_quoted() {
        for text in [
            "curl -u me:SEKRETpw https://a/",
            "curl 'https://a/?access_token=SEKRET'",
            "curl https://a/x;jsessionid=SEKRET",
            "curl https://h/?code=SEKRET",
            "curl -H 'Authorization: Bearer SEKRET1' https://a",
            "mysql -phunter2",
            "PGPASSWORD=SEKRET psql",
            "ssh://me:pa/SEKRET@h",
        ] {
            assert_eq!(redact_if_secret(text.to_owned()), "(its text holds a secret)", "{text}");
        }
        for text in ["bash -l", "nmap -p80 example.org", "curl https://a/?page=2", "what?", ""] {
            assert_eq!(redact_if_secret(text.to_owned()), text);
        }
    }

    #[test]
    fn what_could_deceive_is_made_visible() {
        assert_eq!(
            escape_invisible("a\0\u{1b}\u{9b}\n\u{202e}\u{2066}\u{200b}\u{61c}é日", 80),
            r"a\u{0}\u{1b}\u{9b}\n\u{202e}\u{2066}\u{200b}\u{61c}é日"
        );
        assert_eq!(
            [
                escape_invisible("abcdef", 3),
                escape_invisible("abc", 3),
                escape_invisible("ab\0", 3)
            ],
            ["abc…", "abc", "ab…"]
        );
    }

    #[test]
    fn a_tally_tells_the_most_frequent_first_and_forgets_none() {
        let mut tally = FrequencyCount::default();
        for number in 0..500 {
            tally.add(number.to_string());
            tally.add("x".to_owned());
        }
        assert_eq!(tally.line(2), "x (500), 0 (1), others (499)");
        assert_eq!(FrequencyCount::default().line(2), "");
    }

    #[test]
    fn columns_of_a_table_stand_in_line() {
        let rows = [["a", "100"], ["bcd", "5"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows, &[false, true]), "  a    100\n  bcd    5\n");
    }
}
