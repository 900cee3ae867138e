//! Text that ASHIRT can store.
//!
//! It keeps content in a column of 65,535 bytes whose character set ends at U+FFFF. What does not fit
//! fails in its database after the answer was taken, and the evidence stays "processing" for ever.

use std::borrow::Cow;

/// The most bytes of content that ASHIRT can store.
pub const LONGEST_CONTENT: usize = 65_535;

/// Stands where text was cut off.
const CUT: &str = "\n[.. cut off here: ASHIRT stores no more]";

/// `text` as ASHIRT can store it: characters beyond U+FFFF, such as emoji, become U+FFFD, and what
/// exceeds [`LONGEST_CONTENT`] is cut off at the end of a character, and says so.
///
/// ```
/// use ashirt_worker::protocol::{LONGEST_CONTENT, storable};
///
/// assert_eq!(storable("caf\u{e9} \u{1f600}"), "caf\u{e9} \u{fffd}");
/// assert!(storable(&"\u{e9}".repeat(40_000)).len() <= LONGEST_CONTENT);
/// ```
#[must_use]
pub fn storable(text: &str) -> Cow<'_, str> {
    let narrow = narrowed(text);
    if narrow.len() <= LONGEST_CONTENT {
        return narrow;
    }
    let end = narrow.floor_char_boundary(LONGEST_CONTENT - CUT.len());
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
        for text in ["", "plain", "caf\u{e9} \u{4e16}\u{ffff}", &"x".repeat(LONGEST_CONTENT)] {
            assert!(matches!(storable(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn what_is_too_long_is_cut_at_a_character_whatever_its_width() {
        for width in ["a", "\u{e9}", "\u{4e16}", "\u{1f600}"] {
            for lead in 0..4 {
                let text = "x".repeat(lead) + &width.repeat(70_000);
                let stored = storable(&text);
                assert!(stored.len() <= LONGEST_CONTENT, "{}", stored.len());
                assert!(stored.len() > LONGEST_CONTENT - 4, "{}", stored.len());
                assert!(stored.ends_with(CUT) && stored.chars().all(|c| c <= '\u{ffff}'));
            }
        }
    }

    #[test]
    fn one_byte_more_is_one_too_many() {
        let text = "x".repeat(LONGEST_CONTENT + 1);
        assert_eq!(storable(&text).len(), LONGEST_CONTENT);
        // Four bytes become three: what was too long may fit.
        let wide = "\u{1f600}".repeat(LONGEST_CONTENT / 3);
        assert_eq!(storable(&wide), "\u{fffd}".repeat(LONGEST_CONTENT / 3));
    }
}
