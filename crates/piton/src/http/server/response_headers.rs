//! The headers that every response gets on its way out.

use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::request_context::{RequestContext, X_REQUEST_ID};
use super::stack_config::StackConfig;

impl StackConfig {
    /// Adds `http.headers`, the CORS headers, `X-Request-Id`, and `Connection: close` while the
    /// service drains.
    pub(super) fn add_headers(
        &self,
        headers: &mut HeaderMap,
        status: StatusCode,
        request: &RequestContext,
    ) {
        if status == StatusCode::NOT_MODIFIED {
            // axum sets `Content-Length: 0` on the response to a HEAD request. In a 304 it would
            // stand for the length of the cached body (RFC 9110, section 8.6).
            headers.remove(header::CONTENT_LENGTH);
        }
        for line in &self.headers {
            headers.entry(&line.name).or_insert_with(|| line.value.clone());
        }
        if let Some(cors) = &self.cors {
            cors.finish(request.origin.as_ref(), headers);
        }
        headers.insert(X_REQUEST_ID, request.id().header());
        if self.handle.draining() {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
}
