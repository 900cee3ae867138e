//! Suggestions for misspelled names: "did you mean ..?"

/// Returns the name that is most similar to `given`, if one is similar enough: at most a third of its letters
/// differ.
pub(crate) fn suggest<'a>(
    given: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let given = given.to_lowercase();
    let tolerance = (given.chars().count() / 3).max(1);
    names
        .into_iter()
        .map(|name| (strsim::osa_distance(&given, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= tolerance)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Returns the key of a setting that is most similar to `given`, or the only one of that name in another
/// section.
pub(crate) fn suggest_key<'a>(given: &str, keys: &[&'a str]) -> Option<&'a str> {
    if let Some(key) = suggest(given, keys.iter().copied()) {
        return Some(key);
    }
    let name = last(given);
    let mut same = keys.iter().copied().filter(|key| last(key).eq_ignore_ascii_case(name));
    same.next().filter(|_| same.next().is_none())
}

fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 4] = ["http.port", "http.timeout", "log.level", "db.timeout"];

    #[test]
    fn a_slip_of_the_pen_finds_its_key() {
        assert_eq!(suggest_key("log.levle", &KEYS), Some("log.level"));
        assert_eq!(suggest_key("lgo.level", &KEYS), Some("log.level"));
        assert_eq!(suggest_key("HTTP.Port", &KEYS), Some("http.port"));
    }

    #[test]
    fn a_key_in_the_wrong_section_is_found_if_there_is_only_one() {
        assert_eq!(suggest_key("port", &KEYS), Some("http.port"));
        assert_eq!(suggest_key("gunicorn.timeout", &KEYS), None);
    }

    #[test]
    fn nothing_near_is_nothing() {
        assert_eq!(suggest_key("mail.sender", &KEYS), None);
        assert_eq!(suggest("", ["ab"]), None);
    }
}
