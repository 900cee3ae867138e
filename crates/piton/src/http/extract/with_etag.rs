//! The response `WithETag`: a body with its entity tag.

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

use crate::http::extract::entity_tag::ETag;
use crate::http::extract::preconditions::Preconditions;
use crate::http::routing::operation::{Operation, Output};

/// A body with the header `ETag`: `WithETag::new(company.etag(), Json(company))`.
///
/// ```
/// use piton::prelude::*;
/// use piton::http::{ETag, Preconditions, WithETag};
///
/// async fn show(preconditions: Preconditions) -> WithETag<Json<u32>> {
///     WithETag::new(ETag::strong(7), Json(42)).or_not_modified(&preconditions)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct WithETag<T> {
    etag: ETag,
    /// The body; `None` if the client has it already.
    body: Option<T>,
}

impl<T> WithETag<T> {
    /// Adds the header `ETag` to the response of `body`.
    pub fn new(etag: ETag, body: T) -> Self {
        Self { etag, body: Some(body) }
    }

    /// Responds with 304 and without the body if the client's `If-None-Match` lists the tag (RFC 9110, section 13.1.2).
    /// For `GET` only. Routes with `#[cached]` do so by themselves.
    #[must_use]
    pub fn or_not_modified(mut self, preconditions: &Preconditions) -> Self {
        if preconditions.client_has(&self.etag) {
            self.body = None;
        }
        self
    }
}

impl<T: IntoResponse> IntoResponse for WithETag<T> {
    fn into_response(self) -> Response {
        let mut response = match self.body {
            Some(body) => body.into_response(),
            None => StatusCode::NOT_MODIFIED.into_response(),
        };
        response.headers_mut().insert(header::ETAG, self.etag.into_header());
        response
    }
}

impl<T: Output> Output for WithETag<T> {
    fn describe(operation: &mut Operation) {
        operation.with_header("ETag", "The entity tag of this version.", T::describe);
    }
}
