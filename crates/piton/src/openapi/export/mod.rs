//! Files made from the document, for people and tools: a Postman collection and a `.http` file.
//!
//! Pure functions from the document to text: nothing here runs while a service serves requests.

mod files;
mod http_file;
mod postman;
mod sample_requests;
mod url_encoding;

pub use files::{DOCUMENT_FILE, ExportFile, HTTP_FILE_SUFFIX, POSTMAN_FILE};

pub(super) use files::export_files;
