//! Responses with a status of their own: `Created` and `NoContent`.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

use crate::http::routing::operation::{Operation, Output};

/// 201 with the header `Location` and a body (RFC 9110, section 15.3.2).
///
/// ```
/// # use piton::prelude::*;
/// async fn create() -> Created<Json<u32>> { Created::at("/things/7", Json(7)) }
/// ```
#[derive(Clone, Debug)]
pub struct Created<T> {
    location: String,
    body: T,
}

impl<T> Created<T> {
    /// Makes the response. `location` is the path or URL of the new resource; `body` usually represents it.
    pub fn at(location: impl Into<String>, body: T) -> Self {
        Self { location: location.into(), body }
    }
}

impl<T: IntoResponse> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let mut response = (StatusCode::CREATED, self.body).into_response();
        // A location that is not a valid header is left out, because the resource was created: an error would be untrue.
        if let Ok(location) = HeaderValue::try_from(self.location) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}

impl<T: Output> Output for Created<T> {
    fn describe(operation: &mut Operation) {
        operation.with_status(StatusCode::CREATED, T::describe);
        operation.response_header(StatusCode::CREATED, "Location", "The URL of the new resource.");
    }
}

/// 204: the request succeeded, and there is no body.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoContent;

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl Output for NoContent {
    fn describe(operation: &mut Operation) {
        operation.response_empty(StatusCode::NO_CONTENT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn created_has_the_location() {
        let response = Created::at("/things/7", "seven").into_response();
        assert_eq!(response.status(), StatusCode::CREATED);
        assert_eq!(response.headers()[header::LOCATION], "/things/7");
    }
}
