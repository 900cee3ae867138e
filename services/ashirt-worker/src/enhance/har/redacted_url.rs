//! URLs without their secrets.

use piton::secrets::redact_url;

/// A URL without passwords and tokens, and its host.
pub(in crate::enhance) struct RedactedUrl {
    pub(in crate::enhance) shown: String,
    pub(super) host: String,
}

impl RedactedUrl {
    /// Accepts any text: one that is not the URL of a host is grouped by its scheme (`data:`), or
    /// as having no host. A text that was cut off ends with `…`.
    pub(in crate::enhance) fn of(text: &str) -> Self {
        let text = text.trim_start();
        let scheme = text.split_once(':').filter(|(scheme, _)| is_scheme(scheme));
        if let Some((_, rest)) = scheme.filter(|(name, _)| name.eq_ignore_ascii_case("data")) {
            let kind = rest.split(',').next().unwrap_or_default();
            return Self { shown: format!("data:{kind},…"), host: "data:".to_owned() };
        }
        let shown = redact_url(text);
        let host = match scheme {
            // Taken from the redacted text, because a password may contain characters that end the
            // host.
            Some((scheme, rest)) if rest.starts_with("//") => host(&shown[scheme.len() + 3..]),
            Some((scheme, _)) => format!("{}:", scheme.to_ascii_lowercase()),
            None => "(no host)".to_owned(),
        };
        Self { shown, host }
    }
}

/// Returns the host of the text after `//`. A name that was cut off before its `@` is not shown.
fn host(shown: &str) -> String {
    let authority = authority(shown);
    match authority.rsplit_once('@') {
        None if authority == "***" => "(cut off)".to_owned(),
        _ if authority.ends_with('…') => "(cut off)".to_owned(),
        found => found.map_or(authority, |(_, host)| host).to_ascii_lowercase(),
    }
}

/// Returns the part before the path.
fn authority(text: &str) -> &str {
    let end = text.find(['/', '?', '#', '\\', ' ', '&', '"', '\'', '<', '>']);
    &text[..end.unwrap_or(text.len())]
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::RedactedUrl;

    fn shown(text: &str) -> (String, String) {
        let url = RedactedUrl::of(text);
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
            ("https://u:pa/SEKRET@h/x", "h"),
            ("/only/a/path", "(no host)"),
            ("", "(no host)"),
        ] {
            assert_eq!(shown(text).1, host, "{text}");
        }
    }
}
