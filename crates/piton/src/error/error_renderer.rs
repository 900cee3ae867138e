//! Error formats of a service's own, by path (`App::error_renderer`).
//!
//! A protocol may define how errors look, and its clients read nothing else: ASHIRT reads a reason out
//! of a 200, for example. The status in the log and in the metrics does not change.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use axum::response::Response;
use http::{HeaderName, StatusCode, header};

use crate::error::FieldError;
use crate::error::problem_document::ErrorReport;
use crate::request::RequestId;
use crate::secrets::redact_known_values;

/// The failure of a request, as far as its client may know it.
#[derive(Debug)]
pub struct ErrorResponse<'a> {
    status: StatusCode,
    detail: Option<Cow<'a, str>>,
    field_errors: &'a [FieldError],
    id: RequestId,
}

impl<'a> ErrorResponse<'a> {
    pub(crate) fn new(failure: &'a ErrorReport<'_>, id: RequestId) -> Self {
        let detail = failure.detail.map(redact_known_values);
        Self { status: failure.status, detail, field_errors: failure.field_errors, id }
    }

    /// Returns the status of the failure.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the detail for the client, with secrets masked.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// Returns the faults of single fields or parameters of the request. Empty unless it was a 422 or
    /// 400 of an argument.
    #[must_use]
    pub fn field_errors(&self) -> &[FieldError] {
        self.field_errors
    }

    /// Returns the request's id, by which the log line with the cause can be found.
    #[must_use]
    pub fn id(&self) -> RequestId {
        self.id
    }
}

/// One line: the detail, or else the status's reason phrase, then the field errors.
impl fmt::Display for ErrorResponse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.detail(), self.status.canonical_reason()) {
            (Some(detail), _) => f.write_str(detail)?,
            (None, Some(phrase)) => f.write_str(&phrase.to_lowercase())?,
            (None, None) => write!(f, "status {}", self.status.as_u16())?,
        }
        for (index, fault) in self.field_errors.iter().enumerate() {
            f.write_str(if index == 0 { ": " } else { "; " })?;
            if let Some(place) = fault.pointer.as_deref().or(fault.parameter.as_deref()) {
                write!(f, "{place}: ")?;
            }
            f.write_str(&fault.detail)?;
        }
        Ok(())
    }
}

type RenderFn = Arc<dyn Fn(&ErrorResponse<'_>) -> Response + Send + Sync>;

/// Renders failures in a format of the service's own.
#[derive(Clone)]
pub(crate) struct ErrorRenderer(RenderFn);

/// A path whose failures have a renderer, for the OpenAPI document.
#[derive(Clone, Debug)]
pub(crate) struct RendererPath(pub String);

#[cfg_attr(not(feature = "openapi"), expect(dead_code, reason = "the document asks for it"))]
impl RendererPath {
    /// Returns whether `path` is this path or below it.
    pub fn covers(&self, path: &str) -> bool {
        is_within(path, &self.0)
    }
}

fn is_within(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The renderers of a service and their paths.
#[derive(Clone, Default)]
pub(crate) struct ErrorRenderers(Vec<(String, ErrorRenderer)>);

impl ErrorRenderers {
    pub fn add(
        &mut self,
        path: &str,
        render: impl Fn(&ErrorResponse<'_>) -> Response + Send + Sync + 'static,
    ) {
        self.0.push((path.trim_end_matches('/').to_owned(), ErrorRenderer(Arc::new(render))));
    }

    /// Returns the renderer of requests for `path`, if there is one: that of the longest prefix.
    pub fn of(&self, path: &str) -> Option<&ErrorRenderer> {
        let within = |prefix: &&(String, ErrorRenderer)| is_within(path, &prefix.0);
        let longest = self.0.iter().filter(within).max_by_key(|(prefix, _)| prefix.len());
        longest.map(|(_, renderer)| renderer)
    }
}

impl ErrorRenderer {
    /// Returns the rendered response. Adds the headers of `response`, except those that describe its
    /// body.
    pub fn render(&self, error: &ErrorResponse<'_>, response: &Response) -> Response {
        let mut rendered = (self.0)(error);
        let (own, other) = (rendered.headers_mut(), response.headers());
        for name in other.keys().filter(|name| !describes_body(name)) {
            if !own.contains_key(name) {
                other.get_all(name).iter().for_each(|value| {
                    own.append(name, value.clone());
                });
            }
        }
        rendered
    }
}

fn describes_body(name: &HeaderName) -> bool {
    name == header::CONTENT_TYPE || name == header::CONTENT_LENGTH
}
