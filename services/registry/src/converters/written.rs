//! Numbers as people write them: with punctuation, and blanks around them.

/// `text` without the blanks around it and without each mark that stands where it belongs: as many
/// characters from the beginning as its number says, once. Any other stays, and is refused by who reads on.
pub(super) fn bare(text: &str, marks: &[(usize, char)]) -> String {
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
    fn a_mark_is_left_out_only_where_it_belongs() {
        let bare = |text| bare(text, &[(1, '.'), (2, '-')]);
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
