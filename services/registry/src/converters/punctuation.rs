//! Removes the punctuation of written numbers.

/// Returns `text` without the blanks around it and without its punctuation marks. A mark is removed
/// once, and only at its position: after the given number of other characters. Any other character
/// stays, so that the caller refuses it.
pub(super) fn remove_punctuation(text: &str, marks: &[(usize, char)]) -> String {
    let mut bare = String::with_capacity(text.len());
    let mut marks = marks.iter().peekable();
    for character in text.trim_matches(' ').chars() {
        while marks.next_if(|(place, _)| *place < bare.len()).is_some() {}
        if marks.next_if_eq(&&(bare.len(), character)).is_none() {
            bare.push(character);
        }
    }
    bare
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_removed_only_at_its_position() {
        let bare = |text| remove_punctuation(text, &[(1, '.'), (2, '-')]);
        for (written, wanted) in [
            (" 1.2-3 ", "123"),
            ("123", "123"),
            ("12-3", "123"),
            ("1..23", "1.23"),
            (".123", ".123"),
            ("1-23", "1-23"),
            ("123-", "123-"),
        ] {
            assert_eq!(bare(written), wanted, "{written}");
        }
    }
}
