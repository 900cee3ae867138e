//! "Did you mean ..?"

/// The name that `given` was probably meant to be.
pub(crate) fn nearest<'a>(
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

/// The key of a setting that `given` was probably meant to be: also one that stands in another
/// section, if there is only one of that name.
pub(crate) fn nearest_key<'a>(given: &str, keys: &[&'a str]) -> Option<&'a str> {
    if let Some(key) = nearest(given, keys.iter().copied()) {
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
        assert_eq!(nearest_key("log.levle", &KEYS), Some("log.level"));
        assert_eq!(nearest_key("lgo.level", &KEYS), Some("log.level"));
        assert_eq!(nearest_key("HTTP.Port", &KEYS), Some("http.port"));
    }

    #[test]
    fn a_key_in_the_wrong_section_is_found_if_there_is_only_one() {
        assert_eq!(nearest_key("port", &KEYS), Some("http.port"));
        assert_eq!(nearest_key("gunicorn.timeout", &KEYS), None);
    }

    #[test]
    fn nothing_near_is_nothing() {
        assert_eq!(nearest_key("mail.sender", &KEYS), None);
        assert_eq!(nearest("", ["ab"]), None);
    }
}
