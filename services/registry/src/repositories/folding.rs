//! Text as a search sees it.

/// `text` in lower case and without the accents of Portuguese and its neighbours, so that "sao"
/// finds "São".
#[must_use]
pub fn folded(text: &str) -> String {
    let letters = text.chars().flat_map(char::to_lowercase).filter(|c| !is_combining(*c));
    letters.map(without_accent).collect()
}

/// An accent that stands as a character of its own after its letter, as macOS writes names of files.
fn is_combining(letter: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&letter)
}

fn without_accent(letter: char) -> char {
    match letter {
        'á' | 'à' | 'â' | 'ã' | 'ä' | 'å' => 'a',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'í' | 'ì' | 'î' | 'ï' => 'i',
        'ó' | 'ò' | 'ô' | 'õ' | 'ö' => 'o',
        'ú' | 'ù' | 'û' | 'ü' => 'u',
        'ç' => 'c',
        'ñ' => 'n',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_accents_do_not_count() {
        assert_eq!(folded("AÇÃO São João & Irmãos"), "acao sao joao & irmaos");
        assert_eq!(folded("Sa\u{303}o Joa\u{303}o"), "sao joao");
        assert_eq!(folded("日本"), "日本");
    }
}
