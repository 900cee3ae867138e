//! General information about the service in its OpenAPI document: title, contact, servers, tags.

use std::borrow::Cow;
use std::panic::Location;

/// General information about a service in its OpenAPI document.
///
/// ```
/// use piton::prelude::*;
///
/// let info = OpenApi::new()
///     .title("Company registry")
///     .description("Companies by their number.")
///     .contact("The registry team", "registry@example.org")
///     .license("MIT")
///     .server("https://registry.example.org", "production")
///     .tag("companies", "What is registered.");
/// let app = App::new("registry").openapi(info);
/// ```
#[derive(Clone, Debug, Default)]
pub struct OpenApi {
    pub(super) title: Option<Cow<'static, str>>,
    pub(super) description: Option<Cow<'static, str>>,
    pub(super) contact_name: Option<Cow<'static, str>>,
    pub(super) contact_email: Option<Cow<'static, str>>,
    pub(super) contact_url: Option<Cow<'static, str>>,
    pub(super) license: Option<Cow<'static, str>>,
    pub(super) servers: Vec<[Cow<'static, str>; 2]>,
    pub(super) tags: Vec<[Cow<'static, str>; 2]>,
    pub(super) document_path: Option<Cow<'static, str>>,
    pub(super) ui_path: Option<Cow<'static, str>>,
    /// The call of [`App::openapi`](crate::App::openapi) in the code.
    pub(super) source: Option<&'static Location<'static>>,
}

impl OpenApi {
    /// Creates information with the title and version of the app alone.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the title of the document; `openapi.title` in the settings. **Default: the app's name.**
    #[must_use]
    pub fn title(self, title: impl Into<Cow<'static, str>>) -> Self {
        Self { title: Some(title.into()), ..self }
    }

    /// Sets the description, in Markdown; `openapi.description` in the settings.
    #[must_use]
    pub fn description(self, description: impl Into<Cow<'static, str>>) -> Self {
        Self { description: Some(description.into()), ..self }
    }

    /// Sets the contact and their email address; `openapi.contact_name` and `openapi.contact_email` in the
    /// settings.
    #[must_use]
    pub fn contact(
        self,
        name: impl Into<Cow<'static, str>>,
        email: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { contact_name: Some(name.into()), contact_email: Some(email.into()), ..self }
    }

    /// Sets the URL of a page about the service, such as that of the project; `openapi.contact_url` in the settings.
    #[must_use]
    pub fn contact_url(self, url: impl Into<Cow<'static, str>>) -> Self {
        Self { contact_url: Some(url.into()), ..self }
    }

    /// Sets the licence, as an SPDX expression such as `MIT OR Apache-2.0`; `openapi.license` in the settings.
    #[must_use]
    pub fn license(self, spdx: impl Into<Cow<'static, str>>) -> Self {
        Self { license: Some(spdx.into()), ..self }
    }

    /// Adds a URL of the service, with a description; `openapi.servers` in the settings.
    /// **Default: the URL of the document.**
    #[must_use]
    pub fn server(
        mut self,
        url: impl Into<Cow<'static, str>>,
        description: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.servers.push([url.into(), description.into()]);
        self
    }

    /// Describes a tag. Described tags are listed in this order; others follow by name.
    #[must_use]
    pub fn tag(
        mut self,
        name: impl Into<Cow<'static, str>>,
        description: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.tags.push([name.into(), description.into()]);
        self
    }

    /// Sets the path of the document; `openapi.document_path` in the settings.
    /// **Default: `/api/openapi.json`.**
    #[must_use]
    pub fn document_path(self, path: impl Into<Cow<'static, str>>) -> Self {
        Self { document_path: Some(path.into()), ..self }
    }

    /// Sets the path of Swagger UI; `openapi.ui_path` in the settings. **Default: `/api/doc`.**
    #[must_use]
    pub fn ui_path(self, path: impl Into<Cow<'static, str>>) -> Self {
        Self { ui_path: Some(path.into()), ..self }
    }
}
