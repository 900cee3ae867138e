//! A URL as far as it may be shown.

use piton::config::{holds_secret, holds_token, names_secret};

/// Parameters that grant access and whose names do not say so: of OAuth and OpenID Connect, SAML
/// and WS-Federation, sessions, and signed addresses.
const PARAMETERS: [&str; 26] = [
    "assertion",
    "authcode",
    "code",
    "code_verifier",
    "csrf",
    "device_code",
    "hdnea",
    "hdnts",
    "jsessionid",
    "nonce",
    "oauth_verifier",
    "otac",
    "phpsessid",
    "samlart",
    "samlrequest",
    "samlresponse",
    "session",
    "session_id",
    "session_state",
    "sessionid",
    "sid",
    "ticket",
    "user_code",
    "verifier",
    "wresult",
    "xsrf",
];

/// The signs at which a part of a URL after its host ends.
const ENDS: [char; 5] = ['/', '?', '&', ';', '#'];

/// A URL without passwords and tokens, and its host.
pub(in crate::enhance) struct Url {
    pub(in crate::enhance) shown: String,
    pub(super) host: String,
}

impl Url {
    /// Any text is taken: what is no URL of a host belongs to its scheme (`data:`), or to nobody. A text that
    /// was cut off ends with `…`.
    pub(in crate::enhance) fn of(text: &str) -> Self {
        let text = text.trim_start();
        let scheme = text.split_once(':').filter(|(scheme, _)| is_scheme(scheme));
        let host = match scheme {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("data") => {
                let kind = rest.split(',').next().unwrap_or_default();
                return Self { shown: format!("data:{kind},…"), host: "data:".to_owned() };
            }
            Some((_, rest)) if rest.starts_with("//") => {
                let authority = authority(&rest[2..]);
                let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
                without_rest(host).to_ascii_lowercase()
            }
            Some((scheme, _)) => format!("{}:", scheme.to_ascii_lowercase()),
            None => "(no host)".to_owned(),
        };
        Self { shown: without_tokens(&without_credentials(text)), host }
    }
}

/// What stands before the path.
fn authority(text: &str) -> &str {
    let end = text.find(['/', '?', '#', '\\', ' ', '&', '"', '\'', '<', '>']);
    &text[..end.unwrap_or(text.len())]
}

/// A name that was cut off before its `@` may be a password: no host is as long.
fn without_rest(host: &str) -> &str {
    if host.ends_with('…') { "(cut off)" } else { host }
}

/// `https://***@host` wherever users and passwords may stand: behind each `//` or `\\\\`, and behind a scheme
/// that goes without. A user without a password may be a token, and goes too.
fn without_credentials(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    if let Some((scheme, behind)) = text.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) {
        safe.push_str(&text[..=scheme.len()]);
        // `mailto:ann@example.com` has no password.
        rest = if authority(behind).contains(':') { hide(behind, &mut safe) } else { behind };
    }
    while let Some(at) = [rest.find("//"), rest.find("\\\\")].into_iter().flatten().min() {
        let (before, behind) = rest.split_at(at + 2);
        safe.push_str(before);
        rest = hide(behind, &mut safe);
    }
    safe.push_str(rest);
    safe
}

/// Writes `***` for what stands before an `@`, and returns the rest.
fn hide<'a>(text: &'a str, safe: &mut String) -> &'a str {
    let authority = authority(text);
    let hidden = match authority.rfind('@') {
        Some(at) => at,
        None if authority.ends_with('…') => authority.len(),
        None => return text,
    };
    safe.push_str("***");
    &text[hidden..]
}

/// Replaces the values of parameters that grant access (in path, query and fragment), and all
/// tokens with a known form, by `***`. The text before the path is left as it is.
fn without_tokens(text: &str) -> String {
    let start = text.find("//").map_or(0, |at| at + 2);
    let start = start + authority(&text[start..]).len();
    let mut safe = text[..start].to_owned();
    for piece in text[start..].split_inclusive(ENDS) {
        let (piece, end) = match piece.strip_suffix(ENDS) {
            Some(bare) => (bare, &piece[bare.len()..]),
            None => (piece, ""),
        };
        match piece.split_once('=') {
            Some((name, value)) if opens(name) || holds_secret(&decoded(value)) => {
                safe.push_str(name);
                safe.push_str(if value.is_empty() { "=" } else { "=***" });
            }
            None if holds_token(&decoded(piece)) => safe.push_str("***"),
            _ => safe.push_str(piece),
        }
        safe.push_str(end);
    }
    safe
}

/// Returns whether a parameter of this name grants access.
fn opens(name: &str) -> bool {
    let name = decoded(name).to_lowercase();
    let last = name.rsplit(['[', '.', '!']).next().unwrap_or(&name).trim_end_matches(']');
    names_secret(&name) || PARAMETERS.contains(&last)
}

/// Removes percent-encoding, at most four times, which is more than occurs.
fn decoded(text: &str) -> String {
    const MAX_ROUNDS: usize = 4;
    let mut text = text.to_owned();
    for _ in 0..MAX_ROUNDS {
        if !text.contains('%') {
            break;
        }
        text = decoded_once(&text);
    }
    text
}

fn decoded_once(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|_| *first == b'%');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::Url;

    fn shown(text: &str) -> (String, String) {
        let url = Url::of(text);
        (url.shown, url.host)
    }

    #[test]
    fn a_password_in_a_url_is_not_shown() {
        for (text, expected) in [
            ("https://ann:hunter2@Example.com:8443/a?b=c", "https://***@Example.com:8443/a?b=c"),
            ("https://ann:hun@ter2@example.com", "https://***@example.com"),
            ("https://ghp_token@example.com/x@y:z", "https://***@example.com/x@y:z"),
            ("https://:hunter2@example.com", "https://***@example.com"),
            (" https://u:hunter2@h/", "https://***@h/"),
            ("//u:hunter2@h/", "//***@h/"),
            ("view-source:https://u:hunter2@h/", "view-source:https://***@h/"),
            ("blob:https://u:hunter2@h/", "blob:https://***@h/"),
            ("jdbc:postgresql://u:hunter2@db/x", "jdbc:postgresql://***@db/x"),
            ("http:\\\\u:hunter2@h/", "http:\\\\***@h/"),
            ("https:u:hunter2@h/", "https:***@h/"),
            ("https://p/?next=https://u:hunter2@h/", "https://p/?next=https://***@h/"),
            ("https://oauth2:hunter2hunter…", "https://***"),
            ("mailto:ann@example.com", "mailto:ann@example.com"),
            ("https://example.com/a:b@c", "https://example.com/a:b@c"),
        ] {
            assert_eq!(shown(text).0, expected);
        }
    }

    #[test]
    fn a_token_in_a_url_is_not_shown() {
        const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJoIn0.hunter2-_";
        for (text, expected) in [
            ("https://h/a?access_token=hunter2&b=c", "https://h/a?access_token=***&b=c"),
            ("https://h/a?b=c&ACCESS_TOKEN=hunter2", "https://h/a?b=c&ACCESS_TOKEN=***"),
            (
                "https://h/?X-Amz-Signature=hunter2&X-Amz-Date=1",
                "https://h/?X-Amz-Signature=***&X-Amz-Date=1",
            ),
            ("https://h/?X-Amz-Credential=AKIA%2Fx&x=1", "https://h/?X-Amz-Credential=***&x=1"),
            ("https://h/?sv=1&sig=hunter2%3D", "https://h/?sv=1&sig=***"),
            ("https://h/cb?code=hunter2&state=1", "https://h/cb?code=***&state=1"),
            ("https://h/cb#id_token=hunter2&x=1", "https://h/cb#id_token=***&x=1"),
            ("https://h/?acc%65ss_t%6Fken=hunter2", "https://h/?acc%65ss_t%6Fken=***"),
            ("https://h/?%2561ccess_token=hunter2", "https://h/?%2561ccess_token=***"),
            ("https://h/?user%5Bpassword%5D=hunter2", "https://h/?user%5Bpassword%5D=***"),
            ("https://h/a;jsessionid=hunter2?x=1", "https://h/a;jsessionid=***?x=1"),
            ("https://h/?a=1;token=hunter2", "https://h/?a=1;token=***"),
            ("https://h/?SAMLResponse=hunter2", "https://h/?SAMLResponse=***"),
            ("https://h/?next=https%3A%2F%2Fi%2F%3Ftoken%3Dhunter2", "https://h/?next=***"),
            ("https://h/?next=https%3A%2F%2Fu%3Ahunter2%40i%2F", "https://h/?next=***"),
            ("https://h/?x=ghp_hunter2hunter2", "https://h/?x=***"),
            ("https://h/x/ghp_hunter2hunter2/y", "https://h/x/***/y"),
            ("https://h/?ｔｏｋｅｎ=hunter2", "https://h/?ｔｏｋｅｎ=***"),
            ("/a?token=hunter2", "/a?token=***"),
            ("wss://h/?ticket=hunter2", "wss://h/?ticket=***"),
            ("https://h/?token=", "https://h/?token="),
            (
                "https://auth.example.org:8443/?page=2&q=a b",
                "https://auth.example.org:8443/?page=2&q=a b",
            ),
            (
                "https://h/?country_code=de&author=me#top",
                "https://h/?country_code=de&author=me#top",
            ),
        ] {
            assert_eq!(shown(text).0, expected);
        }
        assert_eq!(shown(&format!("https://h/v/{JWT}/x#{JWT}")).0, "https://h/v/***/x#***");
        let encoded = JWT.replace('.', "%2E");
        assert_eq!(shown(&format!("https://h/v/{encoded}?x={encoded}")).0, "https://h/v/***?x=***");
    }

    #[test]
    fn the_host_is_what_stands_before_the_path() {
        for (text, host) in [
            ("HTTPS://Example.COM:8443?x=http://other/", "example.com:8443"),
            ("http://[::1]:80/", "[::1]:80"),
            ("data:text/html,<p>secret", "data:"),
            ("blob:https://example.com/1", "blob:"),
            ("https://oauth2:hunter2…", "(cut off)"),
            ("/only/a/path", "(no host)"),
            ("", "(no host)"),
        ] {
            assert_eq!(shown(text).1, host, "{text}");
        }
    }
}
