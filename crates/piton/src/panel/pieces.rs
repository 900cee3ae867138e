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

/// The value in pieces. Spaces and line ends count as seen between others, and not at its ends.
pub(super) fn pieces(value: &str) -> Vec<Piece> {
    let inside = value.trim();
    let start = value.len() - value.trim_start().len();
    let inside = start..start + inside.len();
    let mut pieces: Vec<Piece> = Vec::new();
    let mut chars = value.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let unseen =
            |at: usize, c: char| !is_seen(c) || (c.is_whitespace() && !inside.contains(&at));
        if unseen(at, c) {
            let mut count = 1;
            while chars.next_if(|(at, next)| *next == c && unseen(*at, *next)).is_some() {
                count += 1;
            }
            pieces.push(Piece { text: name(c, count), unseen: true });
        } else {
            match pieces.last_mut() {
                Some(last) if !last.unseen => last.text.push(c),
                _ => pieces.push(Piece { text: c.to_string(), unseen: false }),
            }
        }
    }
    pieces
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
        // Joiners and marks of direction, and what else has no width or is a space by name only.
        '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{3164}' | '\u{ffa0}' => {
            false
        }
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => false,
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}' => false,
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
        pieces(value).into_iter().map(piece).collect()
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
}
