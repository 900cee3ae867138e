//! Compression of responses, and what it means for their entity tags.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use tower_http::compression::CompressionLayer;

use crate::handle::Handle;
use crate::http::server::body_limit_errors::budget_exhausted;
use crate::http::server::error_format::is_failure;
use crate::http::server::response_body;
use crate::memory::MemoryBudget;

/// The end of a strong tag of a compressed body. Its bytes are others than those of the plain body, so
/// RFC 9110 (section 8.8.3.3) asks for another tag. Apache's `mod_deflate` writes it the same way.
const SUFFIX: &str = "-gzip\"";

/// Compresses the router's responses, if `wanted`.
pub(crate) fn compressed(
    router: Router<Handle>,
    wanted: bool,
    budget: &Arc<MemoryBudget>,
) -> Router<Handle> {
    if !wanted {
        return router;
    }
    let budget = budget.clone();
    // Charged before compression, because that layer holds the whole body and hides its size.
    let charge = from_fn(move |request: Request<Body>, next: Next| {
        let budget = budget.clone();
        async move {
            // The result of a POST must always be sent, because the client would repeat it
            // otherwise.
            let is_safe = request.method().is_safe();
            let response = next.run(request).await;
            let can_retry = is_safe && !is_failure(response.status());
            let charged = response_body::charge(response, &budget, can_retry);
            charged.unwrap_or_else(|_| budget_exhausted().into_response())
        }
    });
    router.layer(charge).layer(CompressionLayer::new()).layer(from_fn(tags))
}

/// Gives compressed responses a tag of their own, and handlers the tag that they know.
async fn tags(mut request: Request, next: Next) -> Response {
    let headers = request.headers_mut();
    let knew_compressed = without_suffix(headers, &header::IF_NONE_MATCH);
    without_suffix(headers, &header::IF_MATCH);
    let mut response = next.run(request).await;
    let not_modified = response.status() == StatusCode::NOT_MODIFIED;
    if response.headers().contains_key(header::CONTENT_ENCODING)
        || (not_modified && knew_compressed)
    {
        with_suffix(response.headers_mut());
    }
    if not_modified {
        // The compression layer adds `Vary` only to responses with a body, but a 304 must send the `Vary` of
        // the 200 (RFC 9110, section 15.4.5).
        response.headers_mut().append(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    response
}

/// Removes the suffix from the tags of a condition. Returns whether one had it.
fn without_suffix(headers: &mut HeaderMap, name: &HeaderName) -> bool {
    let mut had_it = false;
    let mut plain = Vec::new();
    for line in headers.get_all(name) {
        match line.to_str() {
            Ok(text) if text.contains(SUFFIX) => {
                had_it = true;
                // Always valid, because removing the suffix leaves only characters of a valid header value.
                plain.extend(HeaderValue::try_from(text.replace(SUFFIX, "\"")));
            }
            _ => plain.push(line.clone()),
        }
    }
    if had_it {
        headers.remove(name);
        plain.into_iter().for_each(|line| {
            headers.append(name, line);
        });
    }
    had_it
}

/// Adds the suffix to a strong tag.
fn with_suffix(headers: &mut HeaderMap) {
    let tag = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok());
    let Some(start) = tag.filter(|tag| tag.starts_with('"')).and_then(|tag| tag.strip_suffix('"'))
    else {
        return;
    };
    if let Ok(tag) = HeaderValue::try_from(format!("{start}{SUFFIX}")) {
        headers.insert(header::ETAG, tag);
    }
}
