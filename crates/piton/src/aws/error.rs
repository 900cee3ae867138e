//! What goes wrong with Amazon, by what the caller can do about it.
//!
//! The text of an error holds Amazon's own words, of which only the first line is kept: the rest of
//! some quotes the request, and in it a session's token.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use http::StatusCode;

use crate::http::StatusMapping;

/// Why Amazon did not do what it should. [`Error::kind`] is what to branch on.
///
/// As the answer of a handler [`Kind::Unavailable`] and [`Kind::Throttled`] become 503 with
/// `Retry-After`, every other kind 500.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    message: String,
    code: Option<String>,
}

/// What kind of error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// It cannot be reached, or did not answer in time. Whether it has done what was asked is not
    /// known; trying again may help.
    Unavailable,
    /// Too much was asked of it. Nothing was done; trying again later helps.
    Throttled,
    /// There is no such queue, or no such template.
    NotFound,
    /// The credentials are unknown, have run out, or may not do this.
    Denied,
    /// What was asked for breaks a rule: a bug in the caller. Nothing was done.
    Invalid,
    /// No region or no credentials are known. See `[sqs]`, `[ses]` and the variables `AWS_*`.
    Misconfigured,
    /// Anything else, such as a sum that does not match.
    Other,
}

impl Error {
    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Amazon's own name of it, such as `OverLimit`, if it said one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), code: None }))
    }

    /// Makes an error with a code of Amazon's.
    #[cfg(test)]
    pub(super) fn coded(kind: Kind, message: &str) -> Self {
        let code = Some("InvalidParameterValue".to_owned());
        Self(Box::new(Inner { kind, message: message.into(), code }))
    }

    /// The same, with what to do about it at its end.
    pub(super) fn with(mut self, advice: &str) -> Self {
        self.0.message = format!("{}: {advice}", self.0.message.trim_end_matches(['.', ' ']));
        self
    }

    /// An error of the SDK, met while doing `what`.
    pub(super) fn of<E>(what: impl fmt::Display, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: StdError + ProvideErrorMetadata + 'static,
    {
        let (kind, why) = match error {
            SdkError::TimeoutError(_) => (Kind::Unavailable, "no answer in time".to_owned()),
            SdkError::ResponseError(_) => (Kind::Unavailable, "the answer broke off".to_owned()),
            // A connection that broke off has a kind of the SDK's, credentials that are not found none.
            SdkError::DispatchFailure(failure)
                if failure.is_io() || failure.is_timeout() || failure.as_other().is_some() =>
            {
                (Kind::Unavailable, causes(error))
            }
            SdkError::ServiceError(said) => {
                let status = said.raw().status().as_u16();
                let kind = of_code(said.err().code().unwrap_or_default(), status);
                (kind, said.err().message().map_or_else(|| format!("status {status}"), first_line))
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

/// What Amazon's names of errors mean; the status where the name is not known.
fn of_code(code: &str, status: u16) -> Kind {
    // `com.amazonaws.sqs#QueueDoesNotExist`, `AWS.SimpleQueueService.NonExistentQueue`
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

/// The causes of an error, without its own words: those are `dispatch failure` and its like.
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

/// The first line, and not more of it than a log line can bear.
fn first_line(text: &str) -> String {
    shortened(text.lines().next().unwrap_or_default(), 300)
}

/// At most `most` characters of a text: whole sentences, or whole words with a sign that there were
/// more.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(most) else { return text.to_owned() };
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

fn known(error: &(dyn StdError + 'static)) -> Option<StatusMapping> {
    match error.downcast_ref::<Error>()?.kind() {
        Kind::Unavailable | Kind::Throttled => Some(
            StatusMapping::from(StatusCode::SERVICE_UNAVAILABLE)
                .detail("a service that this one needs is not available at the moment")
                .retry_after(Duration::from_secs(1)),
        ),
        _ => None,
    }
}

crate::map_error!(known);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amazons_names_mean_what_the_caller_can_do() {
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
            assert_eq!(of_code(code, status), kind, "{code}");
        }
    }

    #[test]
    fn what_can_be_tried_again_is_503_and_all_else_a_fault() {
        assert!(known(&Error::new(Kind::Throttled, "")).is_some());
        assert!(known(&Error::new(Kind::Unavailable, "")).is_some());
        assert_eq!(known(&Error::new(Kind::Denied, "")), None);
        assert_eq!(known(&fmt::Error), None);
    }

    #[test]
    fn a_text_that_is_too_long_ends_with_a_sentence_or_a_word() {
        assert_eq!(shortened("all of it", 9), "all of it");
        assert_eq!(shortened("One. Two is too long", 12), "One.");
        assert_eq!(shortened("one two three", 9), "one two …");
        assert_eq!(shortened("ünbroken", 3), "ünb …");
    }

    #[test]
    fn of_a_long_text_the_first_line_is_kept() {
        assert_eq!(first_line("does not match\n\nx-amz-security-token:abc"), "does not match");
    }
}
