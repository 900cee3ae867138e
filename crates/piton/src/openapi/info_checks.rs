//! Checks of the general information: URLs, email addresses, licences.

use std::borrow::Cow;

use super::info::OpenApi;
use super::settings::SECTION;
use crate::config::{Origin, Problem, Problems};

/// Returns the reason why `text` is not a valid URL. Does not quote it, because it may hold a password.
fn url_fault(text: &str) -> Option<&'static str> {
    let is_odd = |c: char| !c.is_ascii_graphic() || "<>\"\\^`{}|".contains(c);
    if text.contains(is_odd) {
        return Some("invalid URL: it has characters that are not allowed");
    }
    let Some((_, rest)) = text.split_once("://").filter(|(scheme, _)| is_http(scheme)) else {
        return Some("expected a URL that begins with `https://` or `http://`");
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    authority_fault(&rest[..end]).or_else(|| encoding_fault(&rest[end..]))
}

fn is_http(scheme: &str) -> bool {
    ["http", "https"].iter().any(|known| known.eq_ignore_ascii_case(scheme))
}

fn authority_fault(authority: &str) -> Option<&'static str> {
    if authority.contains('@') {
        return Some(
            "the URL has a user or a password, which every reader of the document would see",
        );
    }
    let after_bracket = authority.find(']').map_or(0, |at| at + 1);
    let (host, port) = match authority[after_bracket..].find(':') {
        Some(at) => (&authority[..after_bracket + at], Some(&authority[after_bracket + at + 1..])),
        None => (authority, None),
    };
    let is_name = |host: &str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        host.strip_suffix('.')
            .unwrap_or(host)
            .split('.')
            .all(|label| !label.is_empty() && label.chars().all(is_plain))
    };
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => is_name(host),
    };
    let is_port = |port: &str| {
        port.bytes().all(|byte| byte.is_ascii_digit())
            && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    if host.is_empty() {
        Some("invalid URL: no host")
    } else if !is_host {
        Some("invalid URL: the host is neither a name nor an address")
    } else if !port.is_none_or(is_port) {
        Some("invalid URL: the port is not from 1 to 65535")
    } else {
        None
    }
}

fn encoding_fault(path: &str) -> Option<&'static str> {
    let is_encoded = |rest: &str| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let is_right = path.split('%').skip(1).all(is_encoded);
    (!is_right).then_some("invalid URL: two hexadecimal digits must follow `%`")
}

/// Returns the reason why `text` is not a valid server: a URL or a path, to which paths can be appended.
fn server_fault(text: &str) -> Option<&'static str> {
    if text.contains(['?', '#']) {
        return Some("a server has no query and no fragment, because paths are appended to it");
    }
    match text.strip_prefix('/') {
        Some(rest) if rest.starts_with('/') => Some("a path begins with one `/`"),
        Some(_) => {
            let is_odd = |c: char| !c.is_ascii_graphic() || "<>\"\\^`{}|".contains(c);
            match text.contains(is_odd) {
                true => Some("invalid path: it has characters that are not allowed"),
                false => encoding_fault(text),
            }
        }
        None => url_fault(text),
    }
}

/// A value that is not valid in the document.
pub(super) struct InfoProblem {
    /// The setting, without its section.
    pub name: &'static str,
    pub why: String,
    pub fix: &'static str,
}

/// Returns the problems of the general information and of `servers`.
pub(super) fn info_problems<'a>(
    info: &OpenApi,
    servers: impl ExactSizeIterator<Item = &'a str>,
) -> Vec<InfoProblem> {
    let of = |text: &Option<Cow<'static, str>>| text.clone().unwrap_or_default();
    let (email, url) = (of(&info.contact_email), of(&info.contact_url));
    let mut problems = Vec::new();
    let mut add =
        |name, why: &str, fix| problems.push(InfoProblem { name, why: why.to_owned(), fix });
    if !email.is_empty() && !is_email(&email) {
        add("contact_email", "expected an email address", "write `name@example.org`");
    }
    if let Some(why) = url_fault(&url).filter(|_| !url.is_empty()) {
        add("contact_url", why, "write `https://example.org`");
    }
    if of(&info.license).contains(char::is_control) {
        let fix = "write an SPDX expression such as `MIT OR Apache-2.0`";
        add("license", "expected one line without control characters", fix);
    }
    let count = servers.len();
    for (at, server) in servers.enumerate() {
        let Some(why) = server_fault(server) else { continue };
        let which =
            if count == 1 { String::new() } else { format!("number {} of the list: ", at + 1) };
        add("servers", &format!("{which}{why}"), "write `https://example.org/api` or `/api`");
    }
    problems
}

/// Returns the problems of the general information in the code.
pub(super) fn problems_of_code(code: &OpenApi) -> Problems {
    let mut problems = Problems::new();
    for InfoProblem { name, why, fix } in
        info_problems(code, code.servers.iter().map(|[url, _]| &**url))
    {
        let mut problem = Problem::new(format!("{SECTION}.{name}"), why, fix);
        if let Some(source) = code.source {
            problem = problem.at(Origin::Code(source.to_string()));
        }
        problems.0.push(problem);
    }
    problems
}

fn is_email(text: &str) -> bool {
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>()[],;:\\\"".contains(c);
    let parts = |text: &str| text.split('.').all(|part| !part.is_empty());
    text.chars().all(is_plain)
        && text
            .split_once('@')
            .is_some_and(|(name, host)| parts(name) && parts(host) && !host.contains('@'))
}

/// Returns whether `text` has the form of an SPDX license expression, such as `MIT OR Apache-2.0`: identifiers
/// with operators between them.
pub(super) fn is_spdx(text: &str) -> bool {
    let is_identifier = |word: &str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || ".+-".contains(c);
        !word.is_empty() && word.chars().all(is_plain)
    };
    let words: Vec<&str> = text.split(' ').map(|word| word.trim_matches(['(', ')'])).collect();
    words.len() % 2 == 1
        && words.iter().enumerate().all(|(at, word)| match at % 2 {
            0 => is_identifier(word),
            _ => ["OR", "AND", "WITH"].contains(word),
        })
}
