//! The rules for names, as validators and as patterns of the OpenAPI document.

/// The maximum length of a name in characters.
pub const MAX_NAME_LENGTH: usize = 200;

/// The ranges of characters that a name must not consist of alone: blanks, punctuation, symbols,
/// accents without a letter.
const INVISIBLE: [(char, char); 15] = [
    ('\0', '/'),
    (':', '@'),
    ('[', '`'),
    ('{', '\u{bf}'),
    ('×', '×'),
    ('÷', '÷'),
    ('\u{300}', '\u{36f}'),
    ('\u{1680}', '\u{1680}'),
    ('\u{180e}', '\u{180e}'),
    ('\u{2000}', '\u{2bff}'),
    ('\u{2e00}', '\u{2e7f}'),
    ('\u{3000}', '\u{3020}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{fff0}', '\u{ffff}'),
];

/// The ranges of control characters, for which `char::is_control` is true.
const CONTROLS: [(char, char); 2] = [('\0', '\u{1f}'), ('\u{7f}', '\u{9f}')];

/// Requires at most 200 characters, at least one visible one, and no control character.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde calls it so")]
pub fn validate_name(name: &str, _: &()) -> garde::Result {
    if name.chars().count() > MAX_NAME_LENGTH {
        return Err(garde::Error::new("a name has at most 200 characters"));
    }
    if name.chars().any(char::is_control) {
        return Err(garde::Error::new("a name must not contain control characters"));
    }
    if !name.chars().any(|c| !is_among(c, &INVISIBLE)) {
        return Err(garde::Error::new("a name must contain a letter or a digit"));
    }
    Ok(())
}

/// Refuses control characters in a search text, because SQLite ends a pattern at a zero byte, so that
/// `%` and one would find every name, and PostgreSQL cannot store such text.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde calls it so")]
pub fn validate_search_text(text: &str, _: &()) -> garde::Result {
    if text.chars().any(char::is_control) {
        return Err(garde::Error::new("a search text must not contain control characters"));
    }
    Ok(())
}

fn is_among(c: char, ranges: &[(char, char)]) -> bool {
    ranges.iter().any(|(from, to)| (*from..=*to).contains(&c))
}

/// Returns the rules of [`validate_name`] except for the length, as a regular expression of ECMA-262.
#[must_use]
pub fn name_pattern() -> String {
    let (any, showing) = (negated_class(&CONTROLS), negated_class(&INVISIBLE));
    format!("^{any}*{showing}{any}*$")
}

/// Returns the rule of [`validate_search_text`] as a regular expression of ECMA-262.
#[must_use]
pub fn search_text_pattern() -> String {
    format!("^{}*$", negated_class(&CONTROLS))
}

fn negated_class(ranges: &[(char, char)]) -> String {
    let written = |c: char| format!("\\u{:04x}", u32::from(c));
    let ranges = ranges.iter().map(|(from, to)| match from == to {
        true => written(*from),
        false => format!("{}-{}", written(*from), written(*to)),
    });
    format!("[^{}]", ranges.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_neither_blank_nor_too_long_and_has_no_control_character() {
        for right in ["Café São João", " x ", "7", "日本", "Łódź", "名", &"x".repeat(200)]
        {
            assert!(validate_name(right, &()).is_ok(), "{right:?}");
        }
        let too_long = "x".repeat(201);
        for wrong in ["", " ", "\t", "a\t", "\u{200b}", "--", "a\u{7}b", "\u{301}", "…", &too_long]
        {
            assert!(validate_name(wrong, &()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_pattern_and_the_validator_agree_on_control_characters() {
        for c in '\0'..=char::MAX {
            assert_eq!(c.is_control(), is_among(c, &CONTROLS), "{c:?}");
        }
        assert_eq!(search_text_pattern(), r"^[^\u0000-\u001f\u007f-\u009f]*$");
        assert!(name_pattern().contains(r"\u007b-\u00bf\u00d7\u00f7\u0300-\u036f"));
    }
}
