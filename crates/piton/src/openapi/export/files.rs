//! The three files that are checked in with a service: document, Postman collection, `.http` file.

use serde_json::Value;

use super::{http_file, postman, sample_requests};
use crate::openapi::stable_json;

/// The file name of the document in the folder of `openapi --out`.
pub const DOCUMENT_FILE: &str = "openapi.json";
/// The file name of the Postman collection.
pub const POSTMAN_FILE: &str = "postman_collection.json";
/// The end of the `.http` file's name, after the app's name.
pub const HTTP_FILE_SUFFIX: &str = ".http";

/// A file that `openapi --out` writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportFile {
    /// The file name, without a folder.
    pub name: String,
    /// The content. Equal for equal routes and settings, on every machine.
    pub text: String,
}

/// The address of a service with default settings.
const DEFAULT_BASE_URL: &str = "http://127.0.0.1:5000";

/// Returns the files for `document`.
pub(in crate::openapi) fn export_files(document: &Value, app: &str) -> [ExportFile; 3] {
    let requests = sample_requests::from_document(document);
    let server = document["servers"][0]["url"].as_str().unwrap_or_default();
    let base_url =
        if server.contains("://") { server.trim_end_matches('/') } else { DEFAULT_BASE_URL };
    let file = |name: String, text| ExportFile { name, text };
    [
        file(DOCUMENT_FILE.into(), stable_json::pretty(document)),
        file(
            POSTMAN_FILE.into(),
            stable_json::pretty(&postman::collection(document, &requests, base_url)),
        ),
        file(
            format!("{app}{HTTP_FILE_SUFFIX}"),
            http_file::http_file(document, &requests, base_url),
        ),
    ]
}
