//! Redacts values of settings, and addresses that were rejected: for error messages, and for the command
//! `config`.

use std::net::IpAddr;

use serde_json::Value;

use super::redact_credentials::{
    find_ignoring_case, redact_credentials, without_credentials, without_secret_parameters,
};
use super::redacted::REDACTED;
use super::secret_names::key_is_secret;
use crate::parse_address::{host_port, is_host};

/// Returns the value of a setting for display: [`REDACTED`] if `is_secret`, otherwise the value without
/// the credentials in it. Fields of tables are redacted by their own names, too.
pub(crate) fn redact_setting(is_secret: bool, value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::String(text) if text.is_empty() => value.clone(),
        _ if is_secret => Value::from(REDACTED),
        Value::String(text) => {
            let text = without_credentials(&without_password_word(text), &[]);
            Value::from(bare_address(&without_secret_parameters(text, &['&'])))
        }
        Value::Array(items) => items.iter().map(|item| redact_setting(false, item)).collect(),
        Value::Object(fields) => {
            let show = |(key, value): (&String, &Value)| {
                (key.clone(), redact_setting(key_is_secret(key), value))
            };
            Value::Object(fields.iter().map(show).collect())
        }
        Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// Returns an address that was rejected, for display: its scheme, a valid host and port, and
/// [`REDACTED`] for the rest. An address with a forgotten part has its password in place of that part.
pub(crate) fn redact_rejected_address(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::String(text) if text.trim().is_empty() => value.clone(),
        Value::String(text) => Value::from(scheme_host_and_port(text.trim())),
        Value::Array(items) => items.iter().map(redact_rejected_address).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), redact_rejected_address(value)))
            .collect(),
        // Redacted, because a password of digits is a number in a file.
        Value::Bool(_) | Value::Number(_) => Value::from(REDACTED),
    }
}

fn scheme_host_and_port(text: &str) -> String {
    let is_scheme = |scheme: &str| {
        (1..=12).contains(&scheme.len())
            && scheme.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'+')
    };
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
        Some(_) => return REDACTED.to_owned(),
        None => (None, text),
    };
    let lead = scheme.map(|scheme| format!("{scheme}://")).unwrap_or_default();
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let at = rest.rfind('@').filter(|at| *at < authority || rest[..*at].contains(':'));
    let (mask, place) = at.map_or(("", rest), |at| ("***@", &rest[at + 1..]));
    let (place, after) = place.split_at(place.find(['/', '?', '#']).unwrap_or(place.len()));
    let after = match after {
        "" | "/" => after.to_owned(),
        after => format!("{}{REDACTED}", &after[..1]),
    };
    let is_machine = place == "localhost" || place.parse::<IpAddr>().is_ok();
    let place = match host_port(place) {
        // Redacted, because a word alone may be the password itself.
        Ok((_, None)) if scheme.is_none() && at.is_none() && !is_machine => REDACTED.to_owned(),
        Ok(_) => place.to_owned(),
        Err(_) if place.is_empty() || is_machine => place.to_owned(),
        // The port too is redacted, because `user:123` without its host looks like one.
        Err(_) => match place.split_once(':') {
            Some((host, port)) if is_host(host) && port.bytes().all(|it| it.is_ascii_digit()) => {
                format!("{host}:{}", if port.is_empty() { "" } else { REDACTED })
            }
            _ => REDACTED.to_owned(),
        },
    };
    format!("{lead}{mask}{place}{after}")
}

/// Returns `text` with the redacted form `shown` in place of `value`, which a message may repeat.
pub(crate) fn redact_repeated_value(text: &str, value: &Value, shown: &Value) -> String {
    match (value, shown) {
        (Value::String(value), Value::String(shown)) if value != shown => {
            text.replace(value, shown)
        }
        _ => redact_credentials(text),
    }
}

/// Redacts `me:pw@host`, an address without its scheme, as `***@host`. Only for values, because in a sentence
/// such a text may mean anything.
fn bare_address(text: &str) -> String {
    if text.contains("://") {
        let items = text.split(',');
        let safe = items.map(|it| if it.contains("://") { it.into() } else { bare_address(it) });
        return safe.collect::<Vec<_>>().join(",");
    }
    let credentials = text.rfind('@').filter(|_| !is_mail(text));
    let colon = credentials.and_then(|at| text[..at].find(':'));
    let (Some(at), Some(colon)) = (credentials, colon) else { return text.to_owned() };
    // After `=` and `,`, because a table in a variable is `name=me:pw@host,..`.
    let start = text[..colon].rfind(['=', ',', ' ']).map_or(0, |before| before + 1);
    format!("{}{REDACTED}{}", &text[..start], &text[at..])
}

/// Returns whether a text is an e-mail address: `mailto:me@host`, `Snow: news <me@host>`.
fn is_mail(text: &str) -> bool {
    text.starts_with("mailto:") || (text.contains(": ") && text.ends_with('>'))
}

/// Redacts libpq's `password = 'my secret'` as `password=***`. There may be spaces around the `=`,
/// and in the value, quoted or not.
fn without_password_word(text: &str) -> String {
    const WORD: &str = "password";
    let (mut safe, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(found) = find_ignoring_case(rest, WORD).filter(|_| !text.contains("://")) {
        let (before, after) = rest.split_at(found + WORD.len());
        safe.push_str(before);
        rest = after;
        if let Some(value) = after.trim_start().strip_prefix('=') {
            safe.push('=');
            safe.push_str(REDACTED);
            rest = behind_value(value.trim_start());
        }
    }
    safe.push_str(rest);
    safe
}

/// Returns the text after a quoted value, or else from the next `name=` or `&`.
fn behind_value(text: &str) -> &str {
    if let Some(inside) = text.strip_prefix('\'') {
        let mut escaped = false;
        let end = inside.find(|c| {
            let ends = c == '\'' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        return end.map_or("", |end| &inside[end + 1..]);
    }
    let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let begins = |at: &usize| {
        let word = text[*at..].trim_start();
        let rest = word.trim_start_matches(of_name);
        rest.len() < word.len() && rest.trim_start().starts_with('=')
    };
    let mut spaces = text.match_indices(char::is_whitespace).map(|(at, _)| at);
    let word = spaces.find(begins);
    let end = word.into_iter().chain(text.find('&')).min();
    end.map_or("", |end| &text[end..])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parameters_are_secret_by_their_names() {
        for (text, safe) in [
            ("https://h/hook?access_token=hunter2", "https://h/hook?access_token=***"),
            ("https://h/hook?a=1&sig=hunter2&b=2", "https://h/hook?a=1&sig=***&b=2"),
            ("https://h?auth=hunter2", "https://h?auth=***"),
            ("https://h?pw=hun ter2", "https://h?pw=***"),
            ("https://h?API%5FKEY=hunter2", "https://h?API%5FKEY=***"),
            ("https://h#access_token=hunter2&a=1", "https://h#access_token=***&a=1"),
            ("https://h?token=&a=1", "https://h?token=&a=1"),
            ("https://h?page=2&sort=asc", "https://h?page=2&sort=asc"),
        ] {
            assert_eq!(redact_setting(false, &json!(text)), json!(safe));
        }
    }

    #[test]
    fn of_a_refused_address_only_scheme_host_and_port_stay() {
        for (text, safe) in [
            ("redis://user:SECRET", "redis://***"),
            ("redis://user:123456", "redis://user:***"),
            ("u:SECRET:h:80", "***"),
            ("h:80:u:SECRET", "***"),
            ("redis://h/SECRET", "redis://h/***"),
            ("redis://h:6379/0#SECRET", "redis://h:6379/***"),
            ("redis://h#SECRET", "redis://h#***"),
            ("redis://h?x=SECRET", "redis://h?***"),
            ("redis-cli -h h -a SECRET", "***"),
            ("SECRET@host:6379", "***@host:6379"),
            ("redis://me:SE/CRET@host/x", "redis://***@host/***"),
            ("SECRET", "***"),
            ("SECRET://h", "***"),
            ("cache:6379", "cache:6379"),
            ("127.0.0.1", "127.0.0.1"),
            ("ftp://proxy", "ftp://proxy"),
            ("http://:80", "http://***"),
            ("http://", "http://"),
            ("", ""),
        ] {
            let scheme_is_secret = text.starts_with("SECRET://");
            let text =
                if scheme_is_secret { text.replace("SECRET", "hunter2") } else { text.into() };
            assert_eq!(redact_rejected_address(&json!(text)), json!(safe), "{text}");
        }
        assert_eq!(redact_rejected_address(&json!({"a": "u:SECRET"})), json!({"a": "***"}));
        assert_eq!(redact_rejected_address(&json!(123_456)), json!("***"));
    }

    #[test]
    fn credentials_leave_a_value_that_is_an_address_without_its_scheme() {
        for (text, safe) in [
            ("me:pw@host:80", "***@host:80"),
            (":pw@host", "***@host"),
            ("me:p@s:s@host", "***@host"),
            ("a=me:pw@host:80", "a=***@host:80"),
            ("a=h:1,b=me:p,w@host:80", "a=***@host:80"),
            ("a=tcp://h:1,b=me:pw@host:80", "a=tcp://h:1,b=***@host:80"),
            ("me@host:80", "me@host:80"),
            ("mailto:me@host", "mailto:me@host"),
            ("Snow: news <me@host>", "Snow: news <me@host>"),
            ("postgres://me:pw@db", "postgres://***@db"),
            ("redis://me:Xy7,Qp2k@cache:6379", "redis://***@cache:6379"),
            ("postgres://me:p/w\" 1?#2@db/x", "postgres://***@db/x"),
            ("https://example.org/a@b", "https://example.org/a@b"),
        ] {
            assert_eq!(redact_setting(false, &json!(text)), json!(safe));
        }
    }

    #[test]
    fn a_password_among_words_leaves_with_all_its_spaces_and_quotes() {
        for (text, safe) in [
            ("h password=pw port=1", "h password=*** port=1"),
            ("h password = pw port = 1", "h password=*** port = 1"),
            ("password='my \\' pw' port=1", "password=*** port=1"),
            ("password=my own pw port=1", "password=*** port=1"),
            ("password=my own pw", "password=***"),
            ("password='my own pw", "password=***"),
            ("password=pw&a=b", "password=***&a=b"),
            ("password policy", "password policy"),
        ] {
            assert_eq!(redact_setting(false, &json!(text)), json!(safe));
        }
    }

    #[test]
    fn secrets_are_hidden_inside_lists_and_tables() {
        let value = json!({"peers": [{"url": "http://a:b@c", "token": "t"}], "n": 1});
        let safe = json!({"peers": [{"url": "http://***@c", "token": "***"}], "n": 1});
        assert_eq!(redact_setting(false, &value), safe);
        assert_eq!(redact_setting(true, &value), json!("***"));
        assert_eq!(redact_setting(true, &json!("")), json!(""));
    }
}
