//! Text that ASHIRT can store.
//!
//! ASHIRT keeps content and metadata in columns of 65,535 bytes whose character set ends at U+FFFF.
//! A text that does not fit fails in its database after the response was accepted, and the evidence
//! stays "processing" indefinitely.

use std::borrow::Cow;

/// Maximum number of bytes of a text that ASHIRT can store.
pub const MAX_TEXT_BYTES: usize = 65_535;

/// Mark at the end of a text that was cut off.
const CUT: &str = "\n[.. cut off here: ASHIRT stores no more]";

/// Returns `text` as ASHIRT can store it and people can read it: characters beyond U+FFFF, such as
/// emoji, become U+FFFD; invisible ones, and those that turn the direction of the text after them,
/// are written out (`\\u{202e}`); text beyond [`MAX_TEXT_BYTES`] is cut off at the end of a
/// character, and marked as cut.
///
/// ```
/// use ashirt_worker::ashirt::{MAX_TEXT_BYTES, storable};
///
/// assert_eq!(storable("caf\u{e9} \u{1f600}"), "caf\u{e9} \u{fffd}");
/// assert_eq!(storable("gpj\u{202e}.exe"), r"gpj\u{202e}.exe");
/// assert!(storable(&"\u{e9}".repeat(40_000)).len() <= MAX_TEXT_BYTES);
/// ```
#[must_use]
pub fn storable(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_TEXT_BYTES && text.chars().all(|c| c <= '\u{ffff}' && !is_invisible(c)) {
        return Cow::Borrowed(text);
    }
    let mut stored = String::with_capacity(text.len().min(MAX_TEXT_BYTES + 1));
    for c in text.chars() {
        match c {
            '\u{10000}'.. => stored.push(char::REPLACEMENT_CHARACTER),
            c if is_invisible(c) => stored.extend(c.escape_default()),
            c => stored.push(c),
        }
        if stored.len() > MAX_TEXT_BYTES {
            stored.truncate(stored.floor_char_boundary(MAX_TEXT_BYTES - CUT.len()));
            stored.push_str(CUT);
            break;
        }
    }
    Cow::Owned(stored)
}

/// Returns whether `c` is a control character other than a line end or a tab, turns the direction
/// of the text around it, or has no width: such characters make a reason or a name read as
/// something else. Variation selectors are not included, because they belong to signs such as `⚠`.
pub(crate) fn is_invisible(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' => {
            true
        }
        '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' => true,
        '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' => true,
        '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}' => true,
        c => c.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_not_touched() {
        for text in ["", "plain", "caf\u{e9} \u{4e16}\u{ffff}", &"x".repeat(MAX_TEXT_BYTES)] {
            assert!(matches!(storable(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn what_is_too_long_is_cut_at_a_character_whatever_its_width() {
        for width in ["a", "\u{e9}", "\u{4e16}", "\u{1f600}"] {
            for lead in 0..4 {
                let text = "x".repeat(lead) + &width.repeat(70_000);
                let stored = storable(&text);
                assert!(stored.len() <= MAX_TEXT_BYTES, "{}", stored.len());
                assert!(stored.len() > MAX_TEXT_BYTES - 4, "{}", stored.len());
                assert!(stored.ends_with(CUT) && stored.chars().all(|c| c <= '\u{ffff}'));
            }
        }
    }

    #[test]
    fn what_cannot_be_seen_is_written_out_and_stays_so() {
        let text =
            "a\u{202e}b\u{2066}\u{200f}\u{61c}\u{200b}\u{feff}\u{ad}\u{7}\u{1b}\rc\n\td⚠\u{fe0f}";
        let stored = storable(text);
        assert_eq!(
            stored,
            "a\\u{202e}b\\u{2066}\\u{200f}\\u{61c}\\u{200b}\\u{feff}\\u{ad}\\u{7}\\u{1b}\\rc\n\td⚠\u{fe0f}"
        );
        assert!(matches!(storable(&stored), Cow::Borrowed(_)));
        assert!(storable(&"\u{202e}".repeat(100_000)).len() <= MAX_TEXT_BYTES);
    }

    #[test]
    fn one_byte_more_is_one_too_many() {
        let text = "x".repeat(MAX_TEXT_BYTES + 1);
        assert_eq!(storable(&text).len(), MAX_TEXT_BYTES);
        // Four bytes become three: what was too long may fit.
        let wide = "\u{1f600}".repeat(MAX_TEXT_BYTES / 3);
        assert_eq!(storable(&wide), "\u{fffd}".repeat(MAX_TEXT_BYTES / 3));
    }
}
