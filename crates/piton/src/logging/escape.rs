//! Escapes text for a line of the log, so that a value can neither forge a second line nor control the
//! terminal.

use std::fmt::Write;

use tracing::Metadata;

/// Escapes text for the inside of a JSON string. Characters that control a terminal or end a line are
/// escaped too, although JSON does not require it.
pub(super) fn json(out: &mut String, text: &str) {
    let (mut done, mut from) = (0, 0);
    while let Some(found) = next_special(&text[from..], JSON_SPECIAL | UNSAFE_START) {
        let at = from + found;
        let Some(c) = text[at..].chars().next() else { break };
        from = at + c.len_utf8();
        if !matches!(c, '"' | '\\') && !is_unsafe(c) {
            continue;
        }
        out.push_str(&text[done..at]);
        done = from;
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
        }
    }
    out.push_str(&text[done..]);
}

/// First bytes of characters that may be unsafe in any format: a quick check before the exact one.
const UNSAFE_START: u8 = 1;

/// Bytes that only JSON escapes.
const JSON_SPECIAL: u8 = 2;

const BYTE_CLASSES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = UNSAFE_START;
        byte += 1;
    }
    table[0x7f] = UNSAFE_START;
    table[0xc2] = UNSAFE_START;
    table[0xd8] = UNSAFE_START;
    table[0xe2] = UNSAFE_START;
    table[0xef] = UNSAFE_START;
    table[b'"' as usize] = JSON_SPECIAL;
    table[b'\\' as usize] = JSON_SPECIAL;
    table
};

/// Returns the position of the next byte of these classes.
fn next_special(text: &str, kinds: u8) -> Option<usize> {
    text.bytes().position(|byte| BYTE_CLASSES[usize::from(byte)] & kinds != 0)
}

/// Returns whether `c` is a control character, one of Unicode's two line ends, changes the
/// direction of writing (so that a line reads as something else), or has no width (so that two
/// texts read as one). All of these lie below U+10000.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Returns the longest prefix of `text` that fits into `room` bytes when it is escaped, in any format.
pub(super) fn prefix_that_fits(text: &str, room: usize) -> &str {
    /// The longest escape, `\u{202e}`.
    const MAX_ESCAPE_BYTES: usize = 8;
    if text.len() * MAX_ESCAPE_BYTES <= room {
        return text;
    }
    // Begins with the two quotes around a value.
    let mut used = 2;
    let does_not_fit = |(_, c): &(usize, char)| {
        used += match c {
            '"' | '\\' => 2,
            c if is_unsafe(*c) => MAX_ESCAPE_BYTES,
            c => c.len_utf8(),
        };
        used > room
    };
    let end = text.char_indices().find(does_not_fit).map_or(text.len(), |(at, _)| at);
    &text[..end]
}

/// Escapes a message for people. Further lines are indented, so that none looks like a line of the log.
pub(super) fn message(out: &mut String, text: &str) {
    escape(out, text, |out, c| match c {
        '\n' => out.push_str("\n    "),
        '\t' => out.push('\t'),
        c => out.extend(c.escape_default()),
    });
}

/// Escapes the value of a field for people, in quotes if its end would not be clear otherwise.
pub(super) fn value(out: &mut String, text: &str) {
    let opens = text.starts_with(['"', '[', '{']);
    let quoted =
        text.is_empty() || (!opens && text.contains(|c: char| c.is_whitespace() || c == '"'));
    if !quoted {
        return escape(out, text, |out, c| out.extend(c.escape_default()));
    }
    out.push('"');
    for (index, part) in text.split('"').enumerate() {
        if index > 0 {
            out.push_str("\\\"");
        }
        escape(out, part, |out, c| out.extend(c.escape_default()));
    }
    out.push('"');
}

/// Copies all but unsafe characters.
fn escape(out: &mut String, text: &str, replace: impl Fn(&mut String, char)) {
    let (mut done, mut from) = (0, 0);
    while let Some(found) = next_special(&text[from..], UNSAFE_START) {
        let at = from + found;
        let Some(c) = text[at..].chars().next() else { break };
        from = at + c.len_utf8();
        if is_unsafe(c) {
            out.push_str(&text[done..at]);
            done = from;
            replace(out, c);
        }
    }
    out.push_str(&text[done..]);
}

/// Writes the name of the logger in Python's spelling: `gear.gnar_app`.
pub(super) fn logger_name(line: &mut String, metadata: &Metadata<'_>) {
    // Escaped because a target, though a constant of the program, may be any text.
    let mut rest = metadata.target();
    while let Some(at) = rest.find(':') {
        json(line, &rest[..at]);
        let after = &rest[at + 1..];
        line.push(if after.starts_with(':') { '.' } else { ':' });
        rest = after.strip_prefix(':').unwrap_or(after);
    }
    json(line, rest);
}

#[cfg(test)]
mod tests {
    fn escaped(escape: fn(&mut String, &str), text: &str) -> String {
        let mut out = String::new();
        escape(&mut out, text);
        out
    }

    #[test]
    fn escaped_json_is_read_back_unchanged() {
        let all: String =
            (0..=0x2_ff_u32).filter_map(char::from_u32).chain(['\u{2028}', '🦀']).collect();
        let text = format!("\"{}\"", escaped(super::json, &all));
        assert_eq!(serde_json::from_str::<String>(&text).expect("it is JSON"), all);
    }

    #[test]
    fn a_message_cannot_forge_a_line_or_colour_a_terminal() {
        let text = "a\n2018-07-09 INFO forged\r\u{1b}[31mred\u{9b}";
        let safe = "a\n    2018-07-09 INFO forged\\r\\u{1b}[31mred\\u{9b}";
        assert_eq!(escaped(super::message, text), safe);
    }

    #[test]
    fn control_characters_and_line_ends_are_escaped() {
        let text = "a\u{2028}b\u{2029}c\u{7f}d\u{85}e\u{202e}f\u{2066}g\u{1b}[2J\u{0}";
        let safe = "a\\u{2028}b\\u{2029}c\\u{7f}d\\u{85}e\\u{202e}f\\u{2066}g\\u{1b}[2J\\u{0}";
        assert_eq!(escaped(super::message, text), safe);
        assert_eq!(escaped(super::value, text), format!("\"{safe}\""));
        let json = "a\\u2028b\\u2029c\\u007fd\\u0085e\\u202ef\\u2066g\\u001b[2J\\u0000";
        assert_eq!(escaped(super::json, text), json);
        let kept = "é € “quoted” 🦀 \u{a0}";
        assert_eq!(escaped(super::message, kept), kept);
        assert_eq!(escaped(super::json, kept), kept);
    }

    #[test]
    fn a_prefix_that_fits_is_never_longer_than_allowed_in_any_format() {
        let text = "a\"\\\n\u{202e}é🦀\u{1b}".repeat(40);
        for room in 0..600 {
            let fitting = super::prefix_that_fits(&text, room);
            for escape in [super::json, super::message, super::value] {
                assert!(fitting.is_empty() || escaped(escape, fitting).len() <= room, "{room}");
            }
        }
        assert_eq!(super::prefix_that_fits("short", 7), "short");
        assert_eq!(super::prefix_that_fits("short", 6), "shor");
    }

    #[test]
    fn a_value_is_quoted_only_when_its_end_is_not_clear() {
        let cases = [
            ("plain", "plain"),
            ("/a?b=c", "/a?b=c"),
            ("", "\"\""),
            ("two words", "\"two words\""),
            ("it \"is\"", "\"it \\\"is\\\"\""),
            ("[1, 2]", "[1, 2]"),
            ("\"debug text\"", "\"debug text\""),
            ("a\nb", "\"a\\nb\""),
            ("\u{1b}[0m", "\\u{1b}[0m"),
        ];
        for (text, safe) in cases {
            assert_eq!(escaped(super::value, text), safe);
        }
    }
}
