//! Redacts the credentials of the addresses in a text, and the values of their secret parameters: for log
//! lines, error messages and values of settings.

use super::redacted::REDACTED;
use super::secret_names::parameter_is_secret;

/// Redacts the credentials of all addresses in a text: `postgres://***@db/x`, `?password=***`.
pub(crate) fn redact_credentials(text: &str) -> String {
    without_secret_parameters(
        without_credentials(text, &[' ', '\n', '`', '"']),
        &['&', '#', ' ', '\n', '`', '"'],
    )
}

/// Redacts the credentials of each address in a text: everything up to the last `@`, if a `:` precedes it.
/// People paste passwords without encoding, so that one may contain what ends an authority by RFC 3986 (`/`,
/// `?`, `#`, `,`). An address ends at one of `ends`, where the next one begins, and before `,name=` of a table.
pub(super) fn without_credentials(text: &str, ends: &[char]) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (before, after) = rest.split_at(start + 3);
        safe.push_str(before);
        let end = after.find(ends).unwrap_or(after.len());
        let end = next_item(&after[..end]);
        let authority = after[..end].find(['/', '?', '#', ',']).unwrap_or(end);
        let credentials = after[..end].rfind('@');
        rest = match credentials.filter(|at| *at < authority || after[..*at].contains(':')) {
            Some(at) => {
                safe.push_str(REDACTED);
                &after[at..]
            }
            None => after,
        };
    }
    safe.push_str(rest);
    safe
}

/// Returns where the next address begins, or the next entry of a table.
fn next_item(text: &str) -> usize {
    let of_name = |c: char| c.is_ascii_alphanumeric() || "+-._".contains(c);
    let scheme = text.find("://").map(|at| text[..at].trim_end_matches(of_name).len());
    let begins = |at: &usize| {
        let name = text[at + 1..].trim_start_matches(of_name);
        name.len() < text.len() - at - 1 && name.starts_with('=')
    };
    let entry = text.match_indices(',').map(|(at, _)| at).find(begins);
    scheme.into_iter().chain(entry).min().unwrap_or(text.len())
}

/// Redacts the values of parameters whose names mark a secret, each up to one of `ends`, and of
/// `password=` anywhere.
pub(super) fn without_secret_parameters(text: String, ends: &[char]) -> String {
    let text = without_parameter(text, "password=");
    let (mut safe, mut rest) = (String::with_capacity(text.len()), &*text);
    while let Some(start) = rest.find(['?', '&', '#', ';']) {
        let (before, after) = rest.split_at(start + 1);
        safe.push_str(before);
        rest = after;
        let name = after.find(|c: char| "=?&#; `\"\n".contains(c)).unwrap_or(after.len());
        if !after[name..].starts_with('=') || !parameter_is_secret(&after[..name]) {
            continue;
        }
        let (lead, value) = after.split_at(name + 1);
        safe.push_str(lead);
        let end = value.find(ends).unwrap_or(value.len());
        if end > 0 {
            safe.push_str(REDACTED);
        }
        rest = &value[end..];
    }
    safe.push_str(rest);
    safe
}

fn without_parameter(mut text: String, lead: &str) -> String {
    let mut from = 0;
    while let Some(found) = find_ignoring_case(&text[from..], lead) {
        let start = from + found + lead.len();
        let end = text[start..].find(['&', ' ', '`', '"']).map_or(text.len(), |end| start + end);
        text.replace_range(start..end, REDACTED);
        from = start + REDACTED.len();
    }
    text
}

/// Returns the position of the first `word` in the text, in letters of either case.
pub(super) fn find_ignoring_case(text: &str, word: &str) -> Option<usize> {
    let mut places = text.as_bytes().windows(word.len());
    places.position(|place| place.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_leave_addresses_and_the_rest_stays() {
        let cases = [
            ("postgres://me:p@ss@db:5432/x", "postgres://***@db:5432/x"),
            ("redis://:pw@cache", "redis://***@cache"),
            ("a://u@b, c://v:w@d", "a://***@b, c://***@d"),
            ("pg://h/x?password=pw&ssl=1", "pg://h/x?password=***&ssl=1"),
            ("https://example.org/a@b", "https://example.org/a@b"),
            ("unix:///s?db=1&pass=hunter2&user=me", "unix:///s?db=1&pass=***&user=me"),
            ("unix:///s?pass=hunter2", "unix:///s?pass=***"),
            ("plain", "plain"),
            ("redis://me:Xy7,Qp2k@cache:6379", "redis://***@cache:6379"),
            ("say postgres://me:p/w?1#2@db/x now", "say postgres://***@db/x now"),
            ("a://u:p@b,c://v:w@d", "a://***@b,c://***@d"),
            ("http://h:80/x, me@there", "http://h:80/x, me@there"),
        ];
        for (text, safe) in cases {
            assert_eq!(redact_credentials(text), safe);
        }
    }

    #[test]
    fn a_secret_parameter_in_a_sentence_ends_at_a_space() {
        assert_eq!(
            redact_credentials("see http://h?secret=hunter2 there"),
            "see http://h?secret=*** there"
        );
    }
}
