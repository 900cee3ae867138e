//! What a name may be, in the words of the code and in those of the document.

/// The most characters of a name.
pub const MOST: usize = 200;

/// Characters that show nothing, or nothing a name could do with alone: blanks, punctuation, symbols,
/// accents without a letter. From, to.
const SILENT: [(char, char); 15] = [
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

/// What `char::is_control` is true of.
const CONTROLS: [(char, char); 2] = [('\0', '\u{1f}'), ('\u{7f}', '\u{9f}')];

/// At most 200 characters, one of which shows something, none of them a control character.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde calls it so")]
pub fn is_a_name(name: &str, _: &()) -> garde::Result {
    if name.chars().count() > MOST {
        return Err(garde::Error::new("a name has at most 200 characters"));
    }
    if name.chars().any(char::is_control) {
        return Err(garde::Error::new("a name has no control characters"));
    }
    if !name.chars().any(|c| !is_among(c, &SILENT)) {
        return Err(garde::Error::new("a name must not be blank: it has a letter or a digit"));
    }
    Ok(())
}

/// What is looked for in names may be anything but control characters. SQLite ends a pattern at a zero
/// byte, so that `%` and one would find everything; PostgreSQL has no such text at all.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde calls it so")]
pub fn is_writing(text: &str, _: &()) -> garde::Result {
    if text.chars().any(char::is_control) {
        return Err(garde::Error::new("a name has no control characters, so none has these"));
    }
    Ok(())
}

fn is_among(c: char, ranges: &[(char, char)]) -> bool {
    ranges.iter().any(|(from, to)| (*from..=*to).contains(&c))
}

/// [`is_a_name`] but for the length, as a pattern of ECMA-262.
#[must_use]
pub fn name_pattern() -> String {
    let (any, showing) = (none_of(&CONTROLS), none_of(&SILENT));
    format!("^{any}*{showing}{any}*$")
}

/// [`is_writing`] as a pattern of ECMA-262.
#[must_use]
pub fn writing_pattern() -> String {
    format!("^{}*$", none_of(&CONTROLS))
}

fn none_of(ranges: &[(char, char)]) -> String {
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
    fn a_name_is_neither_blank_nor_endless_nor_controls_anything() {
        for right in ["Café São João", " x ", "7", "日本", "Łódź", "名", &"x".repeat(200)]
        {
            assert!(is_a_name(right, &()).is_ok(), "{right:?}");
        }
        let endless = "x".repeat(201);
        for wrong in ["", " ", "\t", "a\t", "\u{200b}", "--", "a\u{7}b", "\u{301}", "…", &endless]
        {
            assert!(is_a_name(wrong, &()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_pattern_says_of_control_characters_what_the_code_says() {
        for c in '\0'..=char::MAX {
            assert_eq!(c.is_control(), is_among(c, &CONTROLS), "{c:?}");
        }
        assert_eq!(writing_pattern(), r"^[^\u0000-\u001f\u007f-\u009f]*$");
        assert!(name_pattern().contains(r"\u007b-\u00bf\u00d7\u00f7\u0300-\u036f"));
    }
}
