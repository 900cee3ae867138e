//! A URL as far as it may be shown.

/// Its text without passwords, and its host.
pub(super) struct Url {
    pub(super) shown: String,
    pub(super) host: String,
}

impl Url {
    /// Any text is taken: what is no URL of a host belongs to its scheme (`data:`), or to nobody.
    pub(super) fn of(text: &str) -> Self {
        let Some((scheme, rest)) = text.split_once("://").filter(|(scheme, _)| is_scheme(scheme))
        else {
            return Self::without_host(text);
        };
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (user, host) =
            authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        let user = user.map(|user| match user.split_once(':') {
            Some((name, _)) => format!("{name}:***@"),
            None => format!("{user}@"),
        });
        Self {
            shown: format!("{scheme}://{}{host}{path}", user.unwrap_or_default()),
            host: host.to_ascii_lowercase(),
        }
    }

    /// The data of a `data:` URL is content, which is not shown.
    fn without_host(text: &str) -> Self {
        match text.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("data") => {
                let kind = rest.split(',').next().unwrap_or_default();
                Self { shown: format!("data:{kind},…"), host: "data:".to_owned() }
            }
            Some((scheme, _)) => {
                Self { shown: text.to_owned(), host: format!("{}:", scheme.to_ascii_lowercase()) }
            }
            None => Self { shown: text.to_owned(), host: "(no host)".to_owned() },
        }
    }
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
            (
                "https://ann:hunter2@Example.com:8443/a?b=c",
                "https://ann:***@Example.com:8443/a?b=c",
            ),
            ("https://ann:hun@ter2@example.com", "https://ann:***@example.com"),
            ("https://ann@example.com/x@y:z", "https://ann@example.com/x@y:z"),
            ("https://:hunter2@example.com", "https://:***@example.com"),
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
            ("/only/a/path", "(no host)"),
            ("", "(no host)"),
        ] {
            assert_eq!(shown(text).1, host, "{text}");
        }
    }
}
