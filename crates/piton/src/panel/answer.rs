//! A reading as an answer.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{Reading, accept, page};

impl Reading {
    /// The page, whole: it asks nothing of anybody, and runs no script.
    #[must_use]
    pub fn html(&self) -> String {
        page::html(self)
    }

    /// The JSON document, indented for people.
    #[must_use]
    pub fn json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("texts and lists are JSON");
        text.push('\n');
        text
    }

    /// The form that the request prefers: JSON if its `Accept` puts `application/json` above
    /// `text/html`, the page otherwise.
    #[must_use]
    pub fn answer(&self, request: &HeaderMap) -> Response {
        if accept::prefers_json(request) { self.json_answer() } else { self.html_answer() }
    }

    /// The page as an answer, with a policy that lets it have its own style and nothing else.
    #[must_use]
    pub fn html_answer(&self) -> Response {
        let mut answer = answer("text/html; charset=utf-8", self.html());
        let policy = HeaderName::from_static("content-security-policy");
        answer.headers_mut().insert(policy, page::policy());
        answer
    }

    /// The JSON document as an answer.
    #[must_use]
    pub fn json_answer(&self) -> Response {
        answer("application/json", self.json())
    }
}

/// Nobody keeps it, and no other page gets it.
fn answer(media_type: &'static str, body: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::VARY, "accept"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
    ];
    let mut answer = body.into_response();
    for (name, value) in headers {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}
