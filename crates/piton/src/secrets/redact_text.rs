//! Redacts secrets in sentences, such as log lines and error messages: credentials in addresses,
//! headers that carry them, `Bearer ..` and `Basic ..`, JSON Web Tokens, tokens with a known prefix,
//! parameters of addresses with a secret's name; and secrets that are known by value.
//!
//! Every text of every log line comes through here, so the common one, which contains no secret, is
//! scanned once and not copied.

use std::borrow::Cow;

use super::known_values::redact_known_values;
use super::redact_credentials::redact_credentials;
use super::redacted::REDACTED;
use super::secret_names::{is_name_char, parameter_is_secret};
use super::token_formats::{bot_token, is_token};

/// Headers whose values are secrets. `set-cookie` and `proxy-authorization` end with one of them.
const SECRET_HEADERS: [&str; 3] = ["authorization", "cookie", "x-api-key"];

/// Words that follow "Bearer" and "Basic" in a sentence about them.
const PROSE_WORDS: [&str; 14] = [
    "access",
    "and",
    "auth",
    "authentication",
    "authorization",
    "credential",
    "credentials",
    "header",
    "is",
    "or",
    "realm",
    "scheme",
    "token",
    "tokens",
];

/// Returns the text for display, with [`REDACTED`] in place of each secret.
pub(crate) fn redact_text(text: &str) -> Cow<'_, str> {
    let safe = redact_known_values(text);
    if !may_contain_secret(safe.as_bytes()) {
        return safe;
    }
    let safe = headers(&bare_credentials(&redact_credentials(&safe)));
    Cow::Owned(bot_tokens(&tokens(&parameters(&web_tokens(&schemes(&safe))))))
}

/// Bytes that are rare in sentences and part of every pattern. Checking them first lets most lines pass
/// after one table lookup a byte.
const TRIGGERS: [bool; 256] = {
    let mut table = [false; 256];
    let bytes = b":=JBbzZkKS_-@";
    let mut index = 0;
    while index < bytes.len() {
        table[bytes[index] as usize] = true;
        index += 1;
    }
    table
};

/// Returns whether one of the patterns may match, so that the text has to be scanned for all of them.
fn may_contain_secret(text: &[u8]) -> bool {
    let mut from = 0;
    while let Some(found) = text[from..].iter().position(|byte| TRIGGERS[usize::from(*byte)]) {
        let at = from + found;
        let (before, after) = (&text[..at], &text[at + 1..]);
        let hit = match text[at] {
            b':' => after.starts_with(b"//") || may_be_of_bot(before, after),
            b'@' => before.iter().rev().take(MAX_PASSWORD_BYTES).any(|byte| *byte == b':'),
            b'=' => ends_with(before, "password") || ends_with_parameter(before),
            b'J' => before.ends_with(b"ey"),
            b'b' | b'B' => starts_with(after, "earer ") || starts_with(after, "asic "),
            b'z' | b'Z' => ends_with(before, "authori") || before.ends_with(b"AI"),
            b'S' => before.ends_with(b"A") && after.starts_with(b"IA"),
            b'_' => TOKEN_PREFIXES.iter().any(|lead| before.ends_with(lead)),
            b'-' => before.ends_with(b"glpat") || before.ends_with(b"xapp") || is_slack(before),
            _ => {
                ends_with(before, "coo")
                    || ends_with(before, "x-api-")
                    || (before.ends_with(b"A") && after.starts_with(b"IA"))
            }
        };
        if hit {
            return true;
        }
        from = at + 1;
    }
    false
}

/// The text before the `_` of the most common tokens.
const TOKEN_PREFIXES: [&[u8]; 11] = [
    b"ghp",
    b"gho",
    b"ghu",
    b"ghs",
    b"ghr",
    b"github_pat",
    b"_live",
    b"_test",
    b"sk",
    b"npm",
    b"whsec",
];

/// Returns whether the text ends in the prefix of a Slack token: `xoxb`, `xoxp`, and others.
fn is_slack(before: &[u8]) -> bool {
    before.len().checked_sub(4).is_some_and(|at| before[at..].starts_with(b"xox"))
}

/// Bytes before an `@` in which the `:` before a password is looked for.
const MAX_PASSWORD_BYTES: usize = 256;

/// Returns whether a `:` may be that of Telegram's `123456789:AAH..`.
fn may_be_of_bot(before: &[u8], after: &[u8]) -> bool {
    before.len() >= 3
        && before[before.len() - 3..].iter().all(u8::is_ascii_digit)
        && after.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// Redacts `me:pw@host:80`, and the keys of the HTTP client's connection pool, which logs the credentials of
/// a redirect's target as `("http", me:pw@host)`. Any other text without a port stays, because it may be
/// `mailto:me@host`, or a package with its version.
fn bare_credentials(text: &str) -> String {
    covered(text, |from| {
        let mut at = from;
        loop {
            let sign = at + text[at..].find('@')?;
            at = sign + 1;
            let first = from.max(sign.saturating_sub(MAX_PASSWORD_BYTES));
            let first = text.ceil_char_boundary(first).min(sign);
            let word = text[first..sign].rfind(char::is_whitespace).map_or(first, |it| first + it);
            let word = word + usize::from(text[word..].starts_with(' '));
            let end = text[sign..].find(char::is_whitespace).map_or(text.len(), |it| sign + it);
            let of_pool =
                text[..word].ends_with("(\"http\", ") || text[..word].ends_with("(\"https\", ");
            if of_pool && text[word..sign].contains(':') {
                return Some((word, text[word..end].rfind('@').map_or(sign, |last| word + last)));
            }
            let Some(colon) = text[word..sign].find(':').map(|colon| word + colon) else {
                continue;
            };
            let user = text[word..colon].rfind(|c: char| !is_name_char(c)).map_or(word, |it| {
                word + it + text[word + it..].chars().next().map_or(1, char::len_utf8)
            });
            let is_url = text[colon + 1..].starts_with("//");
            if user < colon
                && !is_url
                && sign > colon + 1
                && begins_with_host_and_port(&text[at..end])
            {
                return Some((user, sign));
            }
        }
    })
}

/// Returns whether the text begins with a host and a port, as `host:80`. `sha256:..`, which follows the name
/// of a container image, is not one.
fn begins_with_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.split_once(':') else { return false };
    let digits = port.len() - port.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    !host.is_empty()
        && host.chars().all(|c| is_name_char(c) || matches!(c, '[' | ']'))
        && !host.starts_with("sha")
        && (1..=5).contains(&digits)
        && !port[digits..].starts_with(|c: char| c.is_alphanumeric())
}

/// Redacts the tokens of Telegram's bots: `123456789:AAH..`.
fn bot_tokens(text: &str) -> String {
    covered(text, |from| {
        let mut signs = text[from..].match_indices(':').map(|(at, _)| from + at);
        signs.find_map(|at| bot_token(text, at).filter(|(start, _)| *start >= from))
    })
}

/// Maximum length of a parameter's name.
const MAX_PARAMETER_BYTES: usize = 64;

/// Returns whether the text ends in a parameter's name: `?name`, `&name`.
fn ends_with_parameter(before: &[u8]) -> bool {
    let mut name = before.iter().rev().take(MAX_PARAMETER_BYTES);
    name.find(|byte| b"?&;# /\"".contains(byte)).is_some_and(|byte| b"?&;#".contains(byte))
}

/// Redacts parameters with a secret's name: `?access_token=***`.
fn parameters(text: &str) -> String {
    covered(text, |from| {
        let mut at = from;
        loop {
            let sign = at + text[at..].find('=')?;
            at = sign + 1;
            // Bounded, because a text of many `=` would otherwise be scanned again for each of
            // them.
            let first = text.ceil_char_boundary(from.max(sign.saturating_sub(MAX_PARAMETER_BYTES)));
            let name =
                text[first..sign].rfind(['?', '&', ';', '#']).map(|it| &text[first + it + 1..sign]);
            let ends = |c: char| c.is_whitespace() || "&;#\"'`<>".contains(c);
            let is_secret = |name: &str| !name.contains(ends) && parameter_is_secret(name);
            if !name.is_some_and(is_secret) {
                continue;
            }
            let length = text[at..].find(ends).unwrap_or(text.len() - at);
            if length > 0 {
                return Some((at, at + length));
            }
        }
    })
}

/// Redacts tokens with a known prefix: `ghp_..`, `AKIA..`.
fn tokens(text: &str) -> String {
    covered(text, |from| {
        let mut at = from;
        loop {
            let start = at + text[at..].find(is_name_char)?;
            let end =
                text[start..].find(|c| !is_name_char(c)).map_or(text.len(), |end| start + end);
            if is_token(&text[start..end]) {
                return Some((start, end));
            }
            at = end;
        }
    })
}

fn starts_with(text: &[u8], word: &str) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
}

fn ends_with(text: &[u8], word: &str) -> bool {
    text.len().checked_sub(word.len()).is_some_and(|at| starts_with(&text[at..], word))
}

/// Returns the text with [`REDACTED`] in place of each range that `next` returns. `next` gets the end of the
/// range before, and searches from there.
fn covered(text: &str, mut next: impl FnMut(usize) -> Option<(usize, usize)>) -> String {
    let (mut safe, mut done) = (String::with_capacity(text.len()), 0);
    while let Some((start, end)) = next(done) {
        safe.push_str(&text[done..start]);
        safe.push_str(REDACTED);
        done = end;
    }
    safe.push_str(&text[done..]);
    safe
}

/// Redacts the values of headers: `Cookie: a=b`, `"cookie": "a=b"` as in the `{:?}` of a header map, and
/// `cookie=a`.
fn headers(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    covered(text, |from| {
        let mut at = from;
        loop {
            let names = SECRET_HEADERS.iter().filter_map(|name| {
                lower[at..].find(name).map(|found| (at + found, at + found + name.len()))
            });
            let (start, end) = names.min()?;
            match header_value(text, start, end) {
                Some(value) => return Some(value),
                None => at = end,
            }
        }
    })
}

/// Returns the range of the value of the header whose name stands from `start` to `end`.
fn header_value(text: &str, start: usize, end: usize) -> Option<(usize, usize)> {
    let rest = &text[end..];
    let after_quote = rest.trim_start_matches(['\\', '"', '\'']);
    let after_name = after_quote.trim_start_matches(' ');
    let quoted = after_quote.len() < rest.len();
    let sign = after_name.chars().next()?;
    if !(sign == ':' || sign == '=' || quoted && sign == ',') {
        return None;
    }
    let value = after_name[1..].trim_start_matches(' ');
    let value = value.strip_prefix("Some(").unwrap_or(value);
    let opening = value.trim_start_matches('\\');
    let backslashes = value.len() - opening.len();
    let (value, length) = if let Some(inside) = opening.strip_prefix('"') {
        (inside, quote_end(inside, backslashes))
    } else if let Some(items) = value.strip_prefix('[') {
        (items, items.find(']').unwrap_or(items.len()))
    } else if sign == '=' {
        let scheme =
            starts_with(value.as_bytes(), "bearer ") || starts_with(value.as_bytes(), "basic ");
        let end = value.find([' ', ',', ';', '&', '\n', '"']).unwrap_or(value.len());
        (value, if scheme { 0 } else { end })
    } else {
        (value, line_end(value, text[..start].chars().next_back()))
    };
    let at = text.len() - value.len();
    let nothing =
        length == 0 || value[..length].starts_with(REDACTED) || value.starts_with("Sensitive");
    (!nothing).then_some((at, at + length))
}

/// Returns where a quoted text ends, if `backslashes` of them stood before its opening quote.
fn quote_end(text: &str, backslashes: usize) -> usize {
    let closes = |at: usize| {
        let before = &text[..at];
        let escapes = before.len() - before.trim_end_matches('\\').len();
        if backslashes == 0 { escapes.is_multiple_of(2) } else { escapes <= backslashes }
    };
    let end = text.match_indices('"').map(|(at, _)| at).find(|at| closes(*at));
    let end = end.unwrap_or(text.len());
    text[..end].trim_end_matches('\\').len()
}

/// Returns where a value without quotes ends: at the end of the line, or at the quote that was opened before
/// the header's name.
fn line_end(value: &str, before: Option<char>) -> usize {
    let quote = before.filter(|before| matches!(before, '"' | '\'' | '`'));
    let ends = |c: char| c == '\n' || c == '\r' || Some(c) == quote;
    value.find(ends).unwrap_or(value.len())
}

/// Redacts the credentials after an authentication scheme: `Bearer abc`, `Basic dXNlcjpwYXNz`.
fn schemes(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    covered(text, |from| {
        let mut at = from;
        loop {
            let starts = ["bearer ", "basic "].iter().filter_map(|scheme| {
                lower[at..].find(scheme).map(|found| (at + found, at + found + scheme.len()))
            });
            let (start, end) = starts.min()?;
            let spaces = text[end..].len() - text[end..].trim_start_matches(' ').len();
            let credentials = end + spaces;
            let length = token_length(&text[credentials..], b"-._~+/=");
            let alone = !text[..start].ends_with(|c: char| c.is_alphanumeric());
            if alone && is_credentials(&lower[start..end], &text[credentials..credentials + length])
            {
                return Some((credentials, credentials + length));
            }
            at = end;
        }
    })
}

fn token_length(text: &str, more: &[u8]) -> usize {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || more.contains(byte);
    text.bytes().position(|byte| !part(&byte)).unwrap_or(text.len())
}

/// Returns whether the word after a scheme is credentials, not the next word of a sentence such as "Basic
/// settings".
fn is_credentials(scheme: &str, credentials: &str) -> bool {
    let word = credentials.trim_end_matches('.');
    let plain = word.len() > 3 && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let prose = scheme == "basic " && plain;
    !word.is_empty() && !prose && !PROSE_WORDS.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// Redacts JSON Web Tokens: `eyJ..` with two dots (RFC 7519; `eyJ` is `{"` in Base64).
fn web_tokens(text: &str) -> String {
    covered(text, |from| {
        let mut at = from;
        loop {
            let start = at + text[at..].find("eyJ")?;
            let length = token_length(&text[start..], b"-_.");
            if text[start..start + length].matches('.').count() >= 2 {
                return Some((start, start + length));
            }
            at = start + length;
        }
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};

    use super::*;

    #[test]
    fn credentials_leave_a_sentence_and_the_rest_stays() {
        let cases = [
            ("sent Bearer abc.def-1", "sent Bearer ***"),
            ("bearer  hunter22, then", "bearer  ***, then"),
            ("with Basic dXNlcjpodW50ZXIy.", "with Basic ***"),
            ("Basic xxx", "Basic ***"),
            ("Cookie: a=b; c=\"d\"\nnext", "Cookie: ***\nnext"),
            ("Set-Cookie: id=7; HttpOnly", "Set-Cookie: ***"),
            ("X-API-Key: hunter22", "X-API-Key: ***"),
            ("authorization=hunter22 path=/x", "authorization=*** path=/x"),
            ("authorization=Bearer hunter22 path=/x", "authorization=Bearer *** path=/x"),
            (
                "curl -H 'Authorization: Token h22' http://x",
                "curl -H 'Authorization: ***' http://x",
            ),
            ("authorization: Some(\"a\\\"b\") c", "authorization: Some(\"***\") c"),
            ("{\\\"cookie\\\": \\\"a=b\\\"} x", "{\\\"cookie\\\": \\\"***\\\"} x"),
            ("{\"cookie\":[\"a\",\"b\"],\"x\":1}", "{\"cookie\":[***],\"x\":1}"),
            ("(\"x-api-key\", \"hunter22\")", "(\"x-api-key\", \"***\")"),
            ("got eyJhbGciOiJIUzI1NiJ9.eyJpYXQiOjF9.sig-_1, ok", "got ***, ok"),
            ("redis://:pw@cache and ?password=pw&x", "redis://***@cache and ?password=***&x"),
            ("PASSWORD=hunter2", "PASSWORD=***"),
            (
                "got https://h/a?access_token=h22&b=c now",
                "got https://h/a?access_token=***&b=c now",
            ),
            ("GET /a?b=c&X-Amz-Signature=h22", "GET /a?b=c&X-Amz-Signature=***"),
            ("GET /a?acc%65ss_token=h22", "GET /a?acc%65ss_token=***"),
            ("GET /a?b=1&sig=h22&token=h22#c", "GET /a?b=1&sig=***&token=***#c"),
            ("id AKIAIOSFODNN7EXAMPLE.", "id ***"),
            ("id ASIAIOSFODNN7EXAMPLE, x", "id ***, x"),
            ("(\"http\", u:h22@127.0.0.1:1)", "(\"http\", ***@127.0.0.1:1)"),
            ("(\"https\", u:h,2@2@example.org)", "(\"https\", ***@example.org)"),
            ("(\"http\", :h22@example.org)", "(\"http\", ***@example.org)"),
            ("to u:h22@db:5432, then", "to ***@db:5432, then"),
            ("at /bot123456789:AAHdq_x/getMe", "at /***/getMe"),
            ("key_AKIAIOSFODNN7EXAMPLE", "***"),
            ("with ghp_0123456789abcdef!", "with ***!"),
            ("with github_pat_0123456789abcdef", "with ***"),
            ("with sk_live_0123456789abcdef", "with ***"),
            ("with xoxb-0123456789-abc", "with ***"),
            ("with AIzaSyA0123456789", "with ***"),
        ];
        for (given, safe) in cases {
            assert_eq!(redact_text(given), safe, "{given}");
        }
    }

    #[test]
    fn a_sentence_about_secrets_is_no_secret() {
        let cases = [
            "Missing Authorization Header",
            "the Bearer token is missing",
            "Basic settings are read, basic authentication is off",
            "a cookie a day",
            "eyJust a word. eyJ.",
            "SELECT id FROM companies WHERE zip = ?",
            "took 5ms: ok",
            "key=value",
            "GET /companies?page=2&sort=name",
            "task_test_1, disk-2, ASIA, npm_x",
            "Authorization:",
            "write to mailto:me@example.org",
            "image lab/nginx:1.27@sha256:0123456789abcdef",
            "npm:react@18.2.0, at 10:20:30 by me@example.org",
            "npm_config_cache is hf_home_directory",
        ];
        for given in cases {
            assert_eq!(redact_text(given), given);
        }
    }

    #[test]
    fn a_header_map_shows_its_harmless_headers_only() {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer hunter22"));
        headers.insert(header::COOKIE, HeaderValue::from_static("id=\"hunter22\"; x=hunter22"));
        headers.append(header::SET_COOKIE, HeaderValue::from_static("a=hunter22"));
        headers.append(header::SET_COOKIE, HeaderValue::from_static("b=hunter22"));
        headers.insert("x-api-key", HeaderValue::from_static("hunter22"));
        headers.insert(header::HOST, HeaderValue::from_static("example.org"));
        for shown in [
            format!("{headers:?}"),
            format!("{headers:#?}"),
            format!("{:?}", format!("{headers:?}")),
        ] {
            let safe = redact_text(&shown).into_owned();
            assert!(!safe.contains("hunter22") && safe.contains("example.org"), "{safe}");
        }
    }

    #[test]
    fn redacting_twice_changes_nothing() {
        for given in ["Cookie: a", "Bearer a1", "\"cookie\": \"a\"", "authorization=a"] {
            let once = redact_text(given).into_owned();
            assert_eq!(redact_text(&once), once);
        }
    }

    #[test]
    fn a_plain_text_is_not_copied() {
        assert!(matches!(
            redact_text("GET /api/companies 200 in 5 ms: kept, blue"),
            Cow::Borrowed(_)
        ));
    }
}
