//! Makes invisible characters of a value visible, by naming them.
//!
//! A space after a password, a line end that `echo` wrote into a secret, a character that changes the direction
//! of the text: none can be seen, and each is a frequent reason for a look at the page.

use serde::Serialize;

/// A part of a value: visible text, or the name of an invisible character.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct TextSegment {
    pub text: String,
    /// True if the text is the name of invisible characters.
    pub invisible: bool,
}

/// Maximum length of the visible text of one value in bytes. A longer one is not a secret that people read,
/// and would fill many pages.
const MAX_BYTES: usize = 8 * 1024;

/// Maximum number of invisible characters of one value that are named, because each is an element of the page.
const MAX_INVISIBLE: usize = 200;

/// Splits a value into segments. Returns them, and the number of bytes at the end that are in none. Spaces and
/// line ends are visible between other characters, and invisible at the ends of the value.
pub(super) fn visible_segments(value: &str) -> (Vec<TextSegment>, usize) {
    let inside = value.trim();
    let start = value.len() - value.trim_start().len();
    let inside = start..start + inside.len();
    let mut segments: Vec<TextSegment> = Vec::new();
    let (mut visible_bytes, mut invisible_segments) = (0, 0);
    let mut chars = value.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if visible_bytes >= MAX_BYTES || invisible_segments >= MAX_INVISIBLE {
            return (segments, value.len() - at);
        }
        let invisible =
            |at: usize, c: char| !is_visible(c) || (c.is_whitespace() && !inside.contains(&at));
        if invisible(at, c) {
            let mut count = 1;
            while chars.next_if(|(at, next)| *next == c && invisible(*at, *next)).is_some() {
                count += 1;
            }
            invisible_segments += 1;
            segments.push(TextSegment { text: name(c, count), invisible: true });
        } else {
            visible_bytes += c.len_utf8();
            match segments.last_mut() {
                Some(last) if !last.invisible => last.text.push(c),
                _ => segments.push(TextSegment { text: c.to_string(), invisible: false }),
            }
        }
    }
    (segments, 0)
}

fn name(c: char, count: usize) -> String {
    let name = match c {
        ' ' => "space".to_owned(),
        '\n' => "line end".to_owned(),
        '\r' => "return".to_owned(),
        '\t' => "tab".to_owned(),
        '\0' => "NUL".to_owned(),
        c => format!("U+{:04X}", u32::from(c)),
    };
    if count == 1 { name } else { format!("{name} ×{count}") }
}

/// Returns whether a character is visible, or separates visible ones.
fn is_visible(c: char) -> bool {
    match c {
        '\n' | '\t' | ' ' => true,
        // Blank although Unicode does not call them ignorable: Braille without a dot, marks around annotations.
        '\u{2800}' | '\u{fff9}'..='\u{fffb}' => false,
        // Default_Ignorable_Code_Point of Unicode: joiners, variants, fillers, marks of direction.
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' => {
            false
        }
        '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' => false,
        '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' => false,
        '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' => false,
        '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' => false,
        c => !c.is_control() && (!c.is_whitespace()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the value with the names of invisible characters in brackets.
    fn shown(value: &str) -> String {
        let segment = |segment: TextSegment| match segment.invisible {
            true => format!("[{}]", segment.text),
            false => segment.text,
        };
        let (segments, rest) = visible_segments(value);
        assert_eq!(rest, 0, "{value}");
        segments.into_iter().map(segment).collect()
    }

    #[test]
    fn invisible_characters_are_named() {
        for (value, expected) in [
            ("", ""),
            ("plain text", "plain text"),
            ("two\n  lines", "two\n  lines"),
            (" a b ", "[space]a b[space]"),
            ("secret\n", "secret[line end]"),
            ("a\r\n\r\n", "a[return][line end][return][line end]"),
            ("   ", "[space ×3]"),
            ("a\0b", "a[NUL]b"),
            ("\u{202e}gpj.exe", "[U+202E]gpj.exe"),
            ("a\u{200b}\u{200b}b", "a[U+200B ×2]b"),
            ("\u{feff}x", "[U+FEFF]x"),
            ("a\u{1b}[31m", "a[U+001B][31m"),
            ("non\u{a0}breaking", "non[U+00A0]breaking"),
            ("ünïcödé 日本 👍", "ünïcödé 日本 👍"),
        ] {
            assert_eq!(shown(value), expected);
        }
    }

    #[test]
    fn a_long_run_is_one_piece() {
        assert_eq!(shown(&" ".repeat(60_000)), "[space ×60000]");
    }

    #[test]
    fn characters_without_width_are_named() {
        for c in "\u{34f}\u{fe00}\u{fe0f}\u{2800}\u{17b4}\u{17b5}\u{180b}\u{180d}\u{200d}\u{e0101}"
            .chars()
        {
            assert_eq!(shown(&format!("a{c}b")), format!("a[U+{:04X}]b", u32::from(c)));
        }
    }

    #[test]
    fn a_long_value_is_cut_and_the_rest_is_counted() {
        let (shown, rest) = visible_segments(&"ä".repeat(5_000));
        assert_eq!((shown[0].text.len(), shown.len(), rest), (8 * 1024, 1, 10_000 - 8 * 1024));
        let (shown, rest) = visible_segments(&"\u{1}\u{2}".repeat(1_000));
        assert_eq!((shown.len(), rest), (200, 1_800));
        assert_eq!(visible_segments(&"x".repeat(8 * 1024)).1, 0);
    }
}
