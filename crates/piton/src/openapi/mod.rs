//! What the service offers, in the forms that other programs read: an OpenAPI 3.1 document, Swagger UI,
//! a Postman collection, a `.http` file.
//!
//! All of it comes from the handlers' own types, doc comments and guards, by way of what
//! [`Operation`](crate::http::Operation) knows of each route; nothing is described twice. One line
//! switches it on:
//!
//! ```no_run
//! use piton::prelude::*;
//!
//! fn main() -> piton::Exit {
//!     App::new("my_service")
//!         .openapi(OpenApi::new().title("My service").tag("users", "Who may come in."))
//!         .run()
//! }
//! ```
//!
//! Then `/api/openapi.json` is the document and `/api/doc` shows it; `my_service openapi` prints it,
//! `--out dist/` writes the three files, `--check` compares them with the code and names what would
//! break clients.

mod breaking;
mod clean;
mod document;
mod examples;
mod files;
mod http_file;
mod ids;
mod json;
mod parameters;
mod postman;
mod requests;
mod responses;
mod schemas;
mod security;
mod serve;
mod settings;
mod ui;
mod unions;
mod verb;
mod walk;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::panic::Location;

use serde_json::Value;

use crate::app::{App, LaunchError, Outline};
use crate::config::{Config, Problems};
use crate::handle::Handle;
use crate::http::HttpSettings;
use crate::step::Step;

pub use files::{DOCUMENT, File, HTTP_FILE, POSTMAN};
pub use settings::{OpenApiSettings, Serve};

use document::{Made, Source};

/// The section of the settings.
const SECTION: &str = "openapi";

/// What the document says of the service beside its routes.
///
/// ```
/// use piton::prelude::*;
///
/// let said = OpenApi::new()
///     .title("Company registry")
///     .description("Companies by their number.")
///     .contact("The registry team", "registry@example.org")
///     .license("MIT")
///     .server("https://registry.example.org", "production")
///     .tag("companies", "What is registered.");
/// let app = App::new("registry").openapi(said);
/// ```
#[derive(Clone, Debug, Default)]
pub struct OpenApi {
    title: Option<Cow<'static, str>>,
    description: Option<Cow<'static, str>>,
    contact_name: Option<Cow<'static, str>>,
    contact_email: Option<Cow<'static, str>>,
    contact_url: Option<Cow<'static, str>>,
    license: Option<Cow<'static, str>>,
    servers: Vec<[Cow<'static, str>; 2]>,
    tags: Vec<[Cow<'static, str>; 2]>,
    document_path: Option<Cow<'static, str>>,
    ui_path: Option<Cow<'static, str>>,
    /// Where the code calls [`App::openapi`].
    source: Option<&'static Location<'static>>,
}

impl OpenApi {
    /// Title and version of the app, and nothing more.
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

    /// What a tag is about. Tags are listed in the order in which they are said; others follow by name.
    #[must_use]
    pub fn tag(
        mut self,
        name: impl Into<Cow<'static, str>>,
        description: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.tags.push([name.into(), description.into()]);
        self
    }

    /// Where the document is served; `openapi.document_path` in the settings.
    /// **Default: `/api/openapi.json`.**
    #[must_use]
    pub fn document_path(self, path: impl Into<Cow<'static, str>>) -> Self {
        Self { document_path: Some(path.into()), ..self }
    }

    /// Where Swagger UI is served; `openapi.ui_path` in the settings. **Default: `/api/doc`.**
    #[must_use]
    pub fn ui_path(self, path: impl Into<Cow<'static, str>>) -> Self {
        Self { ui_path: Some(path.into()), ..self }
    }
}

impl App {
    /// Describes the service to other programs and to people: see [`openapi`](crate::openapi).
    #[must_use]
    #[track_caller]
    pub fn openapi(self, said: OpenApi) -> Self {
        let source = Location::caller();
        let app = self.settings::<OpenApiSettings>(SECTION).verb(verb::verb());
        let paths =
            [("document_path", said.document_path.clone()), ("ui_path", said.ui_path.clone())];
        let app = paths.into_iter().fold(app, |app, (name, path)| match path {
            Some(path) => app.set(format!("{SECTION}.{name}"), path.into_owned()),
            None => app,
        });
        let said = OpenApi { source: Some(source), ..said };
        app.attach(said)
            .before(Step::ConfigureRoutes, move |setup| async move { serve::add(&setup, source) })
    }

    /// The OpenAPI document, with the settings that stand in the code: for tests that compare it.
    ///
    /// # Errors
    /// All that is wrong with the routes, or with the settings that the document depends on.
    pub fn openapi_document(&self) -> Result<Value, LaunchError> {
        Ok(of_outline(&self.outline()?)?.document)
    }

    /// The files that `openapi --out` writes, with the settings that stand in the code: for tests
    /// that compare them.
    ///
    /// # Errors
    /// All that is wrong with the routes, or with the settings that the document depends on.
    pub fn openapi_files(&self) -> Result<[File; 3], LaunchError> {
        let outline = self.outline()?;
        Ok(files::all(&of_outline(&outline)?.document, outline.name()))
    }
}

impl Handle {
    /// The OpenAPI document of the running app. It is made anew at each call.
    #[must_use]
    pub fn openapi_document(&self) -> Value {
        of_handle(self).document
    }
}

fn of_handle(handle: &Handle) -> Made {
    document::make(&Source {
        name: handle.name(),
        version: handle.version(),
        routes: handle.routes(),
        config: handle.config(),
        running: Some(handle),
        said: &info(handle.attached().next(), handle.config()),
        own_formats: handle.attached().collect(),
    })
}

/// # Errors
/// Settings that the document depends on are wrong. They are checked here, because nothing is launched.
fn of_outline(outline: &Outline<'_>) -> Result<Made, LaunchError> {
    let mut problems = Problems::new();
    outline.config().read::<OpenApiSettings>(SECTION, &mut problems);
    outline.config().read::<HttpSettings>("http", &mut problems);
    let of_code = outline.attached().next().map(settings::problems_of_code);
    problems.0.extend(of_code.unwrap_or_default().0);
    if !problems.is_empty() {
        return Err(LaunchError::Settings(problems));
    }
    Ok(document::make(&Source {
        name: outline.name(),
        version: outline.version(),
        routes: outline.routes(),
        config: outline.config(),
        running: None,
        said: &info(outline.attached().next(), outline.config()),
        own_formats: outline.attached().collect(),
    }))
}

/// Returns the general information of the document, from the settings and the code.
fn info(code: Option<&OpenApi>, config: &Config) -> OpenApi {
    let settings: OpenApiSettings = read(config, SECTION);
    settings.complete(code.unwrap_or(&OpenApi::default()))
}

/// A section that has been checked.
fn read<S: crate::Settings>(config: &Config, section: &str) -> S {
    config.read(section, &mut Problems::new())
}
