//! Parses libpq's keyword/value form: `host=db port=6432`.

use super::parameters::{PARAMETERS, unknown_parameter, written_twice};
use super::server_address::ServerAddress;
use crate::db::address_fault::AddressFault;

/// Returns whether `text` begins like the keyword/value form: `name=`, with optional spaces around
/// the `=`.
pub(in crate::db) fn is_keyword_value(text: &str) -> bool {
    let name = text.split('=').next().unwrap_or_default();
    let name = name.trim_end();
    text.contains('=')
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Parses the keyword/value form. Values with spaces stand in single quotes, and a backslash
/// escapes the next character.
pub(super) fn parse_keywords(text: &str) -> Result<ServerAddress, AddressFault> {
    parse_keywords_after(text, 0)
}

/// Parses words that stand after `words_before` others, for the number in a message.
pub(super) fn parse_keywords_after(
    text: &str,
    words_before: usize,
) -> Result<ServerAddress, AddressFault> {
    let mut address = ServerAddress::default();
    let mut seen: Vec<String> = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let name = &rest[..end];
        let Some(value) = rest[end..].trim_start().strip_prefix('=') else {
            return Err(AddressFault::new(
                format!("word {} is not `name=value`", seen.len() + words_before + 1),
                "write `name=value`; a value with spaces stands in single quotes",
            ));
        };
        let (value, behind) = word(value.trim_start())?;
        if seen.iter().any(|known| known == name) {
            return Err(if is_keyword_value(&format!("{name}=")) {
                written_twice(name)
            } else {
                unknown_parameter("")
            });
        }
        // A word after an unquoted password is left out of messages, because it may be the rest of
        // the password.
        let hidden = seen.last().is_some_and(|last| last == "password");
        let known = PARAMETERS.contains(&name) || name == "options";
        address.set(if known || !hidden { name } else { "" }, value)?;
        seen.push(name.to_owned());
        rest = behind.trim_start();
    }
    address.check_ports()?;
    Ok(address)
}

/// Returns the value at the beginning of `text`, and the text after it.
fn word(text: &str) -> Result<(String, &str), AddressFault> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut chars = text.char_indices().skip(usize::from(quoted));
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            '\'' if quoted => {
                let behind = &text[at + 1..];
                if behind.starts_with(|c: char| !c.is_whitespace()) {
                    break;
                }
                return Ok((value, behind));
            }
            c if c.is_whitespace() && !quoted => return Ok((value, &text[at..])),
            c => value.push(c),
        }
    }
    if quoted {
        return Err(AddressFault::new(
            "a quoted value does not end where it should",
            "close it with `'`; a quote in it is `\\'`",
        ));
    }
    Ok((value, ""))
}
