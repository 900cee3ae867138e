//! Patterns of node names, as Python's `fnmatch` reads them.

/// Returns whether all of `text` matches `pattern`, in which `*` is any text, `?` any character, `[seq]` one of some
/// characters and `[!seq]` one of all others. Case matters, and nothing escapes.
///
/// Looks back to the last `*` alone, since a pattern comes from whoever can publish: one of many stars, or a regular
/// expression, could take hours.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    // The last `*`, and where the text that it stands for ends. Only the last one ever has to take more.
    let mut last_star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&'*') {
            last_star = Some((p, t));
            p += 1;
        } else if let Some(length) = matched_length(&pattern[p..], text[t]) {
            (p, t) = (p + length, t + 1);
        } else if let Some((star, end)) = last_star {
            (p, t) = (star + 1, end + 1);
            last_star = Some((star, end + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|rest| *rest == '*')
}

/// Returns the length of the element at the beginning of `pattern`, if `character` matches it. A `*` is not one.
fn matched_length(pattern: &[char], character: char) -> Option<usize> {
    match pattern.first()? {
        '?' => Some(1),
        '[' => match set_length(pattern) {
            Some(length) => set_contains(&pattern[1..length - 1], character).then_some(length),
            // A bracket that is not closed stands for itself.
            None => (character == '[').then_some(1),
        },
        first => (*first == character).then_some(1),
    }
}

/// Returns the length of a set with its brackets. A `]` that comes first is one of its characters.
fn set_length(pattern: &[char]) -> Option<usize> {
    let first = if pattern.get(1) == Some(&'!') { 2 } else { 1 };
    let end = pattern.iter().skip(first + 1).position(|character| *character == ']')?;
    Some(first + 1 + end + 1)
}

fn set_contains(set: &[char], character: char) -> bool {
    let (is_negated, mut rest) = match set {
        ['!', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut is_member = false;
    while let [first, after @ ..] = rest {
        // A range whose ends are in the wrong order is empty, as in Python.
        if let ['-', last, after @ ..] = after {
            is_member |= (first..=last).contains(&&character);
            rest = after;
        } else {
            is_member |= *first == character;
            rest = after;
        }
    }
    is_member != is_negated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_matches(pattern: &str, matching: &[&str], others: &[&str]) {
        for text in matching {
            assert!(matches(pattern, text), "`{text}` matches `{pattern}`");
        }
        for text in others {
            assert!(!matches(pattern, text), "`{text}` does not match `{pattern}`");
        }
    }

    #[test]
    fn a_pattern_matches_the_whole_name() {
        assert_matches("w1@vm", &["w1@vm"], &["w1@vm2", "aw1@vm", "W1@vm", ""]);
        assert_matches("*@vm", &["w1@vm", "@vm", "a@b@vm"], &["w1@vm2"]);
        assert_matches("w?@*", &["w1@", "w2@vm"], &["w12@vm", "w@vm"]);
        assert_matches("", &[""], &["a"]);
        assert_matches("**", &["", "a", "a\nb"], &[]);
        assert_matches("*a*b*c", &["abc", "aabbcc", "xaxbxc"], &["acb", "ab"]);
    }

    #[test]
    fn a_set_is_one_character() {
        assert_matches("w[12]@vm", &["w1@vm", "w2@vm"], &["w3@vm", "w12@vm", "w@vm"]);
        assert_matches("w[!12]@vm", &["w3@vm"], &["w1@vm", "w@vm"]);
        assert_matches("w[0-9a-c]", &["w5", "wb"], &["wd", "w-"]);
        assert_matches("[]]", &["]"], &["[", ""]);
        assert_matches("[!]]", &["a"], &["]"]);
        assert_matches("[]-a]", &["]", "^", "a"], &["-", "b"]);
    }

    #[test]
    fn characters_of_sets_are_those_of_python() {
        // Each line was held against Python 3.11's `fnmatch`.
        assert_matches("[a-]", &["a", "-"], &["b"]);
        assert_matches("[-a]", &["a", "-"], &["b"]);
        assert_matches("[a-c-e]", &["b", "-", "e"], &["d"]);
        assert_matches("[--0]", &["-", ".", "/", "0"], &["1"]);
        assert_matches("[c-a]", &[], &["a", "b", "c", "-"]);
        assert_matches("[!c-a]", &["b", "-"], &[]);
        assert_matches("[^a]", &["^", "a"], &["b"]);
        assert_matches("[\\a]", &["\\", "a"], &["b"]);
        assert_matches("[!]", &["[!]"], &["a"]);
        assert_matches("[a", &["[a"], &["a"]);
        assert_matches("[", &["["], &["a"]);
        assert_matches("a\\*", &["a\\", "a\\b"], &["a*"]);
    }

    #[test]
    fn a_pattern_of_many_stars_is_matched_in_time() {
        assert!(!matches(&"*a".repeat(500), &"a".repeat(499)));
        assert!(!matches(&format!("{}b", "*a".repeat(200)), &"a".repeat(2000)));
    }
}
