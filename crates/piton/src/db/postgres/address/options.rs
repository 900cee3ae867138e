//! The parameter `options` of a PostgreSQL address.

use crate::db::address_fault::AddressFault;

/// Parses `-c name=value`, `-cname=value` and `--name=value`. A backslash escapes the next
/// character.
pub(super) fn parse_options(text: &str) -> Result<Vec<(String, String)>, AddressFault> {
    let wrong = || {
        AddressFault::new(
            "`options` is not a list of `-c name=value`",
            "write `-c name=value`, such as `-c search_path=shop`; a space in a value is `\\ `",
        )
    };
    let mut words: Vec<String> = Vec::new();
    let (mut word, mut open) = (String::new(), false);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                word.push(chars.next().ok_or_else(wrong)?);
                open = true;
            }
            c if c.is_whitespace() => {
                if std::mem::take(&mut open) {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => {
                word.push(c);
                open = true;
            }
        }
    }
    if open {
        words.push(word);
    }
    let mut found = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let pair = match word.strip_prefix("--").or_else(|| word.strip_prefix("-c")) {
            Some("") => words.next().ok_or_else(wrong)?,
            Some(pair) => pair.to_owned(),
            None => return Err(wrong()),
        };
        let (name, value) = pair.split_once('=').ok_or_else(wrong)?;
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
        {
            return Err(wrong());
        }
        found.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(found)
}
