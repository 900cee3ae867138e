//! A value in pieces: what can be seen, and what cannot and is named instead.
//!
//! A space behind a password, a line end that `echo` has put into a secret, a character that turns the
//! direction of the text: each looks like nothing, and each is why somebody is looking at the page.

use serde::Serialize;

/// A piece of a value.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Piece {
    pub text: String,
    /// Whether the text names characters that cannot be seen.
    pub unseen: bool,
}

/// What a page shows of one value: a longer one is no secret that somebody reads, and would be many
/// pages; every named character takes a piece of its own.
const MOST_BYTES: usize = 8 * 1024;
const MOST_UNSEEN: usize = 200;

/// The value in pieces, and how many bytes of its end are in none of them. Spaces and line ends count as
/// seen between others, and not at its ends.
pub(super) fn pieces(value: &str) -> (Vec<Piece>, usize) {
    let inside = value.trim();
    let start = value.len() - value.trim_start().len();
    let inside = start..start + inside.len();
    let mut pieces: Vec<Piece> = Vec::new();
    let (mut shown_bytes, mut unseen_pieces) = (0, 0);
    let mut chars = value.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if shown_bytes >= MOST_BYTES || unseen_pieces >= MOST_UNSEEN {
            return (pieces, value.len() - at);
        }
        let unseen =
            |at: usize, c: char| !is_seen(c) || (c.is_whitespace() && !inside.contains(&at));
        if unseen(at, c) {
            let mut count = 1;
            while chars.next_if(|(at, next)| *next == c && unseen(*at, *next)).is_some() {
                count += 1;
            }
            unseen_pieces += 1;
            pieces.push(Piece { text: name(c, count), unseen: true });
        } else {
            shown_bytes += c.len_utf8();
            match pieces.last_mut() {
                Some(last) if !last.unseen => last.text.push(c),
                _ => pieces.push(Piece { text: c.to_string(), unseen: false }),
            }
        }
    }
    (pieces, 0)
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

/// Whether the character can be seen, or makes room between others.
fn is_seen(c: char) -> bool {
    match c {
        '\n' | '\t' | ' ' => true,
        // Braille without a dot, and marks around annotations.
        '\u{2800}' | '\u{fff9}'..='\u{fffb}' => false,
        // What Unicode calls ignorable: joiners, variants, fillers, marks of direction.
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

    /// Unseen pieces in brackets.
    fn written(value: &str) -> String {
        let piece = |piece: Piece| match piece.unseen {
            true => format!("[{}]", piece.text),
            false => piece.text,
        };
        let (pieces, rest) = pieces(value);
        assert_eq!(rest, 0, "{value}");
        pieces.into_iter().map(piece).collect()
    }

    #[test]
    fn what_cannot_be_seen_is_named() {
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
            assert_eq!(written(value), expected);
        }
    }

    #[test]
    fn a_long_run_is_one_piece() {
        assert_eq!(written(&" ".repeat(60_000)), "[space ×60000]");
    }

    #[test]
    fn characters_without_width_are_named() {
        for c in "\u{34f}\u{fe00}\u{fe0f}\u{2800}\u{17b4}\u{17b5}\u{180b}\u{180d}\u{200d}\u{e0101}"
            .chars()
        {
            assert_eq!(written(&format!("a{c}b")), format!("a[U+{:04X}]b", u32::from(c)));
        }
    }

    #[test]
    fn of_a_long_value_the_beginning_is_shown_and_the_rest_is_counted() {
        let (shown, rest) = pieces(&"ä".repeat(5_000));
        assert_eq!((shown[0].text.len(), shown.len(), rest), (8 * 1024, 1, 10_000 - 8 * 1024));
        let (shown, rest) = pieces(&"\u{1}\u{2}".repeat(1_000));
        assert_eq!((shown.len(), rest), (200, 1_800));
        assert_eq!(pieces(&"x".repeat(8 * 1024)).1, 0);
    }
}
