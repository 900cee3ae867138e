//! A response with its whole body, as tests read it.

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

/// A response with its body.
#[derive(Clone, Debug)]
pub struct TestResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl TestResponse {
    /// Returns the status; it can be compared with a number.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns a header as text, or "" if it is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        header_text(&self.headers, name)
    }

    /// Returns the body as bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.body
    }

    /// Returns the body as text, with `�` for bytes that are not UTF-8.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the body, deserialized from JSON.
    ///
    /// # Panics
    /// If it is not JSON of that type; the message shows the body.
    #[must_use]
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!(
                "{} with a body that is not as expected ({error}): {}",
                self.status,
                self.text()
            ),
        }
    }

    /// Returns whether the response is a problem document.
    #[must_use]
    pub fn is_problem(&self) -> bool {
        self.header(header::CONTENT_TYPE.as_str()) == "application/problem+json"
    }
}

/// Returns a header as text, or "" if it is missing.
pub(super) fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
