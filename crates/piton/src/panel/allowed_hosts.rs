//! [`AllowedHosts`]: checks the `Host` and `Origin` headers of requests for a page that shows secrets.
//!
//! A page of any site in a browser on the machine can send requests to loopback: to its address, with the site
//! in `Origin`, or to a host name that was rebound to 127.0.0.1 (DNS rebinding), with that name in `Host`. In
//! development it could read the response, because CORS is open there.

use std::borrow::Cow;

use http::{HeaderMap, header};

use crate::admin::{names_this_machine, same_origin};
use crate::http::Error;

/// The host names that requests for a page may have: `localhost`, any IP address, and further ones.
///
/// ```
/// use piton::axum::http::HeaderMap;
/// use piton::panel::AllowedHosts;
///
/// let hosts = AllowedHosts::of_this_machine().and(["lab.internal"]);
/// let mut headers = HeaderMap::new();
/// headers.insert("host", "lab.internal:8000".parse().unwrap());
/// assert!(hosts.check(&headers).is_ok());
/// headers.insert("host", "rebound.example".parse().unwrap());
/// assert!(hosts.check(&headers).is_err());
/// ```
#[derive(Clone, Debug, Default)]
pub struct AllowedHosts {
    names: Vec<String>,
    setting: Option<Cow<'static, str>>,
}

impl AllowedHosts {
    /// Allows `localhost` and every IP address.
    #[must_use]
    pub fn of_this_machine() -> Self {
        Self::default()
    }

    /// Allows further names, without ports.
    #[must_use]
    pub fn and<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.names.extend(names.into_iter().map(Into::into));
        self
    }

    /// Sets the name of the setting that lists the allowed names, such as its variable, for the message of a
    /// refusal.
    #[must_use]
    pub fn setting_name(self, setting: impl Into<Cow<'static, str>>) -> Self {
        Self { setting: Some(setting.into()), ..self }
    }

    /// Returns the host name in a URL or an authority, in the form that [`AllowedHosts::and`] takes. `None` if
    /// there is none, as in a pattern.
    ///
    /// ```
    /// use piton::panel::AllowedHosts;
    ///
    /// assert_eq!(AllowedHosts::bare_name("http://lab.internal:8000/"), Some("lab.internal"));
    /// assert_eq!(AllowedHosts::bare_name("lab.internal"), Some("lab.internal"));
    /// assert_eq!(AllowedHosts::bare_name("*.internal"), None);
    /// ```
    #[must_use]
    pub fn bare_name(text: &str) -> Option<&str> {
        let text = text.trim();
        let text = text.split_once("://").map_or(text, |(_, rest)| rest);
        let text = text.split(['/', '?', '#']).next().unwrap_or_default();
        let text = text.rsplit_once('@').map_or(text, |(_, host)| host);
        let name = text.split_once(':').map_or(text, |(name, _)| name);
        is_name(name).then_some(name)
    }

    /// Checks that a request is for an allowed host, and not from a page of another origin.
    ///
    /// # Errors
    /// 403 if its `Host` is another name, or if it has an `Origin` that is not that host.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Error> {
        if !names_this_machine(headers) && !self.names(headers) {
            return Err(Error::forbidden(self.refusal(headers)));
        }
        if !same_origin(headers) {
            return Err(Error::forbidden("requests from pages of another origin are not allowed"));
        }
        Ok(())
    }

    fn names(&self, headers: &HeaderMap) -> bool {
        let requested = requested_name(headers).map(without_dot);
        let is = |known: &str| requested.is_some_and(|name| known.eq_ignore_ascii_case(name));
        is("localhost") || self.names.iter().any(|known| is(without_dot(known)))
    }

    /// Returns the message of a refusal. It repeats the name, which has been checked: its characters are harmless
    /// in a response, and its length is bounded.
    fn refusal(&self, headers: &HeaderMap) -> String {
        let Some(name) = requested_name(headers) else {
            return "the request has no valid `Host` header".to_owned();
        };
        let refusal = format!(
            "the host `{name}` is neither a name of this machine nor one that the service allows"
        );
        match &self.setting {
            Some(setting) => format!("{refusal}; if it is the service's, add it to {setting}"),
            None => refusal,
        }
    }
}

/// Returns the name in the request's `Host`, without the port.
fn requested_name(headers: &HeaderMap) -> Option<&str> {
    let mut lines = headers.get_all(header::HOST).iter();
    let (line, None) = (lines.next()?, lines.next()) else { return None };
    let host = line.to_str().ok()?;
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    is_name(name).then_some(name)
}

fn is_name(text: &str) -> bool {
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=254).contains(&text.len()) && !text.starts_with('.') && text.bytes().all(is_of_name)
}

/// Removes the dot of an absolute name: `lab.internal.` is the same name as `lab.internal` (RFC 1034, section
/// 3.1).
fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(hosts: &AllowedHosts, names: &[&str]) -> Result<(), Error> {
        let mut headers = HeaderMap::new();
        for name in names {
            headers.append(header::HOST, name.parse().unwrap());
        }
        hosts.check(&headers)
    }

    fn refusal(hosts: &AllowedHosts, names: &[&str]) -> String {
        answer(hosts, names).unwrap_err().detail().unwrap().to_owned()
    }

    #[test]
    fn a_dot_at_the_end_changes_no_name() {
        let hosts = AllowedHosts::of_this_machine().and(["lab.internal", "other.internal."]);
        for name in [
            "lab.internal.",
            "LAB.internal.:80",
            "localhost.",
            "localhost.:80",
            "other.internal",
            "other.internal.",
        ] {
            assert!(answer(&hosts, &[name]).is_ok(), "{name}");
        }
        for name in ["lab.internal..", ".", "localhost..", "lab.internal.x", ".lab.internal"] {
            assert!(answer(&hosts, &[name]).is_err(), "{name}");
        }
    }

    #[test]
    fn the_refusal_names_the_host_and_the_setting() {
        let hosts = AllowedHosts::of_this_machine();
        let said = "the host `rebound.example` is neither a name of this machine nor one that the service \
                    allows";
        assert_eq!(refusal(&hosts, &["rebound.example:5000"]), said);
        let told = hosts.setting_name("PITON_PAGE_HOSTS");
        let fix = "; if it is the service's, add it to PITON_PAGE_HOSTS";
        assert_eq!(refusal(&told, &["rebound.example"]), format!("{said}{fix}"));
    }

    #[test]
    fn an_invalid_name_is_not_repeated() {
        let long = "x".repeat(300);
        let hosts = AllowedHosts::of_this_machine().setting_name("X");
        for names in
            [&["<script>"][..], &["a b"], &["a\tb"], &[&long], &[""], &["a.example", "b.example"]]
        {
            assert_eq!(refusal(&hosts, names), "the request has no valid `Host` header");
        }
    }

    #[test]
    fn a_bare_name_is_found_in_what_people_write() {
        for (text, name) in [
            ("lab.internal", Some("lab.internal")),
            ("lab.internal.", Some("lab.internal.")),
            (" lab.internal ", Some("lab.internal")),
            ("other.example:8080", Some("other.example")),
            ("http://x:1", Some("x")),
            ("https://me:pw@x.example/path?a=b", Some("x.example")),
            ("*", None),
            ("*.example.org", None),
            (".example.org", None),
            ("a b", None),
            (" ", None),
            ("", None),
            ("::1", None),
            ("büro.example", None),
        ] {
            assert_eq!(AllowedHosts::bare_name(text), name, "{text}");
        }
    }
}
