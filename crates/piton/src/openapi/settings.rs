//! The section `[openapi]`.

use std::borrow::Cow;

use super::OpenApi;
use crate::config::Reader;

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && !text.contains(char::is_whitespace)
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

    /// The licence, as an SPDX expression such as `MIT OR Apache-2.0`. **Default: the license in the
    /// code.**
    pub license: Option<String>,

    /// The URLs at which clients reach the service: set it where that is not where the document is,
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
        let of = |text: &Option<String>| text.clone().unwrap_or_default();
        let (email, url) = (of(&self.contact_email), of(&self.contact_url));
        let is_email =
            email.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
        if !email.is_empty() && (!is_email || email.contains(char::is_whitespace)) {
            from.refuse("contact_email", "expected an email address", "write `name@example.org`");
        }
        if !url.is_empty() && !is_url(&url) {
            from.refuse("contact_url", "expected a URL", "write `https://example.org`");
        }
        if self.servers.iter().any(|server| !server.starts_with('/') && !is_url(server)) {
            let why = "expected URLs, or paths from `/` on";
            from.refuse("servers", why, "write `https://example.org/api` or `/api`");
        }
    }

    /// Returns the general information: from the settings, and for unset ones from the code.
    pub(super) fn complete(&self, code: &OpenApi) -> OpenApi {
        let or = |own: &Option<String>, code: &Option<Cow<'static, str>>| {
            let own = own.as_ref().filter(|text| !text.trim().is_empty());
            own.map(|text| Cow::Owned(text.clone())).or_else(|| code.clone())
        };
        let server = |url: &String| [url.clone().into(), Cow::Borrowed("")];
        OpenApi {
            title: or(&self.title, &code.title),
            description: or(&self.description, &code.description),
            contact_name: or(&self.contact_name, &code.contact_name),
            contact_email: or(&self.contact_email, &code.contact_email),
            contact_url: or(&self.contact_url, &code.contact_url),
            license: or(&self.license, &code.license),
            servers: match self.servers.is_empty() {
                true => code.servers.clone(),
                false => self.servers.iter().map(server).collect(),
            },
            ..code.clone()
        }
    }
}
