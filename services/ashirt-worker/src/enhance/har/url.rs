//! A URL as far as it may be shown.

/// Its text without passwords, and its host.
pub(super) struct Url {
    pub(super) shown: String,
    pub(super) host: String,
}

impl Url {
    /// Any text is taken: what is no URL of a host belongs to its scheme (`data:`), or to nobody. A text that
    /// was cut off ends with `…`.
    pub(super) fn of(text: &str) -> Self {
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
        Self { shown: without_credentials(text), host }
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
