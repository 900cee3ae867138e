//! The section `[openapi]`.

use std::borrow::Cow;

use super::{OpenApi, SECTION};
use crate::config::{Origin, Problem, Problems, Reader};

/// Returns why `text` is no URL of a server or a page, without quoting it: it may hold a password.
fn url_fault(text: &str) -> Option<&'static str> {
    let is_odd = |c: char| !c.is_ascii_graphic() || "<>\"\\^`{}|".contains(c);
    if text.contains(is_odd) {
        return Some("it has characters that no URL has");
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
        return Some("it has a user or a password, which everybody could read in the document");
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
        Some("it has no host")
    } else if !is_host {
        Some("its host is no name and no address")
    } else if !port.is_none_or(is_port) {
        Some("its port is not from 1 to 65535")
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
    (!is_right).then_some("two hexadecimal digits must follow a `%` in it")
}

/// Returns why `text` is no server of a document: a URL or a path, to which paths are appended.
fn server_fault(text: &str) -> Option<&'static str> {
    if text.contains(['?', '#']) {
        return Some("the paths of the document cannot follow a query or a fragment");
    }
    match text.strip_prefix('/') {
        Some(rest) if rest.starts_with('/') => Some("a path begins with one `/`"),
        Some(_) => {
            let is_odd = |c: char| !c.is_ascii_graphic() || "<>\"\\^`{}|".contains(c);
            match text.contains(is_odd) {
                true => Some("it has characters that no path of a URL has"),
                false => encoding_fault(text),
            }
        }
        None => url_fault(text),
    }
}

/// The server as the document has it: without a slash at its end, as each path begins with one.
fn without_slash(server: &str) -> &str {
    match server.trim_end_matches('/') {
        "" => "/",
        plain => plain,
    }
}

/// Something that the document would say and that is no such thing.
struct Fault {
    /// The setting.
    name: &'static str,
    why: String,
    fix: &'static str,
}

/// Returns what is wrong with what `said` says of the service and where it is.
fn faults<'a>(said: &OpenApi, servers: impl ExactSizeIterator<Item = &'a str>) -> Vec<Fault> {
    let of = |text: &Option<Cow<'static, str>>| text.clone().unwrap_or_default();
    let (email, url) = (of(&said.contact_email), of(&said.contact_url));
    let mut faults = Vec::new();
    let mut add = |name, why: &str, fix| faults.push(Fault { name, why: why.to_owned(), fix });
    if !email.is_empty() && !is_email(&email) {
        add("contact_email", "expected an email address", "write `name@example.org`");
    }
    if let Some(why) = url_fault(&url).filter(|_| !url.is_empty()) {
        add("contact_url", why, "write `https://example.org`");
    }
    if of(&said.license).contains(char::is_control) {
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
    faults
}

/// Returns what is wrong with what the code says of the service.
pub(super) fn problems_of_code(code: &OpenApi) -> Problems {
    let mut problems = Problems::new();
    for Fault { name, why, fix } in faults(code, code.servers.iter().map(|[url, _]| &**url)) {
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

/// Returns whether `text` can be an SPDX expression, such as `MIT OR Apache-2.0`: identifiers with words
/// between them.
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

/// The OpenAPI document and the page that shows it.
#[derive(Clone, Debug, piton_macros::Settings)]
#[setting(check = Self::check)]
pub struct OpenApiSettings {
    /// When the document and Swagger UI are served: `always`, `development` (not in production) or
    /// `never`. **Default: `always`.**
    pub serve: Serve,

    /// Where the document is. **Default: `/api/openapi.json`.**
    pub document_path: String,

    /// Where Swagger UI is. **Default: `/api/doc`.**
    pub ui_path: String,

    /// Title of the document. **Default: the title in the code, else the app's
    /// name.**
    pub title: Option<String>,

    /// Description of the service, in Markdown. **Default: the description in the code.**
    pub description: Option<String>,

    /// Name of the contact for questions. **Default: the contact in the code.**
    pub contact_name: Option<String>,

    /// Email address of the contact. **Default: the contact's in the code.**
    pub contact_email: Option<String>,

    /// Their page, such as that of the project. **Default: the contact's in the code.**
    pub contact_url: Option<String>,

    /// The licence, as an SPDX expression such as `MIT OR Apache-2.0`, which is its `identifier` in the
    /// document, too; any other text is its name alone. **Default: the license in the code.**
    pub license: Option<String>,

    /// The URLs at which clients reach the service, or paths such as `/api`, without query and fragment; a
    /// `/` at the end is dropped. Set it where that is not where the document is,
    /// as behind a proxy that adds a path. The first one is the base URL of the Postman collection and
    /// of the `.http` file. **Default: the servers in the code, else where the document is.**
    pub servers: Vec<String>,
}

impl Default for OpenApiSettings {
    fn default() -> Self {
        Self {
            serve: Serve::default(),
            document_path: "/api/openapi.json".into(),
            ui_path: "/api/doc".into(),
            title: None,
            description: None,
            contact_name: None,
            contact_email: None,
            contact_url: None,
            license: None,
            servers: Vec::new(),
        }
    }
}

crate::setting_enum! {
    /// When the document is served.
    pub enum Serve: default Always {
        /// In development and in production.
        Always = "always",
        /// In development alone.
        Development = "development",
        /// Not at all.
        Never = "never",
    }
}

impl OpenApiSettings {
    pub(super) fn is_served(&self, production: bool) -> bool {
        match self.serve {
            Serve::Always => true,
            Serve::Development => !production,
            Serve::Never => false,
        }
    }

    fn check(&self, from: &mut Reader<'_>) {
        for (name, path) in [("document_path", &self.document_path), ("ui_path", &self.ui_path)] {
            let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~".contains(c);
            if !path.starts_with('/') || path.len() < 2 || !path.chars().all(plain) {
                let why = "expected a path of letters, digits and `-_.~`";
                from.refuse(name, why, "a path that begins with `/`, such as `/api/doc`");
            } else if path.ends_with('/') {
                from.refuse(name, "it ends with `/`", "leave that away");
            }
        }
        if self.document_path == self.ui_path {
            let why = "the document is there already";
            from.refuse("ui_path", why, "take another path than `openapi.document_path`");
        }
        let said = self.complete(&OpenApi::default());
        // As they are written: the document has servers without a slash at their end.
        let servers = self.servers.iter().map(String::as_str);
        for Fault { name, why, fix } in faults(&said, servers) {
            from.refuse(name, why, fix);
        }
    }

    /// Returns the general information: from the settings, and for unset ones from the code.
    pub(super) fn complete(&self, code: &OpenApi) -> OpenApi {
        let or = |own: &Option<String>, code: &Option<Cow<'static, str>>| {
            let own = own.as_ref().filter(|text| !text.trim().is_empty());
            own.map(|text| Cow::Owned(text.clone())).or_else(|| code.clone())
        };
        let server = |url: &String| [without_slash(url).to_owned().into(), Cow::Borrowed("")];
        let of_code = |[url, description]: &[Cow<'static, str>; 2]| {
            [without_slash(url).to_owned().into(), description.clone()]
        };
        OpenApi {
            title: or(&self.title, &code.title),
            description: or(&self.description, &code.description),
            contact_name: or(&self.contact_name, &code.contact_name),
            contact_email: or(&self.contact_email, &code.contact_email),
            contact_url: or(&self.contact_url, &code.contact_url),
            license: or(&self.license, &code.license),
            servers: match self.servers.is_empty() {
                true => code.servers.iter().map(of_code).collect(),
                false => self.servers.iter().map(server).collect(),
            },
            ..code.clone()
        }
    }
}
