//! Errors of AWS, by what the caller can do about them.
//!
//! The text of an error holds the first line of AWS's message, not the rest: some messages quote the
//! request, and in it a session token.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use http::StatusCode;

use crate::http::StatusMapping;

/// The error of a call to AWS. Branch on [`Error::kind`].
///
/// Returned by a handler, [`Kind::Unavailable`] and [`Kind::Throttled`] become 503 with
/// `Retry-After`, every other kind 500.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    message: String,
    code: Option<String>,
}

/// The kinds of [`Error`], by what the caller can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The server cannot be reached, or did not respond in time. Whether the call took effect is unknown;
    /// trying again may help.
    Unavailable,
    /// Too many calls. Nothing was done; trying again later helps.
    Throttled,
    /// The queue or the template does not exist.
    NotFound,
    /// The credentials are unknown, expired, or lack a permission.
    Denied,
    /// The call breaks a rule of the service: a bug in the caller. Nothing was done.
    Invalid,
    /// No region or no credentials are configured. See `[sqs]`, `[ses]` and the variables `AWS_*`.
    Misconfigured,
    /// Any other failure, such as a checksum that does not match.
    Other,
}

impl Error {
    /// Returns the kind of the error.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Returns AWS's code of the error, such as `OverLimit`, if there is one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), code: None }))
    }

    /// Creates an error with a code of AWS.
    #[cfg(test)]
    pub(super) fn with_code(kind: Kind, message: &str) -> Self {
        let code = Some("InvalidParameterValue".to_owned());
        Self(Box::new(Inner { kind, message: message.into(), code }))
    }

    /// Appends advice to the message.
    pub(super) fn with(mut self, advice: &str) -> Self {
        self.0.message = format!("{}: {advice}", self.0.message.trim_end_matches(['.', ' ']));
        self
    }

    /// Converts an error of the SDK. `what` names the call.
    pub(super) fn from_sdk<E>(what: impl fmt::Display, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: StdError + ProvideErrorMetadata + 'static,
    {
        let (kind, why) = match error {
            SdkError::TimeoutError(_) => (Kind::Unavailable, "no response in time".to_owned()),
            SdkError::ResponseError(_) => (Kind::Unavailable, "the response broke off".to_owned()),
            // The kinds are listed, because the SDK reports missing credentials as a dispatch failure of no
            // kind, and that is not `Unavailable`.
            SdkError::DispatchFailure(failure)
                if failure.is_io() || failure.is_timeout() || failure.as_other().is_some() =>
            {
                (Kind::Unavailable, causes(error))
            }
            SdkError::ServiceError(service) => {
                let status = service.raw().status().as_u16();
                let kind = kind_of(service.err().code().unwrap_or_default(), status);
                (
                    kind,
                    service.err().message().map_or_else(|| format!("status {status}"), first_line),
                )
            }
            _ => (Kind::Misconfigured, causes(error)),
        };
        let code = error.as_service_error().and_then(|error| error.code()).map(str::to_owned);
        let message = match &code {
            Some(code) => format!("{what}: {code}: {why}"),
            None => format!("{what}: {why}"),
        };
        Self(Box::new(Inner { kind, message, code }))
    }
}

/// Returns the kind of an error by its code, or by its status if the code is unknown.
fn kind_of(code: &str, status: u16) -> Kind {
    // Without the namespace, because it differs by protocol: `com.amazonaws.sqs#QueueDoesNotExist`,
    // `AWS.SimpleQueueService.NonExistentQueue`.
    let name = code.rsplit(['#', '.']).next().unwrap_or(code);
    let is = |part: &str| name.contains(part);
    if is("Throttl")
        || is("OverLimit")
        || is("TooManyRequests")
        || is("LimitExceeded")
        || status == 429
    {
        return Kind::Throttled;
    }
    if is("DoesNotExist") || is("NonExistentQueue") || is("NotFound") {
        return Kind::NotFound;
    }
    let denied = [
        "AccessDenied",
        "ClientTokenId",
        "UnrecognizedClient",
        "Signature",
        "Expired",
        "AuthFailure",
    ];
    if matches!(status, 401 | 403) || denied.iter().any(|part| is(part)) {
        return Kind::Denied;
    }
    match status {
        500.. => Kind::Unavailable,
        400..500 => Kind::Invalid,
        _ => Kind::Other,
    }
}

/// Joins the causes of an error. Its own text is left out, because it is only `dispatch failure` or the like.
fn causes(error: &dyn StdError) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = first_line(&cause.to_string());
        if texts.last().is_none_or(|last| !last.contains(&text)) {
            texts.push(text);
        }
        next = cause.source();
    }
    if texts.is_empty() { first_line(&error.to_string()) } else { texts.join(": ") }
}

/// Returns the first line, at most 300 characters of it.
fn first_line(text: &str) -> String {
    shorten(text.lines().next().unwrap_or_default(), 300)
}

/// Returns at most `max` characters of a text: whole sentences, or whole words with `…` at the end.
pub(super) fn shorten(text: &str, max: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(max) else { return text.to_owned() };
    let begin = &text[..end];
    if let Some(stop) = begin.rfind(". ") {
        return begin[..=stop].to_owned();
    }
    format!("{} …", begin.rfind(' ').map_or(begin, |space| &begin[..space]))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl StdError for Error {}

/// Returns the status and detail that a handler's response has for an error of AWS.
fn status_of(error: &(dyn StdError + 'static)) -> Option<StatusMapping> {
    match error.downcast_ref::<Error>()?.kind() {
        Kind::Unavailable | Kind::Throttled => Some(
            StatusMapping::from(StatusCode::SERVICE_UNAVAILABLE)
                .detail("a service that this one needs is not available at the moment")
                .retry_after(Duration::from_secs(1)),
        ),
        _ => None,
    }
}

crate::map_error!(status_of);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_aws_have_the_right_kind() {
        for (code, status, kind) in [
            ("AWS.SimpleQueueService.NonExistentQueue", 400, Kind::NotFound),
            ("com.amazonaws.sqs#QueueDoesNotExist", 400, Kind::NotFound),
            ("ThrottlingException", 400, Kind::Throttled),
            ("RequestThrottled", 403, Kind::Throttled),
            ("InvalidClientTokenId", 403, Kind::Denied),
            ("SignatureDoesNotMatch", 400, Kind::Denied),
            ("InvalidMessageContents", 400, Kind::Invalid),
            ("InternalFailure", 500, Kind::Unavailable),
            ("", 503, Kind::Unavailable),
        ] {
            assert_eq!(kind_of(code, status), kind, "{code}");
        }
    }

    #[test]
    fn a_retryable_error_becomes_503_and_any_other_500() {
        assert!(status_of(&Error::new(Kind::Throttled, "")).is_some());
        assert!(status_of(&Error::new(Kind::Unavailable, "")).is_some());
        assert_eq!(status_of(&Error::new(Kind::Denied, "")), None);
        assert_eq!(status_of(&fmt::Error), None);
    }

    #[test]
    fn a_shortened_text_ends_with_a_sentence_or_a_word() {
        assert_eq!(shorten("all of it", 9), "all of it");
        assert_eq!(shorten("One. Two is too long", 12), "One.");
        assert_eq!(shorten("one two three", 9), "one two …");
        assert_eq!(shorten("ünbroken", 3), "ünb …");
    }

    #[test]
    fn only_the_first_line_of_a_message_is_kept() {
        assert_eq!(first_line("does not match\n\nx-amz-security-token:abc"), "does not match");
    }
}
