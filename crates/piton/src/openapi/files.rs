//! The three files that are checked in beside a service: document, Postman collection, `.http` file.

use serde_json::Value;

use super::{http_file, json, postman, requests};

/// The document's name in the folder of `openapi --out`.
pub const DOCUMENT: &str = "openapi.json";
/// The Postman collection's.
pub const POSTMAN: &str = "postman_collection.json";
/// What the `.http` file's name ends with; it begins with the app's.
pub const HTTP_FILE: &str = ".http";

/// A generated file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name, without a folder.
    pub name: String,
    /// What stands in it. The same for the same routes and settings, wherever it is made.
    pub text: String,
}

/// Where a service listens unless told otherwise.
const HERE: &str = "http://127.0.0.1:5000";

pub(super) fn all(document: &Value, app: &str) -> [File; 3] {
    let requests = requests::of(document);
    let server = document["servers"][0]["url"].as_str().unwrap_or_default();
    let base_url = if server.contains("://") { server.trim_end_matches('/') } else { HERE };
    let file = |name: String, text| File { name, text };
    [
        file(DOCUMENT.into(), json::pretty(document)),
        file(POSTMAN.into(), json::pretty(&postman::collection(document, &requests, base_url))),
        file(format!("{app}{HTTP_FILE}"), http_file::file(document, &requests, base_url)),
    ]
}
