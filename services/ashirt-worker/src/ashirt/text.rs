//! Text that ASHIRT can store.
//!
//! It keeps content and metadata in columns of 65,535 bytes whose character set ends at U+FFFF. What does not fit
//! fails in its database after the answer was taken, and the evidence stays "processing" for ever.

use std::borrow::Cow;

/// The most bytes of text that ASHIRT can store.
pub const LONGEST_TEXT: usize = 65_535;

/// Stands where text was cut off.
const CUT: &str = "\n[.. cut off here: ASHIRT stores no more]";

/// `text` as ASHIRT can store it: characters beyond U+FFFF, such as emoji, become U+FFFD, and what
/// exceeds [`LONGEST_TEXT`] is cut off at the end of a character, and says so.
///
/// ```
/// use ashirt_worker::ashirt::{LONGEST_TEXT, storable};
///
/// assert_eq!(storable("caf\u{e9} \u{1f600}"), "caf\u{e9} \u{fffd}");
/// assert!(storable(&"\u{e9}".repeat(40_000)).len() <= LONGEST_TEXT);
/// ```
#[must_use]
pub fn storable(text: &str) -> Cow<'_, str> {
    let narrow = narrowed(text);
    if narrow.len() <= LONGEST_TEXT {
        return narrow;
    }
    let end = narrow.floor_char_boundary(LONGEST_TEXT - CUT.len());
    Cow::Owned(format!("{}{CUT}", &narrow[..end]))
}

fn narrowed(text: &str) -> Cow<'_, str> {
    // What is beyond U+FFFF takes four bytes, and nothing else begins with such a byte.
    if text.bytes().all(|byte| byte < 0xf0) {
        return Cow::Borrowed(text);
    }
    let narrow = |c: char| if c > '\u{ffff}' { char::REPLACEMENT_CHARACTER } else { c };
    Cow::Owned(text.chars().map(narrow).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_not_touched() {
        for text in ["", "plain", "caf\u{e9} \u{4e16}\u{ffff}", &"x".repeat(LONGEST_TEXT)] {
            assert!(matches!(storable(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn what_is_too_long_is_cut_at_a_character_whatever_its_width() {
        for width in ["a", "\u{e9}", "\u{4e16}", "\u{1f600}"] {
            for lead in 0..4 {
                let text = "x".repeat(lead) + &width.repeat(70_000);
                let stored = storable(&text);
                assert!(stored.len() <= LONGEST_TEXT, "{}", stored.len());
                assert!(stored.len() > LONGEST_TEXT - 4, "{}", stored.len());
                assert!(stored.ends_with(CUT) && stored.chars().all(|c| c <= '\u{ffff}'));
            }
        }
    }

    #[test]
    fn one_byte_more_is_one_too_many() {
        let text = "x".repeat(LONGEST_TEXT + 1);
        assert_eq!(storable(&text).len(), LONGEST_TEXT);
        // Four bytes become three: what was too long may fit.
        let wide = "\u{1f600}".repeat(LONGEST_TEXT / 3);
        assert_eq!(storable(&wide), "\u{fffd}".repeat(LONGEST_TEXT / 3));
    }
}
