//! A failure as those see it who answer it in a format of their own.
//!
//! A protocol may say how failures look, and its clients read nothing else: ASHIRT takes a reason out
//! of a 200, for example. `App::error_renderer` gives such a format to the paths where it is spoken; what the
//! failure is called in the log and in the metrics does not change.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use axum::response::Response;
use http::{HeaderName, StatusCode, header};

use crate::context::RequestId;
use crate::error::FieldError;
use crate::error::problem::ErrorReport;
use crate::secrets::redact_known_values;

/// What went wrong with a request, as far as its client may know.
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

    /// Which status the failure has.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What the client may read of it.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// Each thing that is wrong with what the client sent, where that is known.
    #[must_use]
    pub fn field_errors(&self) -> &[FieldError] {
        self.field_errors
    }

    /// The request's id, by which the log tells the cause.
    #[must_use]
    pub fn id(&self) -> RequestId {
        self.id
    }
}

/// In a line: what the client may read, else what the status is called, then the field_errors.
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

type Render = Arc<dyn Fn(&ErrorResponse<'_>) -> Response + Send + Sync>;

/// A format that failures have.
#[derive(Clone)]
pub(crate) struct Format(Render);

/// A path whose failures have a format of the service's own, for the OpenAPI document.
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

/// Who answers the failures of which paths.
#[derive(Clone, Default)]
pub(crate) struct Formats(Vec<(String, Format)>);

impl Formats {
    pub fn add(
        &mut self,
        path: &str,
        render: impl Fn(&ErrorResponse<'_>) -> Response + Send + Sync + 'static,
    ) {
        self.0.push((path.trim_end_matches('/').to_owned(), Format(Arc::new(render))));
    }

    /// The format of requests for `path`, if they have one of their own: that of the longest path.
    pub(crate) fn of(&self, path: &str) -> Option<&Format> {
        let within = |prefix: &&(String, Format)| is_within(path, &prefix.0);
        let longest = self.0.iter().filter(within).max_by_key(|(prefix, _)| prefix.len());
        longest.map(|(_, format)| format)
    }
}

impl Format {
    /// The answer. Headers of `response` go along, unless they say what its body is.
    pub fn answer(&self, failed: &ErrorResponse<'_>, response: &Response) -> Response {
        let mut answer = (self.0)(failed);
        let (own, other) = (answer.headers_mut(), response.headers());
        for name in other.keys().filter(|name| !of_body(name)) {
            if !own.contains_key(name) {
                other.get_all(name).iter().for_each(|value| {
                    own.append(name, value.clone());
                });
            }
        }
        answer
    }
}

/// Whether a header says what the body is.
fn of_body(name: &HeaderName) -> bool {
    name == header::CONTENT_TYPE || name == header::CONTENT_LENGTH
}
