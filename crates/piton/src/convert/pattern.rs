//! Regular expressions for the OpenAPI document, and templates such as `9999-99-99`.

use std::fmt::Write;

/// Returns a pattern that matches any of `words`, ignoring ASCII case. Use it for a converter that
/// compares with `eq_ignore_ascii_case`.
///
/// ```
/// assert_eq!(piton::convert::case_insensitive_pattern(["SP", "RJ"]), "^([Ss][Pp]|[Rr][Jj])$");
/// ```
#[must_use]
pub fn case_insensitive_pattern<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let mut pattern = String::from("^(");
    for (index, word) in words.into_iter().enumerate() {
        if index > 0 {
            pattern.push('|');
        }
        word.chars().for_each(|letter| push_both_cases(&mut pattern, letter));
    }
    pattern + ")$"
}

/// Adds `[Aa]` for a letter. ECMA-262 patterns in JSON Schema have no flag that ignores case.
fn push_both_cases(pattern: &mut String, letter: char) {
    if letter.is_ascii_alphabetic() {
        let (upper, lower) = (letter.to_ascii_uppercase(), letter.to_ascii_lowercase());
        write!(pattern, "[{upper}{lower}]").expect("writing to a String does not fail");
    } else {
        if letter.is_ascii_punctuation() && letter != '_' {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
}

/// Returns whether `text` matches `template`, in which `9` stands for any ASCII digit and every other
/// byte for itself.
pub(super) fn matches_template(text: &[u8], template: &[u8]) -> bool {
    let matches = |(byte, wanted): (&u8, &u8)| {
        if *wanted == b'9' { byte.is_ascii_digit() } else { byte == wanted }
    };
    text.len() == template.len() && text.iter().zip(template).all(matches)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn punctuation_in_the_words_of_a_pattern_is_escaped() {
        assert_eq!(case_insensitive_pattern(["A.b", "1_2"]), r"^([Aa]\.[Bb]|1_2)$");
    }
}
