//! The error type of handlers, with two messages: one for the client, one for the log.
//!
//! `?` works on any error: what Piton knows by its type becomes the right status (a missing row
//! 404, a pool's timeout 503), all else is 500, of which the client reads nothing but an id.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use super::box_error::BoxError;
use crate::error::problem_document;

/// The return type of handlers: `Result<Json<User>>`.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The failure of a request: a status, a detail for the client, and causes for the log.
///
/// Does not implement [`std::error::Error`], so that it can be made from every type that does:
///
/// ```
/// use piton::prelude::*;
///
/// async fn read() -> Result<String> {
///     let text = std::fs::read_to_string("note.txt")?;         // 500, the cause in the log
///     if text.is_empty() {
///         return Err(Error::not_found("there is no note yet")); // 404, for the client to read
///     }
///     Ok(text)
/// }
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    status: StatusCode,
    detail: Option<Cow<'static, str>>,
    field_errors: Vec<FieldError>,
    cause: Option<BoxError>,
    location: &'static Location<'static>,
    headers: HeaderMap,
    plain: bool,
    /// The response to send unchanged, instead of a document. In a lock, because a body is not `Sync`.
    response: Option<Mutex<Response>>,
}

/// Maximum number of field errors reported per request. Collectors gather one more, to know that the
/// list was truncated.
pub(crate) const MAX_FIELD_ERRORS: usize = 100;

/// Returns the maximum number of field errors reported for an input of `length` bytes. A long input has
/// fewer, because it is read again for each of them.
pub(crate) const fn max_field_errors(length: usize) -> usize {
    if length <= 256 * 1024 { MAX_FIELD_ERRORS } else { 20 }
}

/// An error of one field or parameter that the client sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The message for the client.
    pub detail: String,
    /// The place in a JSON body: a JSON Pointer as a URI fragment (RFC 6901, section 6), such as
    /// `#/partners/0/name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The name of the path or query parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
}

/// Maps errors of a library to statuses. Modules register one for the errors of their libraries:
///
/// ```
/// # fn main() {}
/// piton::map_error!(|error| {
///     error.is::<std::num::ParseIntError>().then_some(piton::StatusCode::BAD_REQUEST)
/// });
/// ```
pub struct ErrorMapper(pub fn(&(dyn StdError + 'static)) -> Option<StatusMapping>);

inventory::collect!(ErrorMapper);

/// Renders the errors of a module for which a status is not enough: with headers, or in a form that the
/// settings choose.
pub(crate) struct ErrorConversion(pub fn(&(dyn StdError + 'static)) -> Option<Error>);

inventory::collect!(ErrorConversion);

/// The mapping of a library's error: its status, and optionally a detail for the client and a `Retry-After`.
/// `StatusCode` converts into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusMapping {
    status: StatusCode,
    detail: Option<Cow<'static, str>>,
    retry_after: Option<Duration>,
}

impl StatusMapping {
    /// Sets the detail for the client, as in [`Error::new`].
    #[must_use]
    pub fn detail(self, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// Sets the time until a retry, as [`Error::retry_after`] does.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }
}

impl From<StatusCode> for StatusMapping {
    fn from(status: StatusCode) -> Self {
        Self { status, detail: None, retry_after: None }
    }
}

/// Registers which status an error type means wherever `?` meets it; see [`ErrorMapper`](crate::http::ErrorMapper).
#[macro_export]
macro_rules! map_error {
    ($recognise:expr) => {
        $crate::__private::inventory::submit! {
            $crate::__private::ErrorMapper(|error| {
                let recognise: fn(
                    &(dyn ::std::error::Error + 'static),
                ) -> ::core::option::Option<_> = $recognise;
                recognise(error).map(::core::convert::Into::into)
            })
        }
    };
}

/// Makes one constructor a status; each takes the message that the client will read.
macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident $status:ident)*) => {
        $(
            $(#[$doc])*
            #[must_use]
            #[track_caller]
            pub fn $name(detail: impl Into<Cow<'static, str>>) -> Self {
                Self::new(StatusCode::$status, detail)
            }
        )*
    };
}

impl Error {
    /// Creates an error with any status. `detail` is for the client and must hold nothing internal.
    #[must_use]
    #[track_caller]
    pub fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::with(status, Some(detail.into()), None)
    }

    constructors! {
        /// 400: what was sent cannot be understood.
        bad_request BAD_REQUEST
        /// 401: the caller is not authenticated.
        unauthorized UNAUTHORIZED
        /// 403: the caller lacks a permission.
        forbidden FORBIDDEN
        /// 404: there is no such thing.
        not_found NOT_FOUND
        /// 409: it contradicts what is there.
        conflict CONFLICT
        /// 422: the request is well-formed, but not acceptable. [`Error::field_error`] adds the field.
        unprocessable UNPROCESSABLE_ENTITY
        /// 429: too many requests. [`Error::retry_after`] sets `Retry-After`.
        too_many_requests TOO_MANY_REQUESTS
        /// 503: temporarily unavailable. [`Error::retry_after`] sets `Retry-After`.
        unavailable SERVICE_UNAVAILABLE
    }

    /// 500: a fault of the service. `cause` goes to the log only.
    #[must_use]
    #[track_caller]
    pub fn internal(cause: impl Into<BoxError>) -> Self {
        Self::with(StatusCode::INTERNAL_SERVER_ERROR, None, Some(cause.into()))
    }

    #[track_caller]
    fn with(
        status: StatusCode,
        detail: Option<Cow<'static, str>>,
        cause: Option<BoxError>,
    ) -> Self {
        Self(Box::new(Inner {
            status,
            detail,
            field_errors: Vec::new(),
            cause,
            location: Location::caller(),
            headers: HeaderMap::new(),
            plain: false,
            response: None,
        }))
    }

    /// Adds a cause for the log, which the client does not see.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<BoxError>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// Adds the error of one field or parameter.
    #[must_use]
    pub fn field_error(mut self, error: FieldError) -> Self {
        self.0.field_errors.push(error);
        self
    }

    /// Adds field errors up to `max` in total. If there are more, a last one without a place says so.
    #[must_use]
    pub(crate) fn with_field_errors(
        mut self,
        max: usize,
        field_errors: impl IntoIterator<Item = FieldError>,
    ) -> Self {
        let mut field_errors = field_errors.into_iter();
        let known = self.0.field_errors.len();
        self.0.field_errors.extend(field_errors.by_ref().take(max.saturating_sub(known)));
        if field_errors.next().is_none() {
            return self;
        }
        let detail = format!("there are more errors than these {max}");
        self.field_error(FieldError { detail, pointer: None, parameter: None })
    }

    /// Adds a header to the response.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// Says when the client may try again, in whole seconds rounded up.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// Puts the detail into the member `error` of Gnar Gear's envelope
    /// ([`ErrorStyle::Gnar`](crate::http::ErrorStyle)), without a traceback: for refusals that are no fault of the
    /// service, such as an expired token.
    #[must_use]
    pub fn plain(mut self) -> Self {
        self.0.plain = true;
        self
    }

    /// Sends `response` unchanged, instead of a problem document: for clients of a protocol with an
    /// error format of its own. The error is logged as always, and its headers are added to the response
    /// unless that has headers of the same names.
    #[must_use]
    pub fn with_response(mut self, response: impl IntoResponse) -> Self {
        self.0.response = Some(Mutex::new(response.into_response()));
        self
    }

    pub(crate) fn is_plain(&self) -> bool {
        self.0.plain
    }

    /// Returns the status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// Returns the detail for the client, if any.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// Returns the errors of fields and parameters.
    #[must_use]
    pub fn field_errors(&self) -> &[FieldError] {
        &self.0.field_errors
    }

    /// Returns the line of code that made the error: that of the `?` or of the constructor.
    #[must_use]
    pub fn location(&self) -> &'static Location<'static> {
        self.0.location
    }

    /// Returns the messages of the cause and of its own causes, outermost first. For the log, not for the
    /// client.
    #[must_use]
    pub fn chain(&self) -> Vec<String> {
        let mut chain = Vec::new();
        let mut next = self.0.cause.as_deref().map(|cause| cause as &(dyn StdError + 'static));
        while let Some(error) = next {
            chain.push(error.to_string());
            next = error.source();
        }
        chain
    }
}

impl FieldError {
    /// Makes the error of a field of a JSON body. `pointer` is a JSON Pointer (RFC 6901) such as
    /// `/partners/0/name`, or empty for the whole body.
    #[must_use]
    pub fn at(pointer: impl fmt::Display, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), pointer: Some(format!("#{pointer}")), parameter: None }
    }

    /// Makes the error of a path or query parameter.
    #[must_use]
    pub fn parameter(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), pointer: None, parameter: Some(name.into()) }
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    #[track_caller]
    fn from(error: E) -> Self {
        // The caller's line is the line of the `?`.
        Self::from_boxed(Box::new(error))
    }
}

impl Error {
    #[track_caller]
    fn from_boxed(error: BoxError) -> Self {
        let whole = inventory::iter::<ErrorConversion>().find_map(|whole| whole.0(&*error));
        if let Some(whole) = whole {
            return whole;
        }
        let known = known(&*error).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR.into());
        let new = Self::with(known.status, known.detail, Some(error));
        match known.retry_after {
            Some(wait) => new.retry_after(wait),
            None => new,
        }
    }
}

/// Returns the first status that a mapper has for the error or one of its causes.
fn known(error: &(dyn StdError + 'static)) -> Option<StatusMapping> {
    let mut next = Some(error);
    while let Some(error) = next {
        let known = inventory::iter::<ErrorMapper>().find_map(|recognise| recognise.0(error));
        if known.is_some() {
            return known;
        }
        next = error.source();
    }
    None
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.status)?;
        if let Some(detail) = self.detail() {
            write!(f, ": {detail}")?;
        }
        for cause in self.chain() {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} (at {})", self.0.location)
    }
}

/// Carries the error in its response to the stack, which renders and logs it.
#[derive(Clone)]
pub(crate) struct ErrorExtension(pub std::sync::Arc<Error>);

/// Marks a response whose body must not be replaced by a document.
#[derive(Clone)]
pub(crate) struct CustomErrorBody;

impl IntoResponse for Error {
    fn into_response(mut self) -> Response {
        let headers = std::mem::take(&mut self.0.headers);
        if let Some(response) = self.0.response.take() {
            let mut response = response.into_inner().unwrap_or_else(PoisonError::into_inner);
            // The response was made from another error, which the stack renders.
            if response.extensions().get::<ErrorExtension>().is_some() {
                return response;
            }
            for (name, value) in &headers {
                response.headers_mut().entry(name).or_insert_with(|| value.clone());
            }
            response.extensions_mut().insert(CustomErrorBody);
            response.extensions_mut().insert(ErrorExtension(std::sync::Arc::new(self)));
            return response;
        }
        // A complete document, because a router may run without Piton's stack.
        let mut response =
            problem_document::plain(self.0.status, self.detail(), self.field_errors());
        response.headers_mut().extend(headers);
        response.extensions_mut().insert(ErrorExtension(std::sync::Arc::new(self)));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails() -> Result<()> {
        let _: u8 = "x".parse()?;
        Ok(())
    }

    #[test]
    fn an_unknown_error_is_500_with_cause_and_the_line_of_the_question_mark() {
        let error = fails().unwrap_err();
        assert_eq!(error.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(error.detail(), None);
        assert_eq!(error.chain(), ["invalid digit found in string"]);
        assert!(
            error.location().file().ends_with("error/handler_error.rs"),
            "{}",
            error.location()
        );
    }

    #[derive(Debug)]
    struct Outer(DebugInfo);
    #[derive(Debug)]
    struct DebugInfo;
    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("outer")
        }
    }
    impl fmt::Display for DebugInfo {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("inside")
        }
    }
    impl StdError for DebugInfo {}
    impl StdError for Outer {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }
    crate::map_error!(|error| error.is::<DebugInfo>().then_some(StatusCode::CONFLICT));

    #[test]
    fn a_known_kind_is_recognised_however_deep_it_lies() {
        let error = Error::from(Outer(DebugInfo));
        assert_eq!(error.status(), StatusCode::CONFLICT);
        assert_eq!(error.chain(), ["outer", "inside"]);
    }

    #[test]
    fn a_wait_is_rounded_up_to_whole_seconds() {
        let error = Error::unavailable("busy").retry_after(Duration::from_millis(1200));
        assert_eq!(error.into_response().headers()[header::RETRY_AFTER], "2");
    }
}
