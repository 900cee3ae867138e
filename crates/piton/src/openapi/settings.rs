//! The section `[openapi]`.

use std::borrow::Cow;

use super::info::OpenApi;
use super::info_checks::{InfoProblem, info_problems};
use crate::config::{Config, Problems, Reader};

/// The section of the settings.
pub(super) const SECTION: &str = "openapi";

/// Reads a section that has been checked at launch.
pub(super) fn read_checked<S: crate::Settings>(config: &Config, section: &str) -> S {
    config.read(section, &mut Problems::new())
}

/// Returns the server without a slash at its end, because each path begins with one.
fn without_slash(server: &str) -> &str {
    match server.trim_end_matches('/') {
        "" => "/",
        plain => plain,
    }
}

/// The OpenAPI document and the page that shows it.
#[derive(Clone, Debug, piton_macros::Settings)]
#[setting(check = Self::check)]
pub struct OpenApiSettings {
    /// Mode in which the document and Swagger UI are served: `always`, `development` (not in production) or
    /// `never`. **Default: `always`.**
    pub serve: Serve,

    /// Path of the document. **Default: `/api/openapi.json`.**
    pub document_path: String,

    /// Path of Swagger UI. **Default: `/api/doc`.**
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

    /// URL of the contact, such as the page of the project. **Default: the contact's in the code.**
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
    /// The mode in which the document is served.
    pub enum Serve: default Always {
        /// Everywhere.
        Always = "always",
        /// Outside of production alone.
        Development = "development",
        /// Nowhere.
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
                from.refuse(name, "ends with `/`", "remove it");
            }
        }
        if self.document_path == self.ui_path {
            let why = "equals `openapi.document_path`";
            from.refuse("ui_path", why, "set another path than `openapi.document_path`");
        }
        let info = self.complete(&OpenApi::default());
        // The settings' own texts instead of those of `info`, which have lost a slash at their end.
        let servers = self.servers.iter().map(String::as_str);
        for InfoProblem { name, why, fix } in info_problems(&info, servers) {
            from.refuse(name, why, fix);
        }
    }

    /// Returns the general information: from the settings, or from the code where they are not set.
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
