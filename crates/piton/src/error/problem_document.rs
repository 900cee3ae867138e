//! Problem documents, the one format of every failure: RFC 9457, `application/problem+json`.
//!
//! A handler's error, an argument's rejection, a 404 of the router, a panic, a timeout: [`render`]
//! writes all of them, with the id of the request. In development the document also has the causes
//! and the line of code; in production it has nothing internal.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::error::handler_error::{Error, FieldError};
use crate::request::RequestId;
use crate::secrets::{redact_known_values, redact_text};

/// The media type of RFC 9457.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// The members of a problem document; see RFC 9457, section 3.
#[derive(Serialize)]
struct ProblemDocument<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    errors: &'a [FieldError],
    #[serde(skip_serializing_if = "Option::is_none")]
    chain: Option<Vec<Cow<'a, str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
}

/// A failure, as far as it is known where its response is made.
pub(crate) struct ErrorReport<'a> {
    pub status: StatusCode,
    pub detail: Option<&'a str>,
    pub field_errors: &'a [FieldError],
    /// Set if Gnar Gear's envelope holds the detail and nothing else.
    pub plain: bool,
    /// The causes and the line of code. `None` for failures without a cause, which are not logged.
    pub debug_info: Option<DebugInfo>,
}

/// The causes of a failure and its line of code, which only developers may see.
pub(crate) struct DebugInfo {
    pub chain: Vec<String>,
    pub location: Option<String>,
}

impl<'a> ErrorReport<'a> {
    pub fn new(status: StatusCode, detail: Option<&'a str>) -> Self {
        Self { status, detail, field_errors: &[], plain: false, debug_info: None }
    }

    pub fn of(error: &'a Error) -> Self {
        Self {
            status: error.status(),
            detail: error.detail(),
            field_errors: error.field_errors(),
            plain: error.is_plain(),
            debug_info: Some(DebugInfo { chain: error.chain(), location: own_line(error) }),
        }
    }
}

/// Returns the line of the service's code where the error was made. `None` for errors made in this
/// crate, such as an argument's rejection, because the service cannot change that line.
fn own_line(error: &Error) -> Option<String> {
    let location = error.location();
    (!location.file().starts_with(crate_sources())).then(|| location.to_string())
}

/// Returns the folder of this crate's sources, as locations name it.
fn crate_sources() -> &'static str {
    let here = file!();
    here.strip_suffix("error/problem_document.rs").unwrap_or(here)
}

/// Returns the document of `failure` for the request `id` to the path `instance`.
pub(crate) fn render(
    failure: &ErrorReport<'_>,
    id: RequestId,
    instance: &str,
    shows_debug_info: bool,
) -> Vec<u8> {
    let debug_info = failure.debug_info.as_ref().filter(|_| shows_debug_info);
    // Masked in development too, because developers share what they see.
    let chain = debug_info
        .map(|debug_info| debug_info.chain.iter().map(|cause| redact_text(cause)).collect());
    let detail = failure.detail.map(redact_known_values);
    document(&ProblemDocument {
        request_id: Some(id.as_str()),
        instance: Some(&redact_known_values(instance)),
        chain: chain.filter(|chain: &Vec<_>| !chain.is_empty()),
        location: debug_info.and_then(|debug_info| debug_info.location.clone()),
        ..problem(failure.status, detail.as_deref(), failure.field_errors)
    })
}

/// Returns a response with a document that has no request id, for code outside a request.
pub(crate) fn plain(
    status: StatusCode,
    detail: Option<&str>,
    field_errors: &[FieldError],
) -> Response {
    let mut response = Response::new(Body::from(document(&problem(status, detail, field_errors))));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    response
}

/// Returns a document as bytes, for responses written below HTTP by `protocol_errors.rs`.
pub(crate) fn bytes(status: StatusCode, detail: &str, id: RequestId) -> Vec<u8> {
    document(&ProblemDocument {
        request_id: Some(id.as_str()),
        ..problem(status, Some(detail), &[])
    })
}

fn problem<'a>(
    status: StatusCode,
    detail: Option<&'a str>,
    errors: &'a [FieldError],
) -> ProblemDocument<'a> {
    ProblemDocument {
        // RFC 9457 § 4.2.1: "about:blank" adds nothing to the status, so that the title is its
        // reason phrase.
        r#type: "about:blank",
        title: status.canonical_reason().unwrap_or("Unknown"),
        status: status.as_u16(),
        detail,
        instance: None,
        request_id: None,
        errors,
        chain: None,
        location: None,
    }
}

fn document(problem: &ProblemDocument<'_>) -> Vec<u8> {
    serde_json::to_vec(problem).expect("a problem holds text and numbers only")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_pitons_own_lines_is_that_of_this_crate() {
        assert!(crate_sources().ends_with("src/"), "{}", crate_sources());
    }

    #[test]
    fn production_shows_neither_cause_nor_line() {
        let error = Error::internal("the password is hunter2");
        let id = RequestId::new();
        let shown = String::from_utf8(render(&ErrorReport::of(&error), id, "/x", true)).unwrap();
        assert!(shown.contains("hunter2") && !shown.contains("location"), "{shown}");
        let hidden = String::from_utf8(render(&ErrorReport::of(&error), id, "/x", false)).unwrap();
        assert_eq!(
            hidden,
            format!(
                r#"{{"type":"about:blank","title":"Internal Server Error","status":500,"instance":"/x","request_id":"{id}"}}"#
            )
        );
    }
}
