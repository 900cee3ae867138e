//! Which names a page may be asked for by, and by which other pages: none.
//!
//! What listens on loopback is reached by every page that a browser on the machine shows: by its address,
//! which the request tells in `Origin`, and by the name of a host that was rebound to 127.0.0.1, which it
//! tells in `Host`. In development the answer would be theirs to read, as CORS is open there.

use std::borrow::Cow;

use http::{HeaderMap, header};

use crate::admin::{names_this_machine, same_origin};
use crate::http::Error;

/// The names by which a page of this machine may be asked for: `localhost`, any address, and further
/// ones.
///
/// ```
/// use piton::axum::http::HeaderMap;
/// use piton::panel::Hosts;
///
/// let hosts = Hosts::of_this_machine().and(["lab.internal"]);
/// let mut headers = HeaderMap::new();
/// headers.insert("host", "lab.internal:8000".parse().unwrap());
/// assert!(hosts.check(&headers).is_ok());
/// headers.insert("host", "rebound.example".parse().unwrap());
/// assert!(hosts.check(&headers).is_err());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    names: Vec<String>,
    told_by: Option<Cow<'static, str>>,
}

impl Hosts {
    /// `localhost` and every address.
    #[must_use]
    pub fn of_this_machine() -> Self {
        Self::default()
    }

    /// Further names, without ports.
    #[must_use]
    pub fn and<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.names.extend(names.into_iter().map(Into::into));
        self
    }

    /// What whoever is refused should add his name to, such as the variable of a setting: the refusal says
    /// it.
    #[must_use]
    pub fn told_by(self, setting: impl Into<Cow<'static, str>>) -> Self {
        Self { told_by: Some(setting.into()), ..self }
    }

    /// The name in what somebody wrote: what a request can ask by, and [`Hosts::and`] can find. `None` if
    /// there is none, such as in a pattern.
    ///
    /// ```
    /// use piton::panel::Hosts;
    ///
    /// assert_eq!(Hosts::bare_name("http://lab.internal:8000/"), Some("lab.internal"));
    /// assert_eq!(Hosts::bare_name("lab.internal"), Some("lab.internal"));
    /// assert_eq!(Hosts::bare_name("*.internal"), None);
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

    /// Whether the request asks for one of them, and not from a page of another origin.
    ///
    /// # Errors
    /// 403 if its `Host` is another name, and if it has an `Origin` that is not that host.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Error> {
        if !names_this_machine(headers) && !self.names(headers) {
            return Err(Error::forbidden(self.refusal(headers)));
        }
        if !same_origin(headers) {
            return Err(Error::forbidden("only for pages of this address"));
        }
        Ok(())
    }

    fn names(&self, headers: &HeaderMap) -> bool {
        let asked = asked(headers).map(without_dot);
        let is = |known: &str| asked.is_some_and(|name| known.eq_ignore_ascii_case(name));
        is("localhost") || self.names.iter().any(|known| is(without_dot(known)))
    }

    /// What a name may consist of is harmless in an answer, and it is no longer than a name may be.
    fn refusal(&self, headers: &HeaderMap) -> String {
        let Some(name) = asked(headers) else {
            return "the host that is asked for is not one name".to_owned();
        };
        let refusal = format!(
            "the host `{name}` is neither a name of this machine nor one that the service was told"
        );
        match &self.told_by {
            Some(setting) => format!("{refusal}; if it is the service's, add it to {setting}"),
            None => refusal,
        }
    }
}

/// The name in the request's `Host`, without the port.
fn asked(headers: &HeaderMap) -> Option<&str> {
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

/// `lab.internal.` is the name that `lab.internal` is, and nothing is looked for behind it.
fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(hosts: &Hosts, names: &[&str]) -> Result<(), Error> {
        let mut headers = HeaderMap::new();
        for name in names {
            headers.append(header::HOST, name.parse().unwrap());
        }
        hosts.check(&headers)
    }

    fn refusal(hosts: &Hosts, names: &[&str]) -> String {
        answer(hosts, names).unwrap_err().detail().unwrap().to_owned()
    }

    #[test]
    fn a_dot_at_the_end_changes_no_name() {
        let hosts = Hosts::of_this_machine().and(["lab.internal", "other.internal."]);
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
    fn the_refusal_names_the_host_and_where_it_is_told() {
        let hosts = Hosts::of_this_machine();
        let said = "the host `rebound.example` is neither a name of this machine nor one that the service \
                    was told";
        assert_eq!(refusal(&hosts, &["rebound.example:5000"]), said);
        let told = hosts.told_by("PITON_PAGE_HOSTS");
        let fix = "; if it is the service's, add it to PITON_PAGE_HOSTS";
        assert_eq!(refusal(&told, &["rebound.example"]), format!("{said}{fix}"));
    }

    #[test]
    fn what_is_no_name_is_not_repeated() {
        let long = "x".repeat(300);
        let hosts = Hosts::of_this_machine().told_by("X");
        for names in
            [&["<script>"][..], &["a b"], &["a\tb"], &[&long], &[""], &["a.example", "b.example"]]
        {
            assert_eq!(refusal(&hosts, names), "the host that is asked for is not one name");
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
            assert_eq!(Hosts::bare_name(text), name, "{text}");
        }
    }
}
