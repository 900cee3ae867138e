//! Gives every failure the one error format: a problem document (RFC 9457), Gnar Gear's envelope, or
//! the service's own renderer for the path.

use axum::body::Body;
use axum::response::Response;
use futures_util::FutureExt;
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt;

use super::request_context::RequestContext;
use super::stack_config::StackConfig;
use crate::compat::error_envelope;
use crate::compat::error_style::ErrorStyle;
use crate::error::error_renderer::ErrorResponse;
use crate::error::handler_error::{CustomErrorBody, ErrorExtension};
use crate::error::problem_document::{self, DebugInfo, ErrorReport};

/// Maximum size in bytes of a plain-text body that becomes the detail of a problem document.
const MAX_TEXT_BYTES: u64 = 4096;

/// A response in its final format.
pub(super) struct FormattedResponse {
    pub response: Response,
    /// The true status, for metrics and log: Gnar Gear's envelope is sent with 200.
    pub status: StatusCode,
    /// Set if the failure has had its log line.
    pub is_logged: bool,
}

impl FormattedResponse {
    fn unchanged(response: Response) -> Self {
        Self { status: response.status(), response, is_logged: false }
    }
}

/// Returns whether `status` is a client's or a server's error.
pub(super) fn is_failure(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

impl StackConfig {
    /// Formats a response of the router. Successes, and failures that already have a format of their
    /// own, stay as they are.
    pub(super) fn format_response(
        &self,
        mut response: Response,
        request: &RequestContext,
    ) -> FormattedResponse {
        let status = response.status();
        if !is_failure(status) {
            return FormattedResponse::unchanged(response);
        }
        if let Some(ErrorExtension(error)) = response.extensions_mut().remove::<ErrorExtension>() {
            let failure = ErrorReport::of(&error);
            if response.extensions_mut().remove::<CustomErrorBody>().is_none() {
                return self.format_failure(response, &failure, request);
            }
            let is_logged = self.log_if_caused(&failure, request);
            return FormattedResponse { response, status, is_logged };
        }
        if status == StatusCode::METHOD_NOT_ALLOWED && request.method == Method::OPTIONS {
            return FormattedResponse::unchanged(options_response(response));
        }
        match take_body(&mut response) {
            ErrorBody::CustomFormat => FormattedResponse::unchanged(response),
            ErrorBody::Empty => {
                let detail = (status == StatusCode::METHOD_NOT_ALLOWED)
                    .then_some("method not allowed; see the `Allow` header");
                self.format_failure(response, &ErrorReport::new(status, detail), request)
            }
            ErrorBody::Text(text) if status.is_client_error() => {
                self.format_failure(response, &ErrorReport::new(status, Some(&text)), request)
            }
            // The text of a server's error goes to the log, because it may name internals.
            ErrorBody::Text(text) => {
                let debug_info = DebugInfo { chain: vec![text], location: None };
                let failure =
                    ErrorReport { debug_info: Some(debug_info), ..ErrorReport::new(status, None) };
                self.format_failure(response, &failure, request)
            }
        }
    }

    /// Formats a failure, and logs it if it has a cause. `response` gives its headers.
    pub(super) fn format_failure(
        &self,
        response: Response,
        failure: &ErrorReport<'_>,
        request: &RequestContext,
    ) -> FormattedResponse {
        let is_logged = self.log_if_caused(failure, request);
        let response = self.with_error_body(response, failure, request);
        FormattedResponse { response, status: failure.status, is_logged }
    }

    /// Formats the response to a shed request. That was logged already, once a second for all.
    pub(super) fn format_shed(
        &self,
        mut response: Response,
        request: &RequestContext,
    ) -> FormattedResponse {
        match response.extensions_mut().remove::<ErrorExtension>() {
            Some(ErrorExtension(error)) => {
                let failure = ErrorReport { debug_info: None, ..ErrorReport::of(&error) };
                FormattedResponse {
                    is_logged: true,
                    ..self.format_failure(response, &failure, request)
                }
            }
            None => FormattedResponse::unchanged(response),
        }
    }

    fn log_if_caused(&self, failure: &ErrorReport<'_>, request: &RequestContext) -> bool {
        let debug_info = failure.debug_info.as_ref();
        debug_info.is_some_and(|debug_info| self.log_failure(failure, debug_info, request))
    }

    fn with_error_body(
        &self,
        mut response: Response,
        failure: &ErrorReport<'_>,
        request: &RequestContext,
    ) -> Response {
        if let Some(renderer) = self.hooks.error_renderers.of(request.path()) {
            return renderer.render(&ErrorResponse::new(failure, request.id()), &response);
        }
        let (media_type, body) = match self.error_style {
            ErrorStyle::Problem => {
                // The client knows its path, but a cache or proxy that stores the response should
                // not learn a secret.
                let path = self.path_for_log(request);
                let body =
                    problem_document::render(failure, request.id(), &path, self.shows_debug_info);
                (problem_document::MEDIA_TYPE, body)
            }
            ErrorStyle::Gnar => {
                *response.status_mut() = StatusCode::OK;
                // A challenge belongs to a 401, which this is no longer.
                response.headers_mut().remove(header::WWW_AUTHENTICATE);
                let body =
                    error_envelope::render(failure, &self.envelope_title, self.shows_debug_info);
                ("application/json", body)
            }
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.remove(header::CONTENT_LENGTH);
        *response.body_mut() = Body::from(body);
        response
    }
}

/// Returns the response to `OPTIONS` of a path that has no route for it: the methods in the router's
/// `Allow` header.
fn options_response(mut response: Response) -> Response {
    let allowed = response.headers().get(header::ALLOW).and_then(|methods| methods.to_str().ok());
    let allowed = format!("{},OPTIONS", allowed.unwrap_or_default());
    let mut options = Response::new(Body::empty());
    if let Ok(allowed) = HeaderValue::try_from(allowed.trim_start_matches(',')) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response.headers_mut().remove(header::CONTENT_TYPE);
    *options.headers_mut() = std::mem::take(response.headers_mut());
    options
}

/// The body of a failure as the handler or axum has made it.
enum ErrorBody {
    Empty,
    Text(String),
    CustomFormat,
}

/// Takes a plain text: axum's rejections and `(StatusCode, "text")`. Other formats are kept, as are
/// bodies that are not in memory yet, because reading them could take long.
fn take_body(response: &mut Response) -> ErrorBody {
    let size = http_body::Body::size_hint(response.body()).exact();
    if size == Some(0) {
        return ErrorBody::Empty;
    }
    let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let is_text = kind.is_some_and(|kind| kind.starts_with(b"text/plain"));
    if !is_text || size.is_none_or(|size| size > MAX_TEXT_BYTES) {
        return ErrorBody::CustomFormat;
    }
    let body = std::mem::take(response.body_mut());
    match body.collect().now_or_never() {
        Some(Ok(collected)) => {
            let text = String::from_utf8_lossy(&collected.to_bytes()).trim_end().to_owned();
            ErrorBody::Text(text)
        }
        _ => ErrorBody::Empty,
    }
}
