//! `App::openapi` and the calls that return the document and its files.

use std::panic::Location;

use serde_json::Value;

use super::document::{DocumentOutput, DocumentSource, build_document};
use super::export::{ExportFile, export_files};
use super::info::OpenApi;
use super::info_checks::problems_of_code;
use super::settings::{OpenApiSettings, SECTION, read_checked};
use super::{command, document_routes};
use crate::app::{App, AppDescription, LaunchError};
use crate::config::{Config, Problems};
use crate::handle::Handle;
use crate::http::HttpSettings;
use crate::launch_steps::Step;

impl App {
    /// Serves an OpenAPI document and Swagger UI, and adds the command `openapi`: see [`openapi`](crate::openapi).
    #[must_use]
    #[track_caller]
    pub fn openapi(self, info: OpenApi) -> Self {
        let source = Location::caller();
        let app = self.settings::<OpenApiSettings>(SECTION).command(command::command());
        let paths =
            [("document_path", info.document_path.clone()), ("ui_path", info.ui_path.clone())];
        let app = paths.into_iter().fold(app, |app, (name, path)| match path {
            Some(path) => app.set(format!("{SECTION}.{name}"), path.into_owned()),
            None => app,
        });
        let info = OpenApi { source: Some(source), ..info };
        app.provide(info).before(Step::ConfigureRoutes, move |setup| async move {
            document_routes::add(&setup, source)
        })
    }

    /// Returns the OpenAPI document with the settings of the code, for tests that compare it. Starts no part.
    ///
    /// # Errors
    /// All problems of the routes, or of the settings that the document depends on.
    pub fn openapi_document(&self) -> Result<Value, LaunchError> {
        Ok(document_of_description(&self.describe()?)?.document)
    }

    /// Returns the files that `openapi --out` writes, with the settings of the code, for tests that compare them.
    ///
    /// # Errors
    /// All problems of the routes, or of the settings that the document depends on.
    pub fn openapi_files(&self) -> Result<[ExportFile; 3], LaunchError> {
        let description = self.describe()?;
        Ok(export_files(&document_of_description(&description)?.document, description.name()))
    }
}

impl Handle {
    /// Returns the OpenAPI document of the running app. Builds it anew at each call.
    #[must_use]
    pub fn openapi_document(&self) -> Value {
        document_of_handle(self).document
    }
}

pub(super) fn document_of_handle(handle: &Handle) -> DocumentOutput {
    build_document(&DocumentSource {
        name: handle.name(),
        version: handle.version(),
        routes: handle.routes(),
        config: handle.config(),
        running: Some(handle),
        info: &complete_info(handle.provided().next(), handle.config()),
        own_formats: handle.provided().collect(),
    })
}

/// Builds the document of an app that is not running.
///
/// # Errors
/// Settings that the document depends on are not valid. They are checked here, because nothing is launched.
pub(super) fn document_of_description(
    description: &AppDescription<'_>,
) -> Result<DocumentOutput, LaunchError> {
    let mut problems = Problems::new();
    description.config().read::<OpenApiSettings>(SECTION, &mut problems);
    description.config().read::<HttpSettings>("http", &mut problems);
    let of_code = description.provided().next().map(problems_of_code);
    problems.0.extend(of_code.unwrap_or_default().0);
    if !problems.is_empty() {
        return Err(LaunchError::Settings(problems));
    }
    Ok(build_document(&DocumentSource {
        name: description.name(),
        version: description.version(),
        routes: description.routes(),
        config: description.config(),
        running: None,
        info: &complete_info(description.provided().next(), description.config()),
        own_formats: description.provided().collect(),
    }))
}

/// Returns the general information of the document, from the settings and the code.
pub(super) fn complete_info(code: Option<&OpenApi>, config: &Config) -> OpenApi {
    let settings: OpenApiSettings = read_checked(config, SECTION);
    settings.complete(code.unwrap_or(&OpenApi::default()))
}
