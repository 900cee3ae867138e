//! A snapshot as an HTTP response, with the headers that keep it private.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::content_negotiation::prefers_json;
use super::page;
use super::snapshot::PanelSnapshot;

impl PanelSnapshot {
    /// Returns the page. It is complete in one file: it loads nothing, and runs no script.
    #[must_use]
    pub fn html(&self) -> String {
        page::html(self)
    }

    /// Returns the JSON document, indented.
    #[must_use]
    pub fn json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("texts and lists are JSON");
        text.push('\n');
        text
    }

    /// Returns the form that the request prefers: JSON if its `Accept` header ranks `application/json` above
    /// `text/html` (RFC 9110, section 12.5.1), the page otherwise.
    #[must_use]
    pub fn respond(&self, request: &HeaderMap) -> Response {
        if prefers_json(request) { self.json_response() } else { self.html_response() }
    }

    /// Returns the page as a response, with a `Content-Security-Policy` that allows its own style and nothing
    /// else.
    #[must_use]
    pub fn html_response(&self) -> Response {
        let mut response = private_response("text/html; charset=utf-8", self.html());
        let policy = HeaderName::from_static("content-security-policy");
        response.headers_mut().insert(policy, page::policy());
        response
    }

    /// Returns the JSON document as a response.
    #[must_use]
    pub fn json_response(&self) -> Response {
        private_response("application/json", self.json())
    }
}

/// Creates a response that no cache stores and that no page of another origin can read.
fn private_response(media_type: &'static str, body: String) -> Response {
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
    let mut response = body.into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
