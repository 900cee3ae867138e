//! OpenAPI: a 3.1 document of the service, Swagger UI, a Postman collection, a `.http` file, and a check for
//! changes that break clients.
//!
//! All of it comes from the handlers' own types, doc comments and guards, by way of the
//! [`Operation`](crate::http::Operation) of each route; nothing is described twice. One line enables it:
//!
//! ```no_run
//! use piton::prelude::*;
//!
//! fn main() -> piton::Exit {
//!     App::new("my_service")
//!         .openapi(OpenApi::new().title("My service").tag("users", "Accounts and logins."))
//!         .run()
//! }
//! ```
//!
//! Then `/api/openapi.json` is the document and `/api/doc` shows it; `my_service openapi` prints it,
//! `--out dist/` writes the three files, `--check` compares them with the code and reports changes that break
//! clients.

mod app_openapi;
mod breaking;
mod command;
mod document;
mod document_routes;
mod export;
mod info;
mod info_checks;
mod settings;
mod stable_json;
mod swagger_ui;

#[cfg(test)]
mod tests;

pub use export::{DOCUMENT_FILE, ExportFile, HTTP_FILE_SUFFIX, POSTMAN_FILE};
pub use info::OpenApi;
pub use settings::{OpenApiSettings, Serve};
