//! Normalizes text for searching.

/// Returns `text` in lower case and without the accents of Portuguese and related languages, so that
/// "sao" finds "São".
#[must_use]
pub fn fold_for_search(text: &str) -> String {
    let letters = text.chars().flat_map(char::to_lowercase).filter(|c| !is_combining(*c));
    letters.map(without_accent).collect()
}

/// Returns whether `letter` is an accent that follows its letter as a character of its own, as in
/// macOS's file names.
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
    fn case_and_accents_are_ignored() {
        assert_eq!(fold_for_search("AÇÃO São João & Irmãos"), "acao sao joao & irmaos");
        assert_eq!(fold_for_search("Sa\u{303}o Joa\u{303}o"), "sao joao");
        assert_eq!(fold_for_search("日本"), "日本");
    }
}
